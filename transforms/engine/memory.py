"""Memory of a process and of all that it started, for the benches."""

from __future__ import annotations

from contextlib import suppress

import psutil


def resident_bytes(pid: int) -> int:
    """Returns the resident memory of a process and of all below it.

    Pages that they share count for each. 0 where the process has ended.
    """
    total = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # ended meanwhile
                total += each.memory_info().rss
    return total
