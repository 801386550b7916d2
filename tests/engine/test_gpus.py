"""Each local worker sees GPUs of its own, and too few of them are refused before a run."""

import os

import pytest

from pipelines.synthesize import answerable
from tests.engine.test_machine import _tool
from tests.settings_for_tests import composed
from transforms.engine import gpus
from transforms.engine.errors import SettingsError
from transforms.engine.machine import machine


@pytest.fixture(autouse=True)
def four_cards(tmp_path, monkeypatch):
    machine.cache_clear()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv(gpus.GROUPS, "")
    _tool(tmp_path, "for i in 0 1 2 3; do echo 'NVIDIA L4, 570.86.15'; done", monkeypatch)
    yield
    machine.cache_clear()


def shares(cards, workers):
    """What each of the workers of one pipeline sees."""
    gpus.share_gpus(cards, workers)
    return sorted(gpus.next_worker()["CUDA_VISIBLE_DEVICES"] for _ in range(workers))


@pytest.mark.parametrize(
    ("cards", "workers", "seen"),
    [(1, 4, ["0", "1", "2", "3"]), (2, 2, ["0,1", "2,3"]), (1, 2, None), (3, 1, ["0,1,2"])],
)
def test_workers_that_run_together_see_different_gpus(cards, workers, seen):
    for _ in range(3):  # pipelines, one after another
        found = shares(cards, workers)
        assert len(set(found)) == workers and (seen is None or found == seen)


def test_gpus_that_the_driver_does_not_see_are_dealt_to_none(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7a, GPU-9c")
    assert shares(1, 2) == ["GPU-7a", "GPU-9c"]


@pytest.mark.parametrize(("cards", "workers", "fix"), [(1, 8, 4), (2, 4, 2), (8, 2, 1)])
def test_too_few_gpus_are_one_line_with_the_number_that_fits(cards, workers, fix):
    with pytest.raises(SettingsError, match=rf"set runner\.workers={fix}, or backend=vllm_server"):
        gpus.share_gpus(cards, workers)


def test_without_gpus_workers_keep_their_environment(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    gpus.share_gpus(1, 2)
    assert gpus.next_worker() == {} and gpus.GROUPS not in os.environ


_JUDGED = ["recipe=caco_judged", "backend.model=a", "models.judge.model=b"]
_JUDGED += ["models.judge.api=chat"]


@pytest.mark.parametrize("engine", ["vllm", "vllm_server"])
def test_two_models_on_the_same_gpus_need_shares_of_its_memory(tmp_path, engine):
    settings = composed(*_JUDGED, f"models.judge.engine={engine}")
    fix = r"backend\.gpu_memory_utilization=0\.47 models\.judge\.gpu_memory_utilization=0\.47"
    with pytest.raises(SettingsError, match=rf"would take 0\.9 \+ 0\.9 .* such as {fix}"):
        answerable(settings, str(tmp_path))


@pytest.mark.parametrize(
    "overrides",
    [
        ["backend.gpu_memory_utilization=0.5", "models.judge.gpu_memory_utilization=0.4"],
        ["models.judge.model=a"],  # one model under two names
        ["models.judge.cpu_kvcache_gib=1"],
    ],
)
def test_models_that_fit_are_let_pass(tmp_path, overrides):
    settings = composed(*_JUDGED, "models.judge.engine=vllm", *overrides)
    assert answerable(settings, str(tmp_path))


def test_where_no_gpu_is_seen_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert answerable(composed(*_JUDGED, "models.judge.engine=vllm"), str(tmp_path))
