"""Runs hostile programs under limits that the kernel enforces: `with Sandbox(settings) as box`.

This form starts a fresh interpreter in its own process group for each program, under rlimits, with
a scrubbed environment and a scratch folder of its own. It does not isolate network or files.

What a program says its `output` is stays its claim: it shares a process with the harness that reads
it. Status, times and limits are decided out here.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from transforms.errors import SandboxError
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
class Job:
    """One program to run."""

    code: str
    seed: int = 0
    """Chooses the hash seed and seeds `random` and numpy's global generator."""


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
    """Peak resident memory, MiB."""


_HARNESS = str(Path(__file__).with_name("harness.py"))
_ENVELOPE_BYTES = 16 << 10
"""What the claim may take beside the program's own values: status, error message."""


class Sandbox:
    """Runs programs in the order given, up to `settings.slots` (else one a core) at once.

    Usable from any thread, by several threads at once, and several times in a process.

    Raises:
        SandboxError: `settings.mode` is strict, which this form cannot satisfy, or the operating
            system is not Linux.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self.slots = settings.slots or os.cpu_count() or 1
        """Programs that run at once."""
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Sandbox:
        if sys.platform != "linux":
            raise SandboxError("the sandbox needs Linux: run cotmill in a Linux container")
        if self._settings.mode == "strict":
            raise SandboxError(
                "sandbox=strict cannot start: network isolation, file isolation, no_new_privs and "
                "seccomp are missing; use sandbox=auto on a machine that holds nothing of value"
            )
        self._threads = ThreadPoolExecutor(self.slots, "sandbox")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the sandbox once the programs that run have ended."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None

    def run(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Yields one Result a job, in the order of the jobs, drawing jobs as slots come free."""
        if self._threads is None:
            raise SandboxError("the sandbox is not open: use `with Sandbox(settings) as box`")
        pending: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                pending.append(self._threads.submit(self._run_one, job))
                if len(pending) >= 2 * self.slots:  # one waits behind each that runs
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _run_one(self, job: Job) -> Result:
        settings = self._settings
        result_read, result_write = os.pipe()
        with (
            tempfile.TemporaryDirectory(prefix="cotmill-", ignore_cleanup_errors=True) as scratch,
            tempfile.TemporaryFile() as request,
            open(result_read, "rb", buffering=0) as result,
        ):
            try:
                message = {
                    "code": job.code.encode(errors="replace").decode(),
                    "seed": job.seed,
                    "limits": settings.model_dump(
                        include={
                            "cpu_seconds",
                            "memory_mb",
                            "output_kb",
                            "file_mb",
                            "open_files",
                            "processes",
                        }
                    ),
                    "result_fd": result_write,
                }
                request.write(json.dumps(message).encode())
                request.seek(0)
                started = time.monotonic()
                process = subprocess.Popen(
                    [sys.executable, "-s", "-P", "-B", _HARNESS],
                    stdin=request,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    bufsize=0,
                    cwd=scratch,
                    env=_environment(job.seed, scratch),
                    start_new_session=True,
                    pass_fds=(result_write,),
                )
            finally:
                os.close(result_write)
            assert process.stdout is not None
            with process.stdout:
                return _watch(process, process.stdout.fileno(), result.fileno(), started, settings)


def _environment(seed: int, scratch: str) -> dict[str, str]:
    """Returns the program's whole environment: nothing of the host's."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": str(seed % 2**32),
        "PYTHONIOENCODING": "utf-8:replace",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _watch(
    process: subprocess.Popen[bytes],
    stdout: int,
    result: int,
    started: float,
    settings: SandboxSettings,
) -> Result:
    """Reads what the program writes until it ends or passes a limit, ends it, and judges it."""
    stdout_cap = settings.output_kb << 10
    # json.dumps may write one character of a value as six
    caps = {stdout: stdout_cap, result: 12 * stdout_cap + _ENVELOPE_BYTES}
    read = {stdout: bytearray(), result: bytearray()}
    deadline = started + settings.wall_seconds
    reason: Status | None = None
    pidfd = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            for descriptor in (stdout, result, pidfd):
                selector.register(descriptor, selectors.EVENT_READ)
            ended = False
            while reason is None and not ended:
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready and time.monotonic() >= deadline:
                    reason = Status.TIMEOUT
                for key, _ in ready:
                    if key.fd == pidfd:
                        ended = True
                    elif not _take(key.fd, read[key.fd]):
                        selector.unregister(key.fd)
                    elif len(read[key.fd]) > caps[key.fd]:
                        reason = Status.OUTPUT_LIMIT
        # the leader is not reaped yet, so its group's number cannot be another's
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:  # killed in the moment between fork and setsid
            process.kill()
    finally:
        os.close(pidfd)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    wall = time.monotonic() - started
    if reason is None:
        for descriptor in (stdout, result):
            os.set_blocking(descriptor, False)
            while len(read[descriptor]) <= caps[descriptor] and _take(descriptor, read[descriptor]):
                pass
            if len(read[descriptor]) > caps[descriptor]:
                reason = Status.OUTPUT_LIMIT
    return judge(
        reason=reason,
        exit_code=process.returncode,
        claim=bytes(read[result]),
        stdout=bytes(read[stdout][:stdout_cap]),
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        settings=settings,
    )


def _take(descriptor: int, into: bytearray) -> bool:
    """Reads once into `into`; False at the end of the stream, or where nothing waits."""
    try:
        data = os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return False
    into += data
    return bool(data)


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


def judge(
    *,
    reason: Status | None,
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
        )

    if reason is Status.TIMEOUT:
        return result(reason, f"over {settings.wall_seconds:g} s of wall time")
    if reason is not None:
        return result(reason, f"wrote over {settings.output_kb} KiB")
    killed = exit_code in (-signal.SIGKILL, -signal.SIGXCPU)
    if killed and cpu >= settings.cpu_seconds * 0.95:  # the kernel counts in ticks
        return result(Status.TIMEOUT, f"over {settings.cpu_seconds} s of CPU time")
    if exit_code == -signal.SIGSYS:
        return result(Status.BLOCKED, "made a system call that is not allowed")
    if exit_code < 0:
        return result(Status.CRASHED, f"ended by signal {-exit_code}")
    said = _read_claim(claim)
    if exit_code != 0 or said is None:
        return result(Status.CRASHED, f"ended without a result, exit status {exit_code}")
    return result(said.pop("status"), said.pop("error"), **said)


def _read_claim(data: bytes) -> dict[str, Any] | None:
    """Returns the fields of a well-formed claim, else None: strict JSON, known types only."""
    try:
        said = json.loads(data)
        status = Status(said["status"])
        fields = {name: said.get(name) for name in ("input", "output", "error_type", "error")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if status not in _CLAIMABLE:
        return None
    for name, value in fields.items():
        if value is None:
            continue
        if not isinstance(value, str) or not _encodable(value):
            return None
        if name in ("input", "output") and not _is_strict_json(value):
            return None
    if status is not Status.OK:
        fields["input"] = fields["output"] = None
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
