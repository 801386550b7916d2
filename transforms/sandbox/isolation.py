"""The layers that wall a slot of the sandbox in, each applied by one function, each reported.

Runs in a freshly started process that imports nothing of cotmill: `enter_namespaces` first, which
may need privilege, and `give_up_privilege` in the process that stays.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from transforms.sandbox import seccomp

_libc = ctypes.CDLL(None, use_errno=True)

_CAP_SYS_ADMIN = 21
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND = 0x2, 0x4, 0x8, 0x1000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 0x1, 0x2, 0x4
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_PR_SET_CHILD_SUBREAPER = 36

# system calls without a libc wrapper: (x86-64, aarch64)
_PIVOT_ROOT, _CAPSET, _MOUNT_SETATTR = (155, 41), (126, 91), (442, 442)
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = (444, 444), (445, 445), (446, 446)

NAMESPACES = {
    "mount_namespace": 0x00020000,
    "pid_namespace": 0x20000000,
    "network_namespace": 0x40000000,
    "ipc_namespace": 0x08000000,
    "uts_namespace": 0x04000000,
}
_CLONE_NEWUSER = 0x10000000

SCRATCH_INODES = 4096
"""Files and folders a program may have in its scratch folder at once."""

_STACK_BYTES = 64 << 20
"""Main thread's stack: recursion through C code (sympy's) needs more than the usual 8 MiB."""

_FIRST_UID = 1_900_000_000
"""Slots run as users of their own from here on, so that RLIMIT_NPROC counts one slot alone."""

_NOBODY = 65534

DEVICES = ("null", "zero", "full", "random", "urandom")


@dataclass(frozen=True)
class Layer:
    """One wall of the sandbox, as `cotmill sandbox status` and the manifest show it."""

    name: str
    active: bool
    why: str
    """How it stands, or why it does not."""


SCRATCH = "/scratch"
"""The one folder that programs may write to, where they have a file system of their own."""


@dataclass(frozen=True)
class Enclosure:
    """What a slot is walled in with."""

    visible: tuple[str, ...]
    """Paths that programs may read: Python's libraries and the system's."""
    directory: str
    """An empty folder of the sandbox's own: root of the slot's file system, or its scratch's."""
    limits: dict[str, int]
    """memory_mb, file_mb, open_files, processes (see SandboxSettings)."""
    without: dict[str, str] = field(default_factory=dict)
    """Layers that are not tried, and why."""
    sessions: bool = False
    """Whether it keeps states of sessions."""


class Unavailable(Exception):
    """A layer cannot stand here; the message says why."""


class NoRoot(Exception):
    """The file system of a mount namespace cannot be built; the message says why."""


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _syscall(numbers: tuple[int, int], what: str, *arguments: object) -> int:
    number = numbers[0] if platform.machine() == "x86_64" else numbers[1]
    return _check(_libc.syscall(ctypes.c_long(number), *arguments), what)


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    _check(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode(),
            ctypes.c_ulong(flags),
            options.encode(),
        ),
        f"mount {target}",
    )


class Walls:
    """Applies layers one after the other and keeps the report."""

    def __init__(self, enclosure: Enclosure) -> None:
        self._enclosure = enclosure
        self.layers: list[Layer] = []
        with open("/proc/self/statm") as statm:  # there may be no /proc later
            self.mapped_bytes = int(statm.read().split()[0]) * resource.getpagesize()

    def has(self, name: str) -> bool:
        return any(layer.active for layer in self.layers if layer.name == name)

    def apply(self, name: str, action: Callable[[], str]) -> None:
        """Runs `action`, which returns how the layer stands, and notes it, or why it failed."""
        if name in self._enclosure.without:
            self.layers.append(Layer(name, False, self._enclosure.without[name]))
            return
        try:
            self.layers.append(Layer(name, True, action()))
        except (OSError, Unavailable, seccomp.Unsupported) as error:
            self.layers.append(Layer(name, False, str(error)))


def enter_namespaces(walls: Walls, enclosure: Enclosure) -> None:
    """Moves the caller into namespaces of its own; its next child is the first of the PID one.

    With CAP_SYS_ADMIN directly, else inside a new user namespace, where the kernel allows it.

    Raises:
        NoRoot: a mount namespace was entered, but its file system could not be built; the caller is
            left between two worlds, and must end.
    """
    if not _capable(_CAP_SYS_ADMIN):
        walls.apply("user_namespace", _enter_user_namespace)
    else:
        walls.layers.append(Layer("user_namespace", False, "not needed: starts with privilege"))
    for name, flag in NAMESPACES.items():
        walls.apply(name, lambda flag=flag: _unshare(flag))  # type: ignore[misc]
    if walls.has("mount_namespace"):
        try:
            _build_root(enclosure)
        except OSError as error:
            raise NoRoot(str(error)) from None


def _capable(capability: int) -> bool:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def _unshare(flag: int) -> str:
    _check(_libc.unshare(flag), "unshare")
    return "its own"


def _enter_user_namespace() -> str:
    uid, gid = os.geteuid(), os.getegid()
    _unshare(_CLONE_NEWUSER)
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as table:
            table.write(line)
    return f"user {uid} alone is mapped"


def _build_root(enclosure: Enclosure) -> None:
    """Makes `enclosure.directory` the root: visible paths read-only, /dev, and SCRATCH to write."""
    root = enclosure.directory
    os.umask(0o022)  # programs have another user, who reads what is made here
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("cotmill", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=755,size=1m,nr_inodes=1k")
    for path in links_and_targets(enclosure.visible):
        inside = root + path
        os.makedirs(os.path.dirname(inside), mode=0o755, exist_ok=True)
        if os.path.islink(path):
            os.symlink(os.readlink(path), inside)
            continue
        if os.path.isdir(path):
            os.makedirs(inside, mode=0o755, exist_ok=True)
        else:
            os.close(os.open(inside, os.O_CREAT | os.O_WRONLY, 0o644))
        _mount(path, inside, "", _MS_BIND | _MS_REC)
        _set_mount_attributes(
            inside, _MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV, _AT_RECURSIVE
        )
    os.mkdir(root + "/dev", 0o755)
    for name in DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o644))
        _mount(f"/dev/{name}", f"{root}/dev/{name}", "", _MS_BIND)
    os.symlink(SCRATCH, root + "/dev/shm")  # POSIX semaphores and shared memory: wiped with it
    if not os.path.lexists(root + "/tmp"):  # it is there where Python itself lives below /tmp
        os.symlink(SCRATCH, root + "/tmp")
    os.mkdir(root + SCRATCH, 0o755)
    size = scratch_mb(enclosure.limits["file_mb"])
    _mount(
        "scratch",
        root + SCRATCH,
        "tmpfs",
        _MS_NOSUID | _MS_NODEV | _MS_NOEXEC,
        f"mode=1777,size={size}m,nr_inodes={SCRATCH_INODES}",
    )
    os.chdir(root)
    _syscall(_PIVOT_ROOT, "pivot_root", b".", b".")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")
    _set_mount_attributes("/", _MOUNT_ATTR_RDONLY, 0)


def scratch_mb(file_mb: int) -> int:
    """Size of the scratch folder, MiB: room for some files of the largest size allowed."""
    return max(16, 4 * file_mb)


def links_and_targets(paths: Iterable[str]) -> list[str]:
    """Returns the paths that exist, outermost first, with what their symbolic links lead to."""
    found: set[str] = set()
    for path in paths:
        if os.path.exists(path):
            folder, name = os.path.split(path)
            found |= {path, os.path.realpath(path), os.path.join(os.path.realpath(folder), name)}
            found |= {str(above) for above in Path(path).parents if above.is_symlink()}
    # a path below one that is shown already would be mounted twice
    ordered = sorted(found)
    shown = [path for path in ordered if not os.path.islink(path)]
    return [
        path
        for path in ordered
        if not any(path != other and path.startswith(other + "/") for other in shown)
        and os.path.realpath(os.path.dirname(path)) == os.path.dirname(path)
    ]


def _set_mount_attributes(path: str, attributes: int, flags: int) -> None:
    packed = struct.pack("QQQQ", attributes, 0, 0, 0)
    _syscall(
        _MOUNT_SETATTR,
        "mount_setattr (Linux 5.12)",
        ctypes.c_int(_AT_FDCWD),
        path.encode(),
        ctypes.c_uint(flags),
        packed,
        ctypes.c_size_t(len(packed)),
    )


def give_up_privilege(walls: Walls, enclosure: Enclosure, scratch: str, number: int) -> None:
    """Drops user, capabilities and every later chance of them, then closes the filters.

    Args:
        scratch: the folder that stays writable.
        number: unlike that of any other slot on this machine; its user is numbered by it.

    Raises:
        OSError: a step that must not fail did; the slot must not serve.
    """
    os.umask(0o077)
    walls.apply("dropped_uid", lambda: _drop_uid(walls, enclosure, scratch, number))
    walls.apply("dropped_capabilities", _drop_capabilities)
    _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE")
    walls.apply("resource_limits", lambda: _limit(walls.mapped_bytes, enclosure.limits))
    walls.apply("process_limit", lambda: _limit_processes(walls, enclosure.limits["processes"]))
    walls.apply("no_new_privs", _no_new_privs)
    walls.apply("landlock", lambda: _landlock(enclosure.visible, scratch))
    walls.apply("seccomp", lambda: _filter_calls(enclosure.sessions))


def _drop_uid(walls: Walls, enclosure: Enclosure, scratch: str, number: int) -> str:
    if os.geteuid() != 0 or walls.has("user_namespace"):
        raise Unavailable(f"runs as user {os.geteuid()}, who has no other to change to")
    if not walls.has("mount_namespace"):
        for path in enclosure.visible:
            if os.path.exists(path) and not _others_reach(path):
                raise Unavailable(f"another user could not read {path}")
    _shrink_bounding_set()  # needs the capability that the change of user takes away
    os.setgroups([])
    for uid in (_FIRST_UID + number, _NOBODY):
        try:
            os.chown(scratch, uid, uid)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        except OSError:  # a container that maps few users; its nobody is shared, but no less poor
            continue
        return f"user {uid}"
    raise Unavailable("no other user can be changed to")


def _others_reach(path: str) -> bool:
    path = os.path.realpath(path)
    if not os.stat(path).st_mode & 0o004:
        return False
    while (path := os.path.dirname(path)) != "/":
        if not os.stat(path).st_mode & 0o001:
            return False
    return True


def _shrink_bounding_set() -> None:
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            return  # past the last one, or not allowed to: then no_new_privs makes it moot


def _drop_capabilities() -> str:
    _shrink_bounding_set()
    header = struct.pack("Ii", 0x20080522, 0)  # version 3, this process
    _syscall(_CAPSET, "capset", header, bytes(24))
    return "none left"


def _no_new_privs() -> str:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    return "inherited by every program"


# rights of Landlock's first version and those that later ones added, by the version
_LANDLOCK_FILE_RIGHTS = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
_LANDLOCK_READ = 0x4 | 0x8  # files, folders
_LANDLOCK_DEVICE = 0x2 | 0x4
_LANDLOCK_NO_SPECIAL = ~(0x1 | 0x40 | 0x800)  # no execution, character or block devices
_LANDLOCK_TCP = 0x1 | 0x2
_LANDLOCK_SCOPES = 0x1 | 0x2  # abstract sockets and signals stay inside


def _landlock(visible: Iterable[str], scratch: str) -> str:
    version = _syscall(_LANDLOCK_CREATE, "Landlock", None, ctypes.c_size_t(0), ctypes.c_uint(1))
    handled = _LANDLOCK_FILE_RIGHTS[min(version, max(_LANDLOCK_FILE_RIGHTS))]
    attributes = struct.pack(
        "QQQ",
        handled,
        _LANDLOCK_TCP if version >= 4 else 0,
        _LANDLOCK_SCOPES if version >= 6 else 0,
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _syscall(
        _LANDLOCK_CREATE, "Landlock ruleset", attributes, ctypes.c_size_t(size), ctypes.c_uint(0)
    )
    try:
        for path in visible:
            _allow_beneath(ruleset, path, _LANDLOCK_READ)
        for device in DEVICES:
            _allow_beneath(ruleset, f"/dev/{device}", _LANDLOCK_DEVICE)
        _allow_beneath(ruleset, scratch, handled & _LANDLOCK_NO_SPECIAL)
        _syscall(
            _LANDLOCK_RESTRICT, "Landlock restriction", ctypes.c_int(ruleset), ctypes.c_uint(0)
        )
    finally:
        os.close(ruleset)
    return f"version {version}"


def _allow_beneath(ruleset: int, path: str, rights: int) -> None:
    try:
        folder = os.open(path, os.O_PATH)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= 0x8 ^ 0xFFFF  # reading a folder is no right over a file
        rule = struct.pack("=Qi", rights, folder)
        _syscall(
            _LANDLOCK_ADD,
            f"Landlock rule for {path}",
            ctypes.c_int(ruleset),
            ctypes.c_int(1),
            rule,
            ctypes.c_uint(0),
        )
    finally:
        os.close(folder)


def _limit(mapped_bytes: int, limits: dict[str, int]) -> str:
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_STACK, _STACK_BYTES),
        (resource.RLIMIT_FSIZE, limits["file_mb"] << 20),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        # what the interpreter maps already is not charged to the program
        (resource.RLIMIT_AS, mapped_bytes + (limits["memory_mb"] << 20)),
    ):
        resource.setrlimit(which, (value, value))
    return "address space, file size, open files, core, stack; CPU time for each program"


def _limit_processes(walls: Walls, processes: int) -> str:
    if os.geteuid() == 0:
        raise Unavailable("the kernel does not limit root's processes")
    counted = 1  # the slot's own
    if not walls.has("user_namespace") and not walls.has("dropped_uid"):
        counted = _tasks_of(os.geteuid())
    limit = counted + processes
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
    if counted > 1:
        return f"beside the {counted} that user {os.geteuid()} has: no namespace counts apart"
    return f"{processes} processes and threads"


def _tasks_of(uid: int) -> int:
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{entry.name}/task"))
        except OSError:  # gone meanwhile
            continue
    return count


def _filter_calls(sessions: bool) -> str:
    machine = platform.machine()
    seccomp.install(_libc, seccomp.program_filter(machine, sessions))
    return f"allowlist for {machine}"


def confine_to_group(pid: int) -> None:
    """Keeps this process, `pid`, in its process group, and its signals to itself and the group.

    For programs without a PID namespace of their own, which could otherwise leave the group that
    they are ended by, or signal others of the same user.
    """
    seccomp.install(_libc, seccomp.group_filter(platform.machine(), pid))


def adopt_orphans() -> None:
    """Makes the caller the parent of every descendant whose own parent ended."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER")
