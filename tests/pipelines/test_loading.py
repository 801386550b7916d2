"""Models are loaded beside the stages that ask none, and a load that fails ends the run."""

from __future__ import annotations

import io
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from pipelines.display import Display
from pipelines.loading import EarlyLoad, load_early
from pipelines.stopping import stoppable
from pipelines.synthesize import why_it_ended
from transforms.engine.errors import BackendError
from transforms.engine.runner_settings import BeamSettings, DirectSettings, RunnerSettings
from transforms.models import engines
from transforms.models.backends.draining import Stopped
from transforms.models.backends.engine_log import EngineLog
from transforms.models.backends.settings import VllmBackend
from transforms.models.engines import close_engines, open_engine

ERROR = BackendError("vLLM cannot load m: there is no such file")
BACKEND = VllmBackend(engine="vllm", model="m", api="chat")


def fail() -> None:
    raise ERROR


def test_a_load_that_fails_ends_what_the_run_does_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # engines that other tests of this process left open are not the run's
    monkeypatch.setattr("pipelines.stopping.unrecorded", lambda: 0)
    with stoppable() as stopping:
        with pytest.raises(Stopped) as ended:
            EarlyLoad([fail], stopping.end)
            time.sleep(3600)  # seeds are read
        manifest: dict[str, Any] = {"open_segment": "01-seeds"}
        assert why_it_ended(ended.value, stopping, manifest) is ERROR
    assert manifest["status"] == "failed"


def test_once_a_stage_asks_a_failed_load_is_left_to_it() -> None:
    handed_over, failed = threading.Event(), threading.Event()
    told: list[BackendError] = []

    def fail_later() -> None:
        handed_over.wait()
        failed.set()
        fail()

    early = EarlyLoad([fail_later], told.append)
    early.hand_over()
    handed_over.set()
    failed.wait()
    for thread in threading.enumerate():
        if thread.name == "load":
            thread.join()
    assert told == []


class Loaded:
    """A model that a test loads."""

    owed, open_requests = 0, 1

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_a_stage_waits_for_the_model_that_is_being_loaded_and_no_second_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    loaded: list[Loaded] = []

    def load(backend: Any) -> Loaded:
        loaded.append(Loaded())
        begun.set()
        go_on.wait()
        return loaded[0]

    monkeypatch.setattr(engines, "_load", load)
    early = threading.Thread(target=open_engine, args=[BACKEND])
    early.start()
    begun.wait()
    threading.Timer(0.05, go_on.set).start()
    assert open_engine(BACKEND).has_room
    early.join()
    assert len(loaded) == 1
    close_engines()
    assert loaded[0].is_closed


def test_a_model_that_is_loaded_after_the_end_of_the_run_is_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    model = Loaded()

    def load(backend: Any) -> Loaded:
        begun.set()
        go_on.wait()
        return model

    monkeypatch.setattr(engines, "_load", load)
    early = threading.Thread(target=open_engine, args=[BACKEND])
    early.start()
    begun.wait()
    close_engines()
    go_on.set()
    early.join()
    assert model.is_closed


def loads(
    ledger: Path,
    runner: RunnerSettings,
    monkeypatch: pytest.MonkeyPatch,
    **models: VllmBackend,
) -> tuple[list[str], str]:
    """The models that a run with this ledger loads early, and what it prints."""
    opened: list[str] = []

    def load(backend: VllmBackend) -> None:
        opened.append(backend.model)

    monkeypatch.setattr("pipelines.loading.open_engine", load)
    monkeypatch.setattr("pipelines.loading.log_to_file", lambda level: None)
    stage = SimpleNamespace(backend=BACKEND, models=models, ledger_dir=str(ledger))
    segments: Any = [SimpleNamespace(stages=[SimpleNamespace()]), SimpleNamespace(stages=[stage])]
    text = io.StringIO()
    load_early(segments, runner, fail, Console(file=text, width=200))  # type: ignore[arg-type]
    for thread in threading.enumerate():
        if thread.name == "load":
            thread.join()
    return opened, text.getvalue().strip()


def test_a_run_with_an_empty_ledger_loads_its_model_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, text = loads(tmp_path / "ledger", DirectSettings(), monkeypatch)
    assert opened == ["m"]
    assert text == "m is loaded while the first stages run"


def test_further_models_of_a_stage_are_loaded_too_and_equal_ones_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {
        "judge": BACKEND.at("models.judge"),
        "value": BACKEND.model_copy(update={"model": "v"}),
    }
    opened, _ = loads(tmp_path / "ledger", DirectSettings(), monkeypatch, **named)
    assert opened == ["m", "v"]


def test_a_run_whose_ledger_may_hold_every_answer_waits_for_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "part-1.parquet").touch()
    opened, text = loads(tmp_path, DirectSettings(), monkeypatch)
    assert opened == []
    assert text == "m is loaded when a stage first asks it: the ledger may hold the answers"


def test_engines_of_worker_processes_are_loaded_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, text = loads(tmp_path, DirectSettings(workers=2), monkeypatch)
    assert opened == []
    assert text == "m is loaded when a stage first asks it, by each worker for itself"


def test_workers_elsewhere_load_their_models_without_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = BeamSettings(type="beam", options={"runner": "PrismRunner"})
    assert loads(tmp_path, elsewhere, monkeypatch) == ([], "")


def test_a_log_tells_what_is_done_until_the_model_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("INFO Starting to load model old...\n")  # of a server that was killed
    log = EngineLog("m", path, is_loading=False)
    assert log.state() == ""
    path.write_text("")
    log.state()
    seen = []
    for line in (
        "Starting to load model m...\n",
        "Loading weights took 2.00 sec",
        "onds\nCompiling a graph for compile range (1, 8192) takes 3.41 s\n",
        "Capturing CUDA graphs (decode, FULL):   3%|3  | 1/35\r",
        "init engine (profile, create kv cache, warmup model) took 44.50 s\n",
    ):
        with path.open("a") as file:
            file.write(line)
        seen.append(re.sub(r"^m: |, [0-9.]+ min$", "", log.state()))
    assert seen == ["loading weights", "loading weights", "compiling", "capturing graphs", ""]


def test_the_display_says_what_a_model_that_is_loaded_is_at() -> None:
    text = io.StringIO()
    with Display(Console(file=text, width=100), lambda: "m: compiling, 1.2 min") as display:
        display.start("01-seeds", ["seeds"])
        display._say()
    assert "01-seeds: m: compiling, 1.2 min" in text.getvalue()
