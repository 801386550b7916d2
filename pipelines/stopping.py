"""Stopping by a signal: a run that is told to end loses nothing and can be resumed."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psutil

from transforms.engine.errors import CotmillError
from transforms.engine.worker import END_NOW, WORKERS, owed_by, registered
from transforms.models.backends import draining
from transforms.models.backends.draining import Stopped
from transforms.models.engines import owed, unrecorded

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_COUNT_SECONDS = 10.0
"""How long worker processes have to tell how many answers they wait for."""


class Stopping:
    """Whether a signal has come. An error may hide it: runners wrap what they catch.

    The first signal has every process ask for nothing more and record the answers that are on
    their way; SIGINT after that ends the wait.
    """

    def __init__(self, workers: Path) -> None:
        self._workers = workers
        self.signum: int | None = None
        self.error: CotmillError | None = None
        """Why the run is to end, where no signal of a user's ends it."""
        self.is_handling = False
        """Whether signals of this process come here."""

    def end(self, error: CotmillError) -> None:
        """Ends the run with `error`, from another thread than its own."""
        self.error = error
        if self.is_handling:
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGTERM)

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:
            if signum == signal.SIGTERM:  # a supervisor may send its signal twice
                return
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self._tell_workers(END_NOW)
            raise Stopped(signal.Signals(signum).name)
        self.signum = signum
        # Threads that talk to the workers have nothing to say about their end.
        threading.excepthook = lambda arguments: None
        draining.begin()
        # Before anything unwinds: the runner waits for its workers to end.
        told = self._tell_workers(signal.SIGTERM)
        if waiting := owed() + self._owed_by(told):
            answers = "1 answer that is" if waiting == 1 else f"{waiting} answers that are"
            print(
                f"cotmill: waiting for {answers} paid for (Ctrl-C again to drop them)",
                file=sys.stderr,
                flush=True,
            )
        if not unrecorded():  # otherwise the bundle that asked records them, and raises it
            raise Stopped(signal.Signals(signum).name)

    def _tell_workers(self, signum: int) -> list[psutil.Process]:
        told = []
        for worker in registered(self._workers):
            with contextlib.suppress(psutil.Error):
                worker.send_signal(signum)
                told.append(worker)
        return told

    def _owed_by(self, workers: list[psutil.Process]) -> int:
        """The answers that worker processes wait for, as far as they tell in time."""
        deadline = time.monotonic() + _COUNT_SECONDS
        total = 0
        for worker in workers:
            while (count := owed_by(self._workers, worker)) is None and worker.is_running():
                if time.monotonic() > deadline:
                    break
                time.sleep(0.01)
            total += count or 0
        return total


@contextlib.contextmanager
def stoppable() -> Iterator[Stopping]:
    """Within it SIGINT and SIGTERM end the work of this process and its workers in good order.

    The processes record the answers that are on their way from a paid endpoint (see
    `generation.draining`), and end; in this process `Stopped` is raised in the main thread.
    Elsewhere than in the main thread, signals are left alone.
    """
    with tempfile.TemporaryDirectory(prefix="cotmill-", ignore_cleanup_errors=True) as folder:
        stopping = Stopping(Path(folder))
        if threading.current_thread() is not threading.main_thread():
            yield stopping
            return
        os.environ[WORKERS] = folder
        before = {each: signal.signal(each, stopping) for each in _SIGNALS}
        stopping.is_handling = True
        try:
            yield stopping
        finally:
            stopping.is_handling = False
            draining.over()
            os.environ.pop(WORKERS, None)
            for each, handler in before.items():
                signal.signal(each, handler)
