"""Loads models early: beside the stages that ask none, such as those that read and check seeds."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from rich.console import Console

from transforms.engine.errors import BackendError
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import files_below
from transforms.engine.runner_settings import DirectSettings, RunnerSettings
from transforms.models.backends.engine_log import EngineLog, log_to_file
from transforms.models.backends.settings import VllmBackend, VllmServerBackend
from transforms.models.engines import hold_server, model_key, open_engine


def asks(segment: Segment) -> bool:
    """Whether a stage of the segment asks a model."""
    return bool(_values([segment], "backend"))


def _values(segments: Iterable[Segment], field: str) -> list[Any]:
    """The values that stages have in a field, each once, in the order of the stages."""
    values: list[Any] = []
    for segment in segments:
        for stage in segment.stages:
            value = getattr(stage, field, None)
            if value is not None and value not in values:
                values.append(value)
    return values


class EarlyLoad:
    """Loads models on a thread of its own, one after another.

    A failure ends the run, until `hand_over`: then a stage asks the models, and meets the failure
    itself.

    Args:
        loads: functions that return once a model is loaded, or raise BackendError.
        end_run: called from the thread with the error of a model that cannot be loaded.
        logs: of the engines that the run uses, loaded early or not.
    """

    def __init__(
        self,
        loads: Sequence[Callable[[], object]],
        end_run: Callable[[BackendError], None],
        logs: Sequence[EngineLog] = (),
    ) -> None:
        self._loads, self._end_run = loads, end_run
        self._logs = logs
        self._lock = threading.Lock()
        self._is_handed_over = False
        if loads:
            threading.Thread(target=self._load, name="load", daemon=True).start()

    def hand_over(self) -> None:
        """Has what asks the models tell of failures from now on."""
        with self._lock:
            self._is_handed_over = True

    def state(self) -> str:
        """What is done to load models, in one line; empty where none is being loaded."""
        return "; ".join(filter(None, (log.state() for log in self._logs)))

    def _load(self) -> None:
        try:
            for load in self._loads:
                load()
        except BackendError as error:
            with self._lock:
                if not self._is_handed_over:
                    self._end_run(error)


def load_early(
    segments: Sequence[Segment],
    runner: RunnerSettings,
    end_run: Callable[[BackendError], None],
    console: Console,
) -> EarlyLoad:
    """Begins to load the models on this machine that segments ask, where an answer is needed.

    With an empty ledger the first request needs its model. Otherwise the ledger may hold every
    answer, and a model is loaded when a stage first asks it; so it is where each worker process
    has an engine of its own.

    Args:
        segments: those that are still to run.
    """
    if not isinstance(runner, DirectSettings):
        return EarlyLoad((), end_run)
    loads: list[Callable[[], object]] = []
    logs: list[EngineLog] = []
    asked = _values(segments, "backend")
    asked += [each for models in _values(segments, "models") for each in models.values()]
    apart = {model_key(each): each for each in asked if isinstance(each, VllmBackend)}
    is_early = not any(files_below(folder) for folder in _values(segments, "ledger_dir"))
    for backend in apart.values():
        if isinstance(backend, VllmServerBackend):
            from transforms.models.backends.vllm_server import server_log

            logs.append(EngineLog(backend.model, server_log(backend), is_early))
            load: Callable[[], object] | None = partial(_start, backend, hold_server(backend))
        else:
            from transforms.models.backends.vllm_setup import QUIET

            level = os.environ.get("VLLM_LOGGING_LEVEL", QUIET["VLLM_LOGGING_LEVEL"])
            load = partial(open_engine, backend) if runner.workers == 1 else None
            path = log_to_file(level.upper())
            if path is not None:
                logs.append(EngineLog(backend.model, path, is_early and load is not None))
        if is_early and load is not None:
            loads.append(load)
            when = "is loaded while the first stages run"
        else:
            own = "" if load is not None else ", by each worker for itself"
            held = "" if is_early else ": the ledger may hold the answers"
            when = f"is loaded when a stage first asks it{own}{held}"
        console.print(f"{backend.model} {when}", highlight=False, markup=False, soft_wrap=True)
    return EarlyLoad(loads, end_run, logs)


def _start(backend: VllmServerBackend, start: Callable[[], object]) -> None:
    from transforms.models.backends.vllm_setup import check_arguments, check_installed

    check_installed(backend)
    check_arguments(backend)
    start()
