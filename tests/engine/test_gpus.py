"""Each local worker sees GPUs of its own, and too few of them are refused before a run."""

import os

import pytest

from tests.engine.test_machine import _tool
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
