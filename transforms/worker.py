"""Entry point of local worker processes: Beam's own, made quiet, and ended by signals in order."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

WORKERS = "COTMILL_WORKERS"
"""Environment variable that names the folder in which worker processes leave their numbers."""

_PR_SET_PDEATHSIG = 1


def end(signum: int, frame: Any) -> None:
    """Writes what ledgers have pending, then ends this process, whatever its threads do.

    DoFns run in other threads than this one, so none of their locks is held by what it interrupts.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    try:
        if ledger := sys.modules.get("transforms.generation.ledger"):
            ledger.flush_writers()
    finally:
        os._exit(0)  # the driver, which asked for it, is not to report a failure


def end_with_driver() -> None:
    """Has signals end this process in order, that of the driver's death included."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if folder := os.environ.get(WORKERS):
        (Path(folder) / str(os.getpid())).touch()


if __name__ == "__main__":
    end_with_driver()
    logging.disable(logging.WARNING)  # said at import, of a package that only Google Cloud needs
    from apache_beam.runners.worker import sdk_worker, sdk_worker_main

    logging.disable(logging.INFO)
    # An exception reaches the driver with the bundle's result; logged or printed, it would come
    # twice.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    setattr(sdk_worker, "print", lambda *args, **kwargs: None)  # noqa: B010
    sdk_worker_main.main(sys.argv)
