"""The sandbox's processes as the host sees them: templates, and slots that run programs."""

from __future__ import annotations

import base64
import io
import json
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from transforms.engine.errors import SandboxError
from transforms.sandbox.cgroups import SlotGroup
from transforms.sandbox.claims import Memory, Reason, Seen
from transforms.sandbox.isolation import Layer
from transforms.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class Tier:
    """A set of modules that a template preloads: the more, the dearer each fork."""

    name: str
    preload: tuple[str, ...]
    named: tuple[str, ...]
    """A program whose text holds one of these words runs from here."""


# fmt: off
_STANDARD_LIBRARY = (
    "bisect", "calendar", "cmath", "collections", "copy", "csv", "dataclasses", "datetime",
    "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "io", "itertools", "json",
    "math", "numbers", "operator", "random", "re", "statistics", "string", "tempfile", "textwrap",
    "time", "typing", "unicodedata", "uuid",
)
# fmt: on
_NUMPY = ("numpy", "numpy.random", "numpy.linalg", "numpy.fft", "numpy.polynomial")

TIERS = (
    Tier("verify", (*_STANDARD_LIBRARY, "sympy", "math_verify"), ("math_verify",)),
    Tier("cad", (*_STANDARD_LIBRARY, "cadquery"), ("cadquery",)),
    Tier("llvm", (*_STANDARD_LIBRARY, "llvmlite.binding"), ("llvmlite",)),
    Tier("pytest", (*_STANDARD_LIBRARY, "pytest", "unittest.mock"), ("pytest",)),
    Tier("sympy", (*_STANDARD_LIBRARY, *_NUMPY, "sympy"), ("sympy",)),
    Tier("units", (*_STANDARD_LIBRARY, *_NUMPY, "pint"), ("pint",)),
    Tier("numpy", (*_STANDARD_LIBRARY, *_NUMPY), ("numpy", "scipy", "pandas")),
    Tier("standard", (*_STANDARD_LIBRARY,), ("",)),
)
"""In the order they are tried; the last takes everything."""


def tier_of(code: str) -> Tier:
    return next(tier for tier in TIERS if any(word in code for word in tier.named))


class Kind(NamedTuple):
    """What a slot's template has preloaded, and under which of the two hash seeds and clocks."""

    tier: Tier
    hash_seed: int


def kind_of(code: str, seed: int) -> Kind:
    return Kind(tier_of(code), seed % _HASH_SEEDS)


_NEEDS = {
    "process limits": ("process_limit", "cgroup"),
    "network isolation": ("network_namespace", "seccomp"),
    "file isolation": ("mount_namespace", "landlock"),
    "no_new_privs": ("no_new_privs",),
    "seccomp": ("seccomp",),
}
"""Each need is met by any one of its layers."""
_NEEDED = {"strict": tuple(_NEEDS), "auto": ("file isolation",), "none": ()}
"""What each mode refuses to start without."""
WAYS_OUT = {
    "strict": "sandbox=auto needs file isolation alone (see cotmill sandbox status)",
    "auto": "programs could read this user's files, and what they read can be published: use a "
    "kernel with Landlock (5.13) or user namespaces, or sandbox=none to run them all the same",
}

_ZYGOTE = str(Path(__file__).with_name("zygote.py"))
_HASH_SEEDS = 2
_START_SECONDS = 300
"""Longest time for a template to import its modules, or a zygote to shut itself in."""
_GRACE_SECONDS = 10
"""How far past its programs' wall limits a zygote may be before it is ended itself."""

_LIMITS = {
    "wall_seconds",
    "cpu_seconds",
    "memory_mb",
    "output_kb",
    "file_mb",
    "open_files",
    "processes",
}
"""Settings that a zygote holds programs to."""

AHEAD_BYTES = 1 << 16
"""What a socket holds of a request that its zygote does not read yet, at the least."""
_LENGTH = struct.Struct("!I")
_REPLY = struct.Struct("!BidddIII")
"""Of an answer: as supervisor.py has it."""
_REASONS = (None, Reason.WALL, Reason.CPU, Reason.OUTPUT, Reason.FILES, Reason.LOST)
LIVES_ON = -1
"""In place of a wait status: the process of a cell stays, as the state that the cell left."""


class ZygoteDied(Exception):
    """The other side of a slot's socket is gone, or does not answer."""


class Slot:
    """A zygote and the socket to it; used by one thread at a time."""

    def __init__(self, connection: socket.socket, pid: int, pidfd: int, patience: float) -> None:
        self.pid = pid
        self.group: SlotGroup | None = None
        """Its control group, where there is one."""
        self._connection, self._pidfd = connection, pidfd
        connection.settimeout(patience)

    def exchange(self, request: bytes) -> Seen:
        """Runs one program or cell and returns what its zygote saw.

        Raises:
            ZygoteDied: no answer.
        """
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        """Asks for a program or cell. Requests are answered in their order.

        Beside one that is not answered yet, only a request of at most `AHEAD_BYTES` may be sent:
        neither side could go on where both wait for the other to read.

        Raises:
            ZygoteDied: it is gone, or does not read.
        """
        try:
            self._connection.sendall(_LENGTH.pack(len(request)) + request)
        except OSError:
            raise ZygoteDied from None

    def receive(self) -> Seen:
        """Returns what the zygote saw of the request that has waited longest.

        Raises:
            ZygoteDied: no answer.
        """
        try:
            # two reads: between any two the thread may have to wait for its turn
            head, pidfds, _, _ = socket.recv_fds(self._connection, _REPLY.size, 1)
            memory = _memory_left(pidfds)
            head += self._read(_REPLY.size - len(head))
            reason, status, wall, cpu, peak_mb, *sizes = _REPLY.unpack(head)
            parts = io.BytesIO(self._read(sum(sizes)))
            stdout, claim, files = (parts.read(size) for size in sizes)
        except (OSError, EOFError):
            raise ZygoteDied from None
        ran_out = self.group is not None and self.group.ran_out()
        return Seen(
            reason=Reason.MEMORY if ran_out and status != LIVES_ON else _REASONS[reason],
            exit_code=None if status == LIVES_ON else os.waitstatus_to_exitcode(status),
            stdout=stdout,
            claim=claim,
            files={
                name: base64.b64decode(text) for name, text in json.loads(files or "{}").items()
            },
            wall=wall,
            cpu=cpu,
            peak_mb=peak_mb,
            memory=memory,
        )

    def memory(self) -> Memory:
        """Returns the memory of the zygote itself."""
        return memory_of(self._pidfd)

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def close(self) -> None:
        """Ends the zygote, and with it everything in its namespaces; returns when it is gone."""
        self._connection.close()
        gone = select.poll()
        gone.register(self._pidfd, select.POLLIN)
        if not gone.poll(1000):
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            gone.poll(_GRACE_SECONDS * 1000)
        os.close(self._pidfd)
        if self.group is not None:
            self.group.close()


def _memory_left(pidfds: list[int]) -> Memory:
    """Returns the memory of the process that a cell left, if any, and closes its descriptor."""
    memory = Memory(0.0, 0.0)
    for pidfd in pidfds:
        memory = memory_of(pidfd)
        os.close(pidfd)
    return memory


def memory_of(pidfd: int) -> Memory:
    """Returns the memory of a process; nothing where it has ended."""
    try:
        pid = int(_read(f"/proc/self/fdinfo/{pidfd}").partition(b"Pid:")[2].split()[0])
        facts = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        faults, resident = int(facts[7]), int(facts[21])
    except (OSError, ValueError, IndexError):
        return Memory(0.0, 0.0)
    page_mb = resource.getpagesize() / 2**20
    return Memory(resident * page_mb, faults * page_mb)


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


class Template:
    """The process that preloads one tier under one hash seed, and forks zygotes on request."""

    def __init__(
        self,
        settings: SandboxSettings,
        kind: Kind,
        without: frozenset[str],
        directory: str,
    ) -> None:
        # a program has its limit once more for other inputs, see Vary
        self._patience = 2 * settings.wall_seconds + _GRACE_SECONDS
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_START_SECONDS)
        config = {
            "preload": kind.tier.preload,
            "shift_clock": kind.hash_seed != 0,
            "limits": settings.model_dump(include=_LIMITS),
            "without": dict.fromkeys(without, "left out"),
            "top": directory,
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed by close)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-s",
                    "-P",
                    "-B",
                    _ZYGOTE,
                    str(theirs.fileno()),
                    json.dumps(config),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                cwd="/",
                env=_environment(kind.hash_seed),
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        self._ready = False

    def start_slot(self, directory: str, snapshots: int) -> tuple[Slot, list[Layer]]:
        """Forks a zygote whose root or scratch is `directory`; returns it and its layers.

        Args:
            snapshots: states of sessions that it may keep at once; 0 starts one for programs.

        Raises:
            SandboxError: the template or the zygote could not start.
        """
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                if not self._ready:
                    self._receive()
                    self._ready = True
                request = {"directory": directory, "snapshots": snapshots}
                socket.send_fds(self._control, [json.dumps(request).encode()], [theirs.fileno()])
                report, pidfds = self._receive()
        except BaseException:
            ours.close()
            raise
        if "error" in report:
            ours.close()
            for pidfd in pidfds:
                os.close(pidfd)
            raise SandboxError(f"the sandbox cannot start a slot: {report['error']}")
        layers = [Layer(**layer) for layer in report["layers"]]
        return Slot(ours, report["pid"], pidfds[0], self._patience), layers

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
        except OSError as error:
            raise SandboxError(f"the sandbox's template does not answer: {error}") from None
        if not message:
            self._process.wait(_GRACE_SECONDS)
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
            said = lines[-1] if lines else f"exit status {self._process.returncode}"
            raise SandboxError(f"the sandbox's template ended: {said}")
        return json.loads(message), descriptors

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._control.close()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def missing(layers: Iterable[Layer], mode: str) -> list[str]:
    """Returns each need of a mode that no layer meets, and why."""
    by_name = {layer.name: layer for layer in layers}
    return [
        f"no {need} ({', '.join(f'{name}: {by_name[name].why}' for name in _NEEDS[need])})"
        for need in _NEEDED[mode]
        if not any(by_name[name].active for name in _NEEDS[need])
    ]


def _environment(hash_seed: int) -> dict[str, str]:
    """Returns the whole environment of a template: nothing of the host's, and all of it fixed."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONIOENCODING": "utf-8:replace",
        # one thread: a process with more cannot be forked safely
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }
