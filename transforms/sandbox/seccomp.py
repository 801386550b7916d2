"""The system calls that a program may make, and the kernel filter that refuses the others.

An allowlist: whatever it does not name fails with EPERM, which Python raises as PermissionError.
The filter is classic BPF, assembled here once and inherited by every program; see seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import struct

# fmt: off
NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "access": (21, None), "alarm": (37, None), "arch_prctl": (158, None), "brk": (12, 214),
    "chdir": (80, 49), "chmod": (90, None), "clock_getres": (229, 114),
    "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "clone": (56, 220),
    "clone3": (435, 435), "close": (3, 57), "close_range": (436, 436),
    "copy_file_range": (326, 285), "creat": (85, None), "dup": (32, 23), "dup2": (33, None),
    "dup3": (292, 24), "epoll_create": (213, None), "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21), "epoll_pwait": (281, 22), "epoll_wait": (232, None),
    "eventfd": (284, None), "eventfd2": (290, 19), "exit": (60, 93), "exit_group": (231, 94),
    "faccessat": (269, 48), "faccessat2": (439, 439), "fadvise64": (221, 223),
    "fallocate": (285, 47), "fchdir": (81, 50), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fcntl": (72, 25), "fdatasync": (75, 83), "flock": (73, 32), "fork": (57, None),
    "fstat": (5, 80), "fstatfs": (138, 44), "fsync": (74, 82), "ftruncate": (77, 46),
    "futex": (202, 98), "futimesat": (261, None), "get_robust_list": (274, 100),
    "getcpu": (309, 168), "getcwd": (79, 17), "getdents": (78, None), "getdents64": (217, 61),
    "getegid": (108, 177), "geteuid": (107, 175), "getgid": (104, 176), "getgroups": (115, 158),
    "getitimer": (36, 102), "getpeername": (52, 205), "getpgid": (121, 155),
    "getpgrp": (111, None), "getpid": (39, 172), "getppid": (110, 173),
    "getpriority": (140, 141), "getrandom": (318, 278), "getresgid": (120, 150),
    "getresuid": (118, 148), "getrlimit": (97, 163), "getrusage": (98, 165),
    "getsid": (124, 156), "getsockname": (51, 204), "getsockopt": (55, 209),
    "gettid": (186, 178), "gettimeofday": (96, 169), "getuid": (102, 174), "ioctl": (16, 29),
    "kill": (62, 129), "link": (86, None), "linkat": (265, 37), "lseek": (8, 62),
    "lstat": (6, None), "madvise": (28, 233), "membarrier": (324, 283), "mincore": (27, 232),
    "mkdir": (83, None), "mkdirat": (258, 34), "mmap": (9, 222), "mprotect": (10, 226),
    "mremap": (25, 216), "msync": (26, 227), "munmap": (11, 215), "nanosleep": (35, 101),
    "newfstatat": (262, None), "open": (2, None), "openat": (257, 56), "pause": (34, None),
    "pidfd_open": (434, 434), "pipe": (22, None), "pipe2": (293, 59), "poll": (7, None),
    "ppoll": (271, 73), "prctl": (157, 167), "pread64": (17, 67), "preadv": (295, 69),
    "prlimit64": (302, 261), "pselect6": (270, 72), "pwrite64": (18, 68), "pwritev": (296, 70),
    "read": (0, 63), "readlink": (89, None), "readlinkat": (267, 78), "readv": (19, 65),
    "recvfrom": (45, 207), "recvmsg": (47, 212), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "restart_syscall": (219, 128), "rmdir": (84, None),
    "rseq": (334, 293), "rt_sigaction": (13, 134), "rt_sigpending": (127, 136),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "sched_getaffinity": (204, 123),
    "sched_getparam": (143, 121), "sched_getscheduler": (145, 120),
    "sched_setaffinity": (203, 122), "sched_yield": (24, 124), "select": (23, None),
    "sendfile": (40, 71), "sendmsg": (46, 211), "sendto": (44, 206),
    "set_robust_list": (273, 99), "set_tid_address": (218, 96), "setitimer": (38, 103),
    "setpgid": (109, 154), "setsid": (112, 157), "setsockopt": (54, 208), "shutdown": (48, 210),
    "sigaltstack": (131, 132), "signalfd4": (289, 74), "socketpair": (53, 199),
    "stat": (4, None), "statfs": (137, 43), "statx": (332, 291), "symlink": (88, None),
    "symlinkat": (266, 36), "sysinfo": (99, 179), "tgkill": (234, 131), "time": (201, None),
    "timer_create": (222, 107), "timer_delete": (226, 111), "timer_getoverrun": (225, 109),
    "timer_gettime": (224, 108), "timer_settime": (223, 110), "timerfd_create": (283, 85),
    "timerfd_gettime": (287, 87), "timerfd_settime": (286, 86), "times": (100, 153),
    "tkill": (200, 130), "truncate": (76, 45), "umask": (95, 166), "uname": (63, 160),
    "unlink": (87, None), "unlinkat": (263, 35), "utime": (132, None), "utimensat": (280, 88),
    "utimes": (235, None), "vfork": (58, None), "wait4": (61, 260), "waitid": (247, 95),
    "write": (1, 64), "writev": (20, 66),
}
# fmt: on
"""Name -> number on x86-64 and on aarch64 (None: the call does not exist there).

Not in it, among others: execve, socket and all that connects, mount, ptrace, process_vm_*, bpf,
keyrings, System V IPC, memfd_create (its memory would escape the scratch folder's size), io_uring,
userfaultfd, perf, module and time setting calls.
"""

CLONE_PARENT = 0x00008000
"""Makes a child that is the supervisor's own; states of sessions fork so."""
_NEW_NAMESPACES = 0x7E020000
# GET_DUMPABLE, SET_NAME, GET_NAME, SET_VMA; SET_SECCOMP, which can only take more away
_PRCTL_ALLOWED = (3, 15, 16, 0x53564D41, 22)
_IOCTL_ALLOWED = (
    0x5401,  # TCGETS: isatty
    0x5413,  # TIOCGWINSZ
    0x541B,  # FIONREAD
    0x5421,  # FIONBIO
    0x5450,  # FIONCLEX
    0x5451,  # FIOCLEX
)

_KILL_PROCESS, _ERRNO, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_EPERM = _ERRNO | errno.EPERM
_ENOSYS = _ERRNO | errno.ENOSYS
_LOAD, _JUMP_EQUAL, _JUMP_GREATER_EQUAL, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

Instruction = tuple[int, int, int, int]


class Unsupported(Exception):
    """This machine has no table here."""


def program_filter(machine: str, sessions: bool = False) -> bytes:
    """Returns the filter for programs on `machine` as an array of BPF instructions.

    Args:
        sessions: whether children may be the supervisor's own, as the states of sessions are.

    Raises:
        Unsupported: no table for `machine`.
    """
    column, architecture = _machine(machine)
    code = _prologue(architecture, column)
    checked = {
        # libc falls back to clone, whose flags a filter can read
        "clone3": [(_RETURN, 0, 0, _ENOSYS)],
        "clone": [
            _load_argument(0),
            (_JUMP_SET, 1, 0, _NEW_NAMESPACES | (0 if sessions else CLONE_PARENT)),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _EPERM),
        ],
        "prctl": _allow_values(0, _PRCTL_ALLOWED),
        "ioctl": _allow_values(1, _IOCTL_ALLOWED),
        # of itself only: process 0
        "prlimit64": _allow_values(0, (0,)),
        "sched_setaffinity": _allow_values(0, (0,)),
    }
    for name in sorted(NUMBERS):
        number = NUMBERS[name][column]
        if number is not None:
            code += _when(number, checked.get(name, [(_RETURN, 0, 0, _ALLOW)]))
    code.append((_RETURN, 0, 0, _EPERM))
    return _assemble(code)


def group_filter(machine: str, pid: int) -> bytes:
    """Returns the filter that keeps `pid` in its process group and its signals in the group.

    Raises:
        Unsupported: no table for `machine`.
    """
    column, architecture = _machine(machine)
    code = _prologue(architecture, column)
    refused = [(_RETURN, 0, 0, _EPERM)]
    for name, then in (
        ("setsid", refused),
        ("setpgid", refused),
        ("kill", _allow_values(0, (pid, 0))),
        ("tgkill", _allow_values(0, (pid,))),
        ("tkill", _allow_values(0, (pid,))),
    ):
        number = NUMBERS[name][column]
        assert number is not None
        code += _when(number, then)
    code.append((_RETURN, 0, 0, _ALLOW))
    return _assemble(code)


def install(libc: ctypes.CDLL, instructions: bytes) -> None:
    """Puts the filter on this process for good; needs no_new_privs.

    Raises:
        OSError: the kernel refuses it.
    """
    pr_set_seccomp, mode_filter = 22, 2
    code = ctypes.create_string_buffer(instructions, len(instructions))
    header = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(code))
    if libc.prctl(pr_set_seccomp, mode_filter, ctypes.c_char_p(header), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {errno.errorcode.get(number, number)}")


def _machine(machine: str) -> tuple[int, int]:
    try:
        return _MACHINES[machine]
    except KeyError:
        raise Unsupported(f"no system call table for {machine}") from None


def _prologue(architecture: int, column: int) -> list[Instruction]:
    code = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_JUMP_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if column == _MACHINES["x86_64"][0]:  # the x32 calls have the same architecture, other numbers
        code += [(_JUMP_GREATER_EQUAL, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL_PROCESS)]
    return code


def _when(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then` must end in returns: it may overwrite the loaded number."""
    return [(_JUMP_EQUAL, 0, len(then), number), *then]


def _load_argument(index: int) -> Instruction:
    """Loads the low half of an argument: both architectures are little-endian."""
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _allow_values(index: int, values: tuple[int, ...]) -> list[Instruction]:
    code = [_load_argument(index)]
    for left, value in reversed(list(enumerate(reversed(values)))):
        code.append((_JUMP_EQUAL, left + 1, 0, value))
    return [*code, (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]


def _assemble(code: list[Instruction]) -> bytes:
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)
