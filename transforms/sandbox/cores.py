"""How many cores this process may really use: its affinity, its control group, its siblings."""

from __future__ import annotations

import os
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


def cpu_quota(
    membership: Path = Path("/proc/self/cgroup"), top: Path = Path("/sys/fs/cgroup")
) -> float | None:
    """Returns the cores that the process's control groups allow in sum; None without a limit.

    Reads version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`). A group's limit holds for all
    groups below it, so the smallest on the way up counts.
    """
    quotas = []
    for line in _read(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = top / "cpu" if controllers else top
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            quotas += _quota_of(folder)
    return min(quotas, default=None)


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
