"""Memory and CPU time of a process and of all that it started, for the benches."""

from __future__ import annotations

import subprocess
import time
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


class Family:
    """A process and all that it started: their largest memory together, and their CPU time."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._cpu: dict[tuple[int, float], float] = {}
        self.peak = 0
        """Bytes resident at once, in the looks taken; shared pages count for each process."""

    def look(self) -> None:
        """Takes note of what the processes use now; CPU time after the last look is lost."""
        self.peak = max(self.peak, resident_bytes(self._pid))
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._pid)
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = each.cpu_times()
                    self._cpu[each.pid, each.create_time()] = times.user + times.system

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all processes seen, those that have ended too."""
        return sum(self._cpu.values())


def watched(child: subprocess.Popen[bytes]) -> Family:
    """Waits for a process, and returns what it and all that it started used.

    It is looked at ten times a second, and killed where the waiting is interrupted.
    """
    used = Family(child.pid)
    try:
        while child.poll() is None:
            used.look()
            time.sleep(0.1)
    finally:
        child.kill()
    return used
