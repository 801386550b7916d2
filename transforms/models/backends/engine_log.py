"""What vLLM does while it loads a model, read from its own log."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

CONFIG = "VLLM_LOGGING_CONFIG_PATH"
"""Environment variable from which vLLM's processes take where they log to."""

_PHASES = tuple(
    (phase, re.compile(pattern))
    for phase, pattern in (
        ("starting", "Initializing a V1 LLM engine"),
        ("loading weights", "Starting to load model"),
        ("compiling", "Warming up model|Dynamo bytecode transform|for vLLM's torch.compile"),
        ("compiling", "[Cc]ompil(?:e|ing a graph for compile) range"),
        ("capturing graphs", "Capturing CUDA graph|Profiling CUDA graph memory"),
        ("reserving the KV cache", "KV cache size|Available KV cache memory"),
        ("", "init engine .*took|Application startup complete"),
    )
)


def phase_of(line: str) -> str | None:
    """Returns what vLLM begins to do by a line of its log; None where the line does not tell, and
    an empty text where the model is loaded.

    >>> phase_of("INFO 11-27 [cpu_model_runner.py:68] Starting to load model /models/m...")
    'loading weights'
    >>> phase_of("Capturing CUDA graphs (decode, FULL):  20%|##        | 7/35")
    'capturing graphs'
    >>> phase_of("Enforce eager set, disabling torch.compile, CUDAGraphs")  # after loading, too
    >>> phase_of("init engine (profile, create kv cache, warmup model) took 4.50 s")
    ''
    """
    return next((phase for phase, pattern in _PHASES if pattern.search(line)), None)


class EngineLog:
    """Follows the log of an engine, or of a server, from its present end.

    Args:
        model: what the model is called in `state`.
        path: the log; it may not be there yet.
        is_loading: whether the model is being loaded already.
    """

    def __init__(self, model: str, path: Path, is_loading: bool) -> None:
        self._model, self._path = model, path
        self._read = _size(path)
        self._rest = ""
        self._phase = "starting" if is_loading else ""
        self._since = time.monotonic()

    def state(self) -> str:
        """What is done to load the model, and for how long; empty where it is not being loaded."""
        if (size := _size(self._path)) < self._read:  # a new server begins its log anew
            self._read, self._rest = 0, ""
        if size > self._read:
            with contextlib.suppress(OSError), self._path.open("rb") as file:
                file.seek(self._read)
                text = self._rest + file.read(size - self._read).decode(errors="replace")
                self._read = size
                *lines, self._rest = re.split("[\r\n]", text)
                for line in lines:
                    self._follow(line)
        if not self._phase:
            return ""
        return f"{self._model}: {self._phase}, {(time.monotonic() - self._since) / 60:.1f} min"

    def _follow(self, line: str) -> None:
        if (phase := phase_of(line)) is not None:
            if not self._phase:
                self._since = time.monotonic()
            self._phase = phase


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@cache
def log_to_file(level: str) -> Path | None:
    """Has the vLLM engines that this process and its workers open log to a file; returns it.

    They write there what they do, and what is at least of `level` to stdout as before. None where
    the user has configured vLLM's logging.
    """
    if CONFIG in os.environ:
        return None
    folder = Path(tempfile.mkdtemp(prefix="cotmill-"))
    owner = os.getpid()

    def delete() -> None:
        if os.getpid() == owner:  # not a forked worker
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(delete)
    log, config = folder / "vllm.log", folder / "logging.json"
    log.touch()
    file = {"class": "logging.FileHandler", "filename": str(log), "level": "INFO"}
    stream = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "level": level}
    handlers = {"file": file, "stream": stream}
    least = level if level == "DEBUG" else "INFO"
    loggers = {"vllm": {"handlers": [*handlers], "level": least, "propagate": False}}
    formatter = {"format": "%(levelname)s %(asctime)s [%(filename)s:%(lineno)d] %(message)s"}
    for handler in handlers.values():
        handler["formatter"] = "line"
    config.write_text(
        json.dumps(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {"line": formatter},
                "handlers": handlers,
                "loggers": loggers,
            }
        )
    )
    os.environ[CONFIG] = str(config)
    return log
