"""Entry point of local worker processes: Beam's own, made quiet, and ended by signals in order."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from transforms.models.backends import draining

WORKERS = "COTMILL_WORKERS"
"""Environment variable that names the folder in which worker processes register."""
END_NOW = signal.SIGHUP
"""Ends a worker without waiting for answers: from the driver, and when the driver dies."""

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 0.05


def _started(pid: int) -> str:
    """When a process started, as text; psutil.NoSuchProcess where there is none.

    The kernel's count of ticks does not move with the clock.
    """
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return repr(psutil.Process(pid).create_time())


def register(folder: Path) -> None:
    """Leaves this process's number in the folder, with the time of its start as the content."""
    pid = os.getpid()
    _write(folder / str(pid), _started(pid))


def registered(folder: Path) -> Iterator[psutil.Process]:
    """Yields the processes that have registered and still run.

    A number whose process has ended may be another process's by now: the time of its start tells.
    """
    for file in folder.iterdir():
        if not file.name.isdecimal():
            continue
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            process = psutil.Process(int(file.name))
            if _started(process.pid) == file.read_text():
                yield process


def owed_by(folder: Path, worker: psutil.Process) -> int | None:
    """Returns how many answers a worker that was told to end waits for; None before it tells."""
    with contextlib.suppress(FileNotFoundError):
        return int((folder / f"{worker.pid}.owed").read_text())
    return None


def _write(path: Path, text: str) -> None:
    """Writes a file that appears with its content: a reader never sees half of it."""
    hidden = path.with_name(f".{path.name}")
    with contextlib.suppress(OSError):  # the driver, and its folder, are gone
        hidden.write_text(text)
        hidden.rename(path)


def unregister() -> None:
    """Takes this process's number back: it may soon be another's."""
    if folder := os.environ.get(WORKERS):
        with contextlib.suppress(OSError):
            (Path(folder) / str(os.getpid())).unlink()


def end_when_answered(signum: int, frame: Any) -> None:
    """Asks for nothing more, and ends this process once the answers it is owed are recorded.

    DoFns run in other threads than this one: they record them, and none of their locks is held
    by what this interrupts.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    draining.begin()
    if engines := sys.modules.get("transforms.models.engines"):
        if folder := os.environ.get(WORKERS):
            _write(Path(folder) / f"{os.getpid()}.owed", str(engines.owed()))
        while engines.unrecorded():
            time.sleep(_LOOK_SECONDS)
    end_now(signum, frame)


def flush() -> None:
    """Writes what the ledgers of this process have pending."""
    if ledger := sys.modules.get("transforms.models.ledger.ledger"):
        ledger.flush_writers()


def end_now(signum: int, frame: Any) -> None:
    """Writes what ledgers have pending, then ends this process, whatever its threads do."""
    for each in (signal.SIGTERM, END_NOW):
        signal.signal(each, signal.SIG_IGN)
    try:
        flush()
    finally:
        unregister()
        os._exit(0)  # the driver, which asked for it, is not to report a failure


def end_with_driver(parent: int) -> None:
    """Has signals end this process in order, that of the driver's death included.

    Args:
        parent: the process that forked this one, which ends with the driver.
    """
    # Ctrl-C reaches the driver too, which decides; SIG_IGN would be handed on to the sandbox.
    signal.signal(signal.SIGINT, lambda signum, frame: None)
    signal.signal(signal.SIGTERM, end_when_answered)
    signal.signal(END_NOW, end_now)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, END_NOW)
        if os.getppid() != parent:  # it has died before it could be told of
            end_now(END_NOW, None)
    if folder := os.environ.get(WORKERS):
        register(Path(folder))


def main(parent: int) -> None:
    """Runs Beam's worker as the environment says, until the driver ends it.

    Args:
        parent: the process that forked this one.
    """
    end_with_driver(parent)
    from apache_beam.runners.worker import sdk_worker, sdk_worker_main

    from transforms.engine.beam_costs import spare_local

    spare_local()
    logging.disable(logging.INFO)
    # An exception reaches the driver with the bundle's result; logged or printed, it would come
    # twice.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    setattr(sdk_worker, "print", lambda *args, **kwargs: None)  # noqa: B010
    try:
        sdk_worker_main.main(sys.argv)
    finally:
        flush()  # where the driver died, its silence may come before the signal
        unregister()
    # As multiprocessing ends what it forks: to take down all modules would copy each page that is
    # shared with the server, a third of what a short segment's worker costs.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    os._exit(0)
