"""The cores and the memory that this process may use: affinity, control groups, siblings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

LOCAL_WORKERS = "COTMILL_LOCAL_WORKERS"
"""Environment variable of a local worker process: how many of them share the machine."""


def cores_of_process() -> int:
    """Returns the cores that this process may use, divided among the local workers; at least 1."""
    cores = float(len(os.sched_getaffinity(0)))
    quota = cpu_quota()
    if quota is not None:
        cores = min(cores, quota)
    return max(1, int(cores) // int(os.environ.get(LOCAL_WORKERS, "1")))


def memory_mb_of_process() -> float:
    """Returns the memory that this process may use, MiB, divided among the local workers."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = min(physical, memory_limit() or physical)
    return limit / 2**20 / int(os.environ.get(LOCAL_WORKERS, "1"))


_MEMBERSHIP, _TOP = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def cpu_quota(membership: Path = _MEMBERSHIP, top: Path = _TOP) -> float | None:
    """Returns the cores that the process's control groups allow in sum; None without a limit.

    Reads version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`).
    """
    groups = _groups("cpu", membership, top)
    return min((quota for folder in groups for quota in _quota_of(folder)), default=None)


def memory_limit(membership: Path = _MEMBERSHIP, top: Path = _TOP) -> int | None:
    """Returns the bytes that the process's control groups allow in sum; None without a limit.

    Reads version 2 (`memory.max`) and version 1 (`memory.limit_in_bytes`).
    """
    texts = (
        _read(folder / name).strip()
        for folder in _groups("memory", membership, top)
        for name in ("memory.max", "memory.limit_in_bytes")
    )
    return min((int(text) for text in texts if text.isdigit()), default=None)


def _groups(controller: str, membership: Path, top: Path) -> Iterator[Path]:
    """Yields the folders of a process's control groups and of all above: a group's limit holds for
    all groups below it."""
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = top / controller if controllers else top
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            yield folder


def _quota_of(folder: Path) -> list[float]:
    limit, period = _read(folder / "cpu.max").split() or ("max", "")
    if limit == "max":
        limit = _read(folder / "cpu.cfs_quota_us").strip() or "-1"
        period = _read(folder / "cpu.cfs_period_us").strip()
    return [int(limit) / int(period)] if int(limit) > 0 and period else []


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
