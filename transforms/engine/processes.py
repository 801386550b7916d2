"""Work on all cores of this machine, outside of a pipeline.

This module must not import Beam: its processes are quietened before anything that they import.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_on_cores(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yields `function` of each item, in their order, from one new process a core."""
    workers = min(len(os.sched_getaffinity(0)), len(items))
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool:
        yield from pool.map(function, items)


def _begin() -> None:
    """Quietens a process, and ends it when the one that started it is gone.

    A pool's processes would otherwise wait for work for ever.
    """
    logging.disable(logging.WARNING)
    parent = parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
