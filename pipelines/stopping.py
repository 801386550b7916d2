"""Stopping by a signal: a run that is told to end loses nothing and can be resumed."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from transforms.worker import WORKERS

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Raised in the main thread where a signal asks the run to end."""


class Stopping:
    """Whether a signal has come. An error may hide it: runners wrap what they catch."""

    def __init__(self, workers: Path) -> None:
        self._workers = workers
        self.signum: int | None = None

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        # Whoever presses Ctrl-C again will not wait; a supervisor may send its signal twice.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Threads that talk to the workers have nothing to say about their end.
        threading.excepthook = lambda arguments: None
        # Before anything unwinds: the runner waits for its workers to end.
        for worker in self._workers.iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(worker.name), signal.SIGTERM)
        raise Stopped(signal.Signals(signum).name)


@contextlib.contextmanager
def stoppable() -> Iterator[Stopping]:
    """Within it SIGINT and SIGTERM end the work of this process and its workers in good order.

    Worker processes write what their ledgers have pending and end; in this process `Stopped`
    is raised in the main thread. Elsewhere than in the main thread, signals are left alone.
    """
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        stopping = Stopping(Path(folder))
        if threading.current_thread() is not threading.main_thread():
            yield stopping
            return
        os.environ[WORKERS] = folder
        before = {each: signal.signal(each, stopping) for each in _SIGNALS}
        try:
            yield stopping
        finally:
            os.environ.pop(WORKERS, None)
            for each, handler in before.items():
                signal.signal(each, handler)
