"""The filters decide as written, on both architectures: run here by a small BPF interpreter."""

from __future__ import annotations

import struct

import pytest

from transforms.sandbox.seccomp import NUMBERS, Unsupported, group_filter, program_filter

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def decide(code: bytes, machine: str, name: str | int, *arguments: int) -> int:
    """Returns the filter's verdict on a system call."""
    column, architecture = ARCHITECTURES[machine]
    number = name if isinstance(name, int) else NUMBERS[name][column]
    values = [argument & (1 << 64) - 1 for argument in arguments]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *values, *[0] * (6 - len(values)))
    instructions = list(struct.iter_unpack("HBBI", code))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, value = instructions[at]
        at += 1
        if operation == 0x06:
            return value
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
            continue
        holds = {
            0x15: accumulator == value,
            0x35: accumulator >= value,
            0x45: bool(accumulator & value),
        }[operation]
        at += if_true if holds else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("read", (), ALLOW),
        ("socketpair", (), ALLOW),
        ("clone", (0x01200011,), ALLOW),
        ("clone", (0x003D0F00,), ALLOW),
        ("clone", (0x10000000,), EPERM),
        ("clone", (0x8011,), EPERM),
        ("clone3", (), ENOSYS),
        ("prctl", (15,), ALLOW),
        ("prctl", (4,), EPERM),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), EPERM),
        ("prlimit64", (0,), ALLOW),
        ("prlimit64", (1,), EPERM),
        (9999, (), EPERM),
    ],
)
def test_the_program_filter_decides_as_written(machine, name, arguments, verdict):
    assert decide(program_filter(machine), machine, name, *arguments) == verdict


REFUSED_CALLS = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "connect": (42, 203),
    "ptrace": (101, 117),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "memfd_create": (319, 279),
    "io_uring_setup": (425, 425),
    "process_vm_readv": (310, 270),
    "pidfd_getfd": (438, 438),
    "keyctl": (250, 219),
    "shmget": (29, 194),
    "userfaultfd": (323, 282),
}


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("name", REFUSED_CALLS)
def test_dangerous_calls_are_refused(machine, name):
    number = REFUSED_CALLS[name][ARCHITECTURES[machine][0]]
    assert decide(program_filter(machine), machine, number) == EPERM


def test_calls_of_another_architecture_end_the_process():
    assert decide(program_filter("x86_64"), "aarch64", "read") == KILL
    assert decide(program_filter("x86_64"), "x86_64", 0x40000000) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("kill", (77, 9), ALLOW),
        ("kill", (0, 9), ALLOW),
        ("kill", (1, 9), EPERM),
        ("kill", (-1, 9), EPERM),
        ("tgkill", (77, 78, 9), ALLOW),
        ("tgkill", (1, 1, 9), EPERM),
        ("setsid", (), EPERM),
        ("setpgid", (), EPERM),
        ("read", (), ALLOW),
    ],
)
def test_the_group_filter_keeps_signals_in_the_group(machine, name, arguments, verdict):
    assert decide(group_filter(machine, 77), machine, name, *arguments) == verdict


def test_a_machine_without_a_table_is_named():
    with pytest.raises(Unsupported, match="riscv64"):
        program_filter("riscv64")
