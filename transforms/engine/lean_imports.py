"""Imports of Beam without what it imports in passing and nothing here uses, their cost to the
garbage collector, and memory that goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LEFT_OUT = ("pandas", "bson", "pymongo", "boto3", "google.cloud.storage")

_COLLECTED_EVERY = (10_000, 10, 10)
"""In place of 700, 10, 10: records are in no cycles, and looking for some among those of a segment
took 5 % of a run's CPU time."""
_HEAPS = {
    -8: 2,  # M_ARENA_MAX, eight a core: Beam's bundles take turns on many threads, each with a heap
    -3: 4 << 20,  # M_MMAP_THRESHOLD, which grows up to 32 MiB with what is freed
    -1: 16 << 20,  # M_TRIM_THRESHOLD, twice that
}
"""Options of glibc's mallopt(3), in place of what they are otherwise: a heap keeps what is freed,
64 MiB of it at its end alone."""
_SWITCHED_EVERY = 0.0005
"""Seconds, in place of 0.005: a sandbox's thread that hands on the next program waits so long for
one that judges records, twice a program, and its slot is idle the while."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within it, Beam is imported without pandas, MongoDB and its clients of object stores, and
    without its warnings.

    They are a third of what a command takes to start. Only Beam's dataframes and its MongoDB
    connector need the former, and `files` has other clients. They can be imported afterwards. What
    was imported, 300,000 objects that live as long as the process, is left out of garbage
    collections: each full one would look at all of it, 0.1 s a time. What threads and Arrow free is
    not kept for them. For processes of cotmill's own: in others Beam is theirs.
    """
    logging.disable(logging.WARNING)
    if set_option := getattr(ctypes.CDLL(None), "mallopt", None):  # none in other C libraries
        for option, value in _HEAPS.items():
            set_option(option, value)
    # Of its own pool Arrow returns little to the system: a tenth of a worker's memory.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    gc.disable()
    hidden = [name for name in _LEFT_OUT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        logging.disable(logging.NOTSET)
        gc.freeze()
        gc.set_threshold(*_COLLECTED_EVERY)
        sys.setswitchinterval(_SWITCHED_EVERY)
        gc.enable()
