"""A control group per slot, where the host may make one: memory and processes counted in sum.

The limits of a process (RLIMIT_AS) hold for each process alone; a control group holds for all that
a program starts, its scratch folder included. Only version 2 is used.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_CONTROLLERS = {"memory", "pids"}


class CgroupUnavailable(Exception):
    """No control group can be made here; the message says why."""


def find_parent(
    membership: Path = Path("/proc/self/cgroup"), mounts: Path = Path("/proc/self/mounts")
) -> Path:
    """Returns the folder in which groups for slots can be made: the own group, or the one above.

    Raises:
        CgroupUnavailable: cgroup v2 is absent, lacks a controller, or may not be written.
    """
    mounted = [line.split()[1] for line in mounts.read_text().splitlines() if _is_version_2(line)]
    own = [line[3:] for line in membership.read_text().splitlines() if line.startswith("0::")]
    if not mounted or not own:
        raise CgroupUnavailable("cgroup v2 is not mounted")
    top = Path(mounted[0])
    group = top / own[0].lstrip("/")
    why = ""
    for folder in (group, group.parent) if group != top else (group,):
        lacking = _CONTROLLERS - set(_read(folder / "cgroup.controllers").split())
        if lacking:
            why = why or f"{folder} has no {' and '.join(sorted(lacking))} controller"
            continue
        if not _hands_on(folder):
            with suppress(OSError):  # refused where processes sit in the folder itself
                (folder / "cgroup.subtree_control").write_text("+memory +pids")
        if _hands_on(folder):
            return folder
        why = f"{folder} may not hand its controllers on"
    raise CgroupUnavailable(why)


def _is_version_2(mount: str) -> bool:
    return mount.split()[2] == "cgroup2"


def _hands_on(folder: Path) -> bool:
    return set(_read(folder / "cgroup.subtree_control").split()).issuperset(_CONTROLLERS)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


class SlotGroup:
    """The control group of one slot.

    Args:
        parent: as `find_parent` gives it.
        name: unlike that of any other group in `parent`.
        pid: the slot's zygote; what it forks is in the group from birth.
        memory_bytes: memory of all processes and of the scratch folder.
        processes: processes and threads in all, the zygote included.

    Raises:
        CgroupUnavailable: the kernel refuses a step.
    """

    def __init__(
        self, parent: Path, name: str, pid: int, memory_bytes: int, processes: int
    ) -> None:
        self._folder = parent / name
        try:
            self._folder.mkdir()
            (self._folder / "memory.max").write_text(str(memory_bytes))
            with suppress(OSError):  # a kernel without swap accounting has no such file
                (self._folder / "memory.swap.max").write_text("0")
            (self._folder / "pids.max").write_text(str(processes))
            (self._folder / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            self.close()
            raise CgroupUnavailable(f"{self._folder}: {error.strerror}") from None
        self._kills = self._count_kills()

    def ran_out(self) -> bool:
        """Whether the kernel ended a process for want of memory since the last call."""
        before, self._kills = self._kills, self._count_kills()
        return self._kills > before

    def _count_kills(self) -> int:
        events = dict(line.split() for line in _read(self._folder / "memory.events").splitlines())
        return int(events.get("oom_kill", 0))

    def close(self) -> None:
        """Removes the group; its processes must have ended."""
        with suppress(OSError):
            self._folder.rmdir()
