"""Runs hostile programs behind walls that the kernel keeps: `with Sandbox(settings) as box`.

A template process preloads what programs import, once, and forks a zygote for each slot. A zygote
shuts itself in (namespaces, Landlock, seccomp, limits: isolation.py) and forks one child a program,
so that a program starts inside walls that already stand, with its modules already imported.

What a program says its `output` is stays its claim: it shares a process with the harness that reads
it, and could assign `output` outright or write the claim itself. Status, times and limits are
decided outside its process, by its zygote and here: a crash, a limit or a timeout cannot be
claimed away. What it claims is compared with anything only outside, and is read as size-capped
strict JSON.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from transforms.errors import SandboxError
from transforms.execution.cgroups import CgroupUnavailable, SlotGroup, find_parent
from transforms.execution.cores import cores_of_process
from transforms.execution.harness import MOVED
from transforms.execution.isolation import Layer, scratch_mb
from transforms.settings import SandboxSettings


class Status(StrEnum):
    """How a program ended: a closed set."""

    OK = "ok"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    RUNTIME_ERROR = "runtime_error"
    SYNTAX_ERROR = "syntax_error"
    BLOCKED = "blocked"
    """It was refused something: a file, process or descriptor limit, or an isolation layer."""
    CRASHED = "crashed"
    """Its process ended without a result: a signal, `os._exit`, a fault in native code."""
    NONDETERMINISTIC = "nondeterministic"
    """Two runs under different seeds gave different outputs; never said of a single run."""


@dataclass(frozen=True)
class Trace:
    """Budgets of a trace; the program runs on untraced once one is spent."""

    events: int = 5_000
    """Lines executed and recorded, at most."""
    bytes: int = 256 << 10
    """Size of recorded names and values, at most."""


@dataclass(frozen=True)
class Vary:
    """Run a program under other inputs in turn, to see which of its keys move its output."""

    inputs: tuple[tuple[str, str], ...]
    """(key that differs, the whole input as a Python literal); once a key has moved the output, its
    other inputs are left out."""
    output: str
    """The output under the program's own input, as JSON."""
    cpu_seconds: float
    """CPU time of one input; all of them together have the sandbox's limit."""
    comparisons: bool = False
    """A key also counts as moving the output where it changes a value that the program compares."""


@dataclass(frozen=True)
class Job:
    """One program to run."""

    code: str
    seed: int = 0
    """Seeds `random` and the global generators of numpy and sympy; odd ones run under another hash
    seed and another clock than even ones."""
    trace: Trace | None = None
    """Record what its lines do; None runs three to fifty times faster."""
    vary: Vary | None = None
    """Run it under other inputs alone; its result then says which keys moved, and nothing else."""


@dataclass(frozen=True)
class Result:
    """What became of one job."""

    status: Status
    input: str | None
    """The global `input` after the run, as strict JSON; None where undefined or not JSON."""
    output: str | None
    """The global `output` after the run, as strict JSON; None where undefined or not JSON."""
    stdout: str
    error_type: str | None
    """Class of the uncaught exception, or NotJSON where status is ok and a value is not JSON."""
    error: str | None
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    """Peak resident memory, MiB, the preloaded modules' included."""
    trace: str | None = None
    """The program's trace as JSON: lines {number: times executed}, states [[number, {name: repr of
    its new value}]], complete (false where a budget ran out)."""
    moved: frozenset[str] = frozenset()
    """The keys that moved the output of a job with `vary`: the program's claim, as all of this."""


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
    Tier("sympy", (*_STANDARD_LIBRARY, *_NUMPY, "sympy"), ("sympy",)),
    Tier("numpy", (*_STANDARD_LIBRARY, *_NUMPY), ("numpy", "scipy", "pandas")),
    Tier("standard", (*_STANDARD_LIBRARY,), ("",)),
)
"""In the order they are tried; the last takes everything."""


class Reason(StrEnum):
    """The limit for which a zygote ended a program."""

    WALL = "wall"
    CPU = "cpu"
    OUTPUT = "output"
    MEMORY = "memory"
    """The kernel did, for the slot's control group."""


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
_WAYS_OUT = {
    "strict": "sandbox=auto needs file isolation alone (see cotmill sandbox status)",
    "auto": "programs could read this user's files, and what they read can be published: use a "
    "kernel with Landlock (5.13) or user namespaces, or sandbox=none to run them all the same",
}

_ZYGOTE = str(Path(__file__).with_name("zygote.py"))
_HASH_SEEDS = 2
_TRIES = 2
"""Times that a program is run whose zygote dies under it."""
_START_SECONDS = 300
"""Longest time for a template to import its modules, or a zygote to shut itself in."""
_GRACE_SECONDS = 10
"""How far past the wall limit a zygote may be before it is ended itself."""

_GROUP_SPARE_MB = 64
"""What a slot's control group may hold beside the program's memory and files: its zygote."""

_LENGTH = struct.Struct("!I")
_REPLY = struct.Struct("!Biddd")
_REASONS = (None, Reason.WALL, Reason.CPU, Reason.OUTPUT)


class _ZygoteDied(Exception):
    """The other side of a slot's socket is gone, or does not answer."""


class _Slot:
    """A zygote and the socket to it; used by one thread at a time."""

    def __init__(self, connection: socket.socket, pid: int, pidfd: int, patience: float) -> None:
        self.pid = pid
        self.group: SlotGroup | None = None
        """Its control group, where there is one."""
        self._connection, self._pidfd = connection, pidfd
        connection.settimeout(patience)

    def exchange(self, request: bytes) -> dict[str, Any]:
        """Runs one program and returns what its zygote saw, as the arguments of `judge`.

        Raises:
            _ZygoteDied: no answer.
        """
        try:
            self._connection.sendall(_LENGTH.pack(len(request)) + request)
            reason, status, wall, cpu, peak_mb = _REPLY.unpack(self._read(_REPLY.size))
            stdout, claim = self._read_framed(), self._read_framed()
        except (OSError, EOFError):
            raise _ZygoteDied from None
        ran_out = self.group is not None and self.group.ran_out()
        return {
            "reason": Reason.MEMORY if ran_out else _REASONS[reason],
            "exit_code": os.waitstatus_to_exitcode(status),
            "claim": claim,
            "stdout": stdout,
            "wall": wall,
            "cpu": cpu,
            "peak_mb": peak_mb,
        }

    def _read_framed(self) -> bytes:
        return self._read(*_LENGTH.unpack(self._read(_LENGTH.size)))

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


class _Template:
    """The process that preloads one tier under one hash seed, and forks zygotes on request."""

    def __init__(
        self,
        settings: SandboxSettings,
        tier: Tier,
        hash_seed: int,
        without: frozenset[str],
        directory: str,
    ) -> None:
        self._patience = settings.wall_seconds + _GRACE_SECONDS
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(_START_SECONDS)
        config = {
            "preload": tier.preload,
            "shift_clock": hash_seed != 0,
            "limits": settings.model_dump(exclude={"mode", "slots", "determinism"}),
            "without": dict.fromkeys(without, "left out"),
            "directory": directory,
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
                env=_environment(hash_seed),
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        self._ready = False

    def start_slot(self, directory: str) -> tuple[_Slot, list[Layer]]:
        """Forks a zygote whose root or scratch is `directory`; returns it and its layers.

        Raises:
            SandboxError: the template or the zygote could not start.
        """
        ours, theirs = socket.socketpair()
        try:
            with self._lock, theirs:
                if not self._ready:
                    self._receive()
                    self._ready = True
                socket.send_fds(self._control, [directory.encode()], [theirs.fileno()])
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
        return _Slot(ours, report["pid"], pidfds[0], self._patience), layers

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


class Sandbox:
    """Runs programs in the order given, up to `settings.slots` (else one a core) at once.

    Usable from any thread, by several threads at once, and several times in a process. What it
    starts ends with it, and with the host process.

    Args:
        settings: limits and mode.
        without: names of layers left out, to see what the others hold.

    Raises:
        SandboxError: on entering: the operating system is not Linux, the processes cannot start,
            or the kernel does not give what `settings.mode` needs.
    """

    def __init__(self, settings: SandboxSettings, without: frozenset[str] = frozenset()) -> None:
        self._settings, self._without = settings, without
        self.slots = settings.slots or cores_of_process()
        """Programs that run at once."""
        self.layers: tuple[Layer, ...] = ()
        """What stands around each slot; known once the sandbox is entered."""
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        self._templates: dict[tuple[Tier, int], _Template] = {}
        self._idle: defaultdict[tuple[Tier, int], list[_Slot]] = defaultdict(list)
        self._folders = 0

    def __enter__(self) -> Sandbox:
        if sys.platform != "linux":
            raise SandboxError("the sandbox needs Linux: run cotmill in a Linux container")
        self._directory = tempfile.mkdtemp(prefix="cotmill-sandbox-")
        os.chmod(self._directory, 0o711)  # slots without a mount namespace pass through it
        self._threads = ThreadPoolExecutor(self.slots, "sandbox")
        try:
            key = (TIERS[-1], 0)
            self._idle[key].append(self._start_slot(key))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the sandbox once the programs that run have ended; leaves nothing behind."""
        if self._threads is None:
            return
        self._threads.shutdown(cancel_futures=True)
        self._threads = None
        for slots in self._idle.values():
            for slot in slots:
                slot.close()
        self._idle.clear()
        for template in self._templates.values():
            template.close()
        self._templates.clear()
        shutil.rmtree(self._directory, ignore_errors=True)

    def submit(self, job: Job) -> Future[Result]:
        """Has a job run as soon as a slot is free; jobs begin in the order of their submission.

        Raises:
            SandboxError: the sandbox is not open. The future's result raises it where a slot that
                died cannot be replaced.
        """
        if self._threads is None:
            raise SandboxError("the sandbox is not open: use `with Sandbox(settings) as box`")
        return self._threads.submit(self._run_one, job)

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Yields one Result a job, in the order of the jobs, drawing jobs as slots come free.

        Raises:
            SandboxError: as `submit` does, and its futures.
        """
        pending: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                pending.append(self.submit(job))
                if len(pending) >= 4 * self.slots:  # some wait behind one that takes long
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _run_one(self, job: Job) -> Result:
        code = job.code.encode(errors="replace").decode()
        key = (tier_of(code), job.seed % _HASH_SEEDS)
        request = json.dumps(
            {
                "code": code,
                "seed": job.seed,
                "trace": job.trace and asdict(job.trace),
                "vary": job.vary and asdict(job.vary),
            }
        ).encode()
        for _ in range(_TRIES):
            slot = self._take_slot(key)
            try:
                reply = slot.exchange(request)
            except _ZygoteDied:
                slot.close()
                continue
            with self._lock:
                self._idle[key].append(slot)
            if job.vary:
                return _moved_keys(job.vary, **reply)
            return judge(**reply, settings=self._settings)
        return Result(Status.CRASHED, None, None, "", None, "its zygote died, twice", 0.0, 0.0, 0.0)

    def _take_slot(self, key: tuple[Tier, int]) -> _Slot:
        with self._lock:
            if self._idle[key]:
                return self._idle[key].pop()
        return self._start_slot(key)

    def _start_slot(self, key: tuple[Tier, int]) -> _Slot:
        with self._lock:
            template = self._templates.get(key)
            if template is None or not template.alive:
                if template is not None:
                    template.close()
                template = self._templates[key] = _Template(
                    self._settings, *key, self._without, self._directory
                )
            self._folders += 1
            directory = os.path.join(self._directory, str(self._folders))
        os.mkdir(directory)
        slot, layers = template.start_slot(directory)
        layers.append(self._join_group(slot))
        mode = self._settings.mode
        if lacking := missing(layers, mode):
            slot.close()
            raise SandboxError(
                f"sandbox={mode} cannot start: {'; '.join(lacking)}; {_WAYS_OUT[mode]}"
            )
        self.layers = tuple(layers)
        return slot

    def _join_group(self, slot: _Slot) -> Layer:
        """Puts the slot's zygote into a control group of its own, where one can be made."""
        if "cgroup" in self._without:
            return Layer("cgroup", False, "left out")
        settings = self._settings
        memory_mb = settings.memory_mb + _GROUP_SPARE_MB + scratch_mb(settings.file_mb)
        try:
            slot.group = SlotGroup(
                find_parent(),
                f"cotmill-{slot.pid}",
                slot.pid,
                memory_bytes=memory_mb << 20,
                processes=settings.processes + 1,
            )
        except CgroupUnavailable as error:
            return Layer("cgroup", False, str(error))
        return Layer("cgroup", True, f"{memory_mb} MiB in all of a program's processes")


def describe(settings: SandboxSettings) -> list[Layer]:
    """Starts one slot and returns what stands around it, a row a layer."""
    with Sandbox(settings.model_copy(update={"mode": "none", "slots": 1})) as box:
        return list(box.layers)


def missing(layers: Iterable[Layer], mode: str) -> list[str]:
    """Returns each need of a mode that no layer meets, and why."""
    by_name = {layer.name: layer for layer in layers}
    return [
        f"no {need} ({', '.join(f'{name}: {by_name[name].why}' for name in _NEEDS[need])})"
        for need in _NEEDED[mode]
        if not any(by_name[name].active for name in _NEEDS[need])
    ]


def tier_of(code: str) -> Tier:
    return next(tier for tier in TIERS if any(word in code for word in tier.named))


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


def _moved_keys(vary: Vary, *, claim: bytes, wall: float, cpu: float, **reply: Any) -> Result:
    marks = zip(vary.inputs, claim, strict=False)
    moved = frozenset(key for (key, _), mark in marks if mark == MOVED[0])
    peak_mb = reply["peak_mb"]
    return Result(Status.OK, None, None, "", None, None, wall, cpu, peak_mb, moved=moved)


_CLAIMABLE = frozenset(
    {
        Status.OK,
        Status.MEMORY_LIMIT,
        Status.OUTPUT_LIMIT,
        Status.RUNTIME_ERROR,
        Status.SYNTAX_ERROR,
        Status.BLOCKED,
    }
)

_ERROR_CHARS = 2_000
_CLAIM_FIELDS = ("input", "output", "error_type", "error", "trace")


def judge(
    *,
    reason: Reason | None,
    exit_code: int,
    claim: bytes,
    stdout: bytes,
    wall: float,
    cpu: float,
    peak_mb: float,
    settings: SandboxSettings,
) -> Result:
    """Turns what was seen from outside, and the program's claim, into its Result.

    Args:
        reason: why the program was ended from outside; None where it ended by itself.
        exit_code: as `os.waitstatus_to_exitcode` gives it: negative is a signal.
        claim: what came over the result channel: untrusted bytes.
        wall, cpu: seconds.
    """

    def result(status: Status, error: str | None = None, **values: Any) -> Result:
        return Result(
            status=status,
            input=values.get("input"),
            output=values.get("output"),
            stdout=stdout.decode(errors="replace"),
            error_type=values.get("error_type"),
            error=error,
            wall_seconds=wall,
            cpu_seconds=cpu,
            peak_mb=peak_mb,
            trace=values.get("trace"),
        )

    if reason is Reason.WALL:
        return result(Status.TIMEOUT, f"over {settings.wall_seconds:g} s of wall time")
    # the kernel's own CPU limit, a second later, is for a zygote that came too late
    killed = exit_code in (-signal.SIGKILL, -signal.SIGXCPU) and cpu >= settings.cpu_seconds
    if reason is Reason.CPU or (reason is None and killed):
        return result(Status.TIMEOUT, f"over {settings.cpu_seconds} s of CPU time")
    if reason is Reason.MEMORY:
        return result(Status.MEMORY_LIMIT, f"over {settings.memory_mb} MiB in all of its processes")
    if reason is Reason.OUTPUT:
        return result(Status.OUTPUT_LIMIT, f"wrote over {settings.output_kb} KiB")
    if exit_code == -signal.SIGSYS:
        return result(Status.BLOCKED, "made a system call that is not allowed")
    if exit_code < 0:
        return result(Status.CRASHED, f"ended by signal {-exit_code}")
    said = _read_claim(claim)
    if exit_code != 0 or said is None:
        return result(Status.CRASHED, f"ended without a result, exit status {exit_code}")
    for name in ("input", "output"):
        if len((said[name] or "").encode()) > settings.output_kb << 10:  # a claim of its own making
            return result(Status.OUTPUT_LIMIT, f"{name} is over {settings.output_kb} KiB")
    return result(said.pop("status"), said.pop("error"), **said)


def _read_claim(data: bytes) -> dict[str, Any] | None:
    """Returns the fields of a well-formed claim, else None: strict JSON, known types only."""
    try:
        said = json.loads(data)
        status = Status(said["status"])
        fields = {name: said.get(name) for name in _CLAIM_FIELDS}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if status not in _CLAIMABLE:
        return None
    for name, value in fields.items():
        if value is None:
            continue
        if not isinstance(value, str) or not _encodable(value):
            return None
        if name in ("input", "output", "trace") and not _is_strict_json(value):
            return None
    for name in ("error_type", "error"):
        fields[name] = fields[name] and fields[name][:_ERROR_CHARS]
    if status is not Status.OK:
        fields["input"] = fields["output"] = None  # a failed run has none, whatever it claims
    return {"status": status, **fields}


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_strict_json(text: str) -> bool:
    """Whether `text` is JSON that any reader takes; numbers, which may be long, stay text."""
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    # an escaped lone surrogate parses, but the string it gives cannot be written anywhere
    return not re.search(r"\\ud", text, re.IGNORECASE) or _encodable(
        json.dumps(value, ensure_ascii=False)
    )
