"""Which processes are running, and whether they end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import psutil

from tests.waiting import eventually


def running_with(variable: str, value: str) -> list[int]:
    """Ids of the processes whose environment sets `variable` to `value`, a parent's before those of
    its children; zombies are none.

    That is by when they began: the ids themselves begin anew where the largest was given.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile, or is another user's
            if process.environ().get(variable) == value and is_running(process):
                found.append((process.create_time(), process.pid))
    return [pid for _, pid in sorted(found)]


def is_running(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has waited for yet has."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def all_end(processes: Iterable[psutil.Process]) -> bool:
    """Whether processes end, sooner or later."""
    left = list(processes)
    return eventually(lambda: not any(map(is_running, left)))


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kills processes; those that end first, as children of one that is killed do, are none."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
