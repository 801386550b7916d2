"""Runs programs one at a time: forks a child for each, watches it, and ends all that it started."""

from __future__ import annotations

import base64
import ctypes
import fnmatch
import json
import os
import resource
import select
import signal
import stat
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from transforms.sandbox import harness, isolation

LENGTH = struct.Struct("!I")
_REPLY = struct.Struct("!BidddIII")
"""Why the program was ended (an index into REASONS), wait status, wall s, CPU s, peak MiB, and the
bytes of its stdout, claim and files, which follow."""

REASONS = ("", "wall", "cpu", "output", "files", "lost")

CLAIM_ENVELOPE = 16 << 10
_MOST_FILES = 4096
_READ_BYTES = 1 << 16
_CPU_CHECK_SECONDS = 0.01
"""Shortest wait between two looks at a program's CPU time."""


_python = ctypes.PyDLL(None, use_errno=True)


def fork() -> int:
    """Forks as os.fork does, without the callbacks that modules registered for forks.

    They renew what other threads may have held, and there are none; the 150 pages that they touch
    would be copied in each child.
    """
    pid = int(_python.fork())
    if pid < 0:
        raise OSError(ctypes.get_errno(), "fork")
    return pid


def read_exactly(descriptor: int, size: int) -> bytes:
    """Reads `size` bytes; raises EOFError where the other side is gone."""
    data = bytearray()
    while len(data) < size:
        part = os.read(descriptor, size - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def keep_open(descriptors: set[int]) -> None:
    """Closes every descriptor but the standard three and `descriptors`."""
    start = 3
    for descriptor in [*sorted(descriptors), resource.getrlimit(resource.RLIMIT_NOFILE)[1]]:
        os.closerange(start, descriptor)
        start = descriptor + 1


class Zygote:
    """Forks one child per program, watches it, and ends everything that it started."""

    def __init__(self, limits: dict[str, Any], slot: int, scratch: str) -> None:
        self.limits = limits
        self.slot = slot
        self.scratch = scratch
        self.cores = len(os.sched_getaffinity(0))
        self.own_pids = os.getpid() == 1
        """Whether this is the first process of a PID namespace, which ends with it."""
        self.filters = False
        """Whether system calls are filtered."""

    def serve(self) -> None:
        """Runs programs until the host's side of the socket closes, or a clean-up fails."""
        while True:
            try:
                (length,) = LENGTH.unpack(read_exactly(self.slot, LENGTH.size))
                job = json.loads(read_exactly(self.slot, length))
            except EOFError:
                self.leave()
            self.answer(job)
            try:
                self.clean()
            except OSError:  # the host will find the socket closed, and start another zygote
                self.leave()

    def answer(self, job: dict[str, Any]) -> None:
        """Runs one program and sends what was seen of it, its stdout, its claim and its files."""
        files_in = {name: base64.b64decode(text) for name, text in job["files"].items()}
        put_files(self.scratch, files_in)
        limits = self.limits
        if job["vary"]:
            seen = self._run_varied(job)
        else:
            seen = self._run_process(job, limits["wall_seconds"], job["cpu_seconds"])
        files: dict[str, bytes] = {}
        if job["wanted"] and not seen.reason:
            try:
                files = read_files(self.scratch, job["wanted"], limits["file_mb"] << 20)
            except FilesTooLarge:
                seen = seen._replace(reason="files")
        write_all(self.slot, reply(seen, files))

    def clean(self) -> None:
        """Removes what a program left.

        Raises:
            OSError: something stayed, so that this zygote must not serve another program.
        """
        wipe(self.scratch)

    def leave(self) -> NoReturn:
        """Ends this process and all that it started."""
        os._exit(0)

    def _run_varied(self, job: dict[str, Any]) -> Seen:
        """Runs a program under its own input and others: in one process, unless it ends before.

        Twice the usual limits hold for all of it; of CPU time, the usual one for its own input, and
        one of its own for each other. The claim is as `harness.vary` has it, with a mark for each
        input that came to its end, or was ended, before the limits.
        """
        plan, limits = job["vary"], self.limits
        wall_left, cpu_left = 2 * limits["wall_seconds"], 2 * limits["cpu_seconds"]
        own = limits["wall_seconds"], limits["cpu_seconds"]
        seen = self._run_process(job, *own, wall_left, cpu_left)
        wall, cpu, peak_mb, claim = seen.wall, seen.cpu, seen.peak_mb, seen.claim
        head, ran_well, _ = claim.partition(b"\n")
        last = len(head) + 1 + len(plan["inputs"])
        goes_on = ran_well and seen.reason != "output"
        while goes_on and len(claim) < last and wall < wall_left and cpu < cpu_left:
            # it ended in the middle of an input: the next process begins with the one after
            claim += harness.SKIPPED
            left = cpu_left - cpu
            more = self._run_process(
                job, wall_left - wall, min(plan["cpu_seconds"], left), wall_left - wall, left, claim
            )
            wall, cpu, peak_mb = wall + more.wall, cpu + more.cpu, max(peak_mb, more.peak_mb)
            claim = (claim + more.claim)[:last]
        return seen._replace(wall=wall, cpu=cpu, peak_mb=peak_mb, claim=claim)

    def _run_process(
        self,
        job: dict[str, Any],
        wall_seconds: float,
        cpu_seconds: float,
        wall_in_all: float = 0.0,
        cpu_in_all: float = 0.0,
        done: bytes = b"",
    ) -> Seen:
        stdout_read, stdout_write = os.pipe()
        claim_read, claim_write = os.pipe()
        stdin = self._open_stdin(job["stdin"]) if job["stdin"] else None
        started = time.monotonic()
        pid = fork()
        if pid == 0:
            self._become_program(job, stdin, stdout_write, claim_write, done)
        if stdin is not None:
            os.close(stdin)
        os.close(stdout_write)
        os.close(claim_write)
        output_bytes = self.limits["output_kb"] << 10
        # a claim holds input and output, in JSON within JSON: a character may take six bytes
        caps = {stdout_read: output_bytes, claim_read: 12 * output_bytes + CLAIM_ENVELOPE}
        if job["trace"]:
            caps[claim_read] += 6 * job["trace"]["bytes"]
        read = {descriptor: bytearray() for descriptor in caps}
        pidfd = os.pidfd_open(pid)
        reason = self.watch(
            pid,
            pidfd,
            read,
            caps,
            started + wall_seconds,
            cpu_seconds,
            steps=Steps(claim_read, job["vary"]["cpu_seconds"], started + wall_in_all, cpu_in_all)
            if job["vary"]
            else None,
        )
        wall = time.monotonic() - started
        status, cpu, peak_mb = self.end(pid)
        os.close(pidfd)
        if job["vary"] or not reason:
            reason = read_rest(read, caps) or reason
        close_all(read)
        stdout = bytes(read[stdout_read][:output_bytes])
        claim = b"" if reason and not job["vary"] else bytes(read[claim_read])
        return Seen(reason, status, wall, cpu, peak_mb, stdout, claim)

    def _open_stdin(self, text: str) -> int:
        """Returns a file of this text that has no name any more."""
        path = os.path.join(self.scratch, ".stdin")
        with open(path, "wb") as file:
            file.write(text.encode())
        descriptor = os.open(path, os.O_RDONLY)
        os.unlink(path)
        return descriptor

    def watch(
        self,
        pid: int,
        pidfd: int,
        read: dict[int, bytearray],
        caps: dict[int, int],
        deadline: float,
        cpu_seconds: float,
        steps: Steps | None = None,
        finished: int | None = None,
    ) -> str:
        """Reads until the program's first process ends or a limit is passed; says which limit.

        Args:
            deadline, cpu_seconds: monotonic time until which it may run, and CPU time; both until
                something comes over `steps`, where that is given.
            finished: what comes over it also ends the watch.
        """
        poll = select.poll()
        poll.register(self.slot, select.POLLRDHUP)
        for descriptor in (pidfd, *read, *([] if finished is None else [finished])):
            poll.register(descriptor, select.POLLIN)
        cpu_clock = cpu_clock_of(pid)
        cpu_end = cpu_seconds
        while True:
            wall_left = deadline - time.monotonic()
            cpu_left = cpu_end - time.clock_gettime(cpu_clock)
            if wall_left <= 0:
                return "wall"
            if cpu_left <= 0:
                return "cpu"
            # threads can spend it several times as fast as time goes by
            wait = min(wall_left, max(cpu_left / self.cores, _CPU_CHECK_SECONDS))
            for descriptor, _ in poll.poll(wait * 1000):
                if descriptor in (pidfd, finished):
                    return ""
                if descriptor == self.slot:  # the host is gone
                    self.kill(pid)
                    self.leave()
                if not take(descriptor, read[descriptor]):
                    poll.unregister(descriptor)
                elif len(read[descriptor]) > caps[descriptor]:
                    return "output"
                elif steps is not None and descriptor == steps.descriptor:
                    deadline = steps.deadline
                    cpu_end = time.clock_gettime(cpu_clock) + steps.cpu_seconds
                    cpu_end = min(cpu_end, steps.cpu_in_all)

    def kill(self, pid: int) -> None:
        """Ends all that the program started, at once: nothing can be forked out of its way."""
        if self.own_pids:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            return
        for kill in (os.kill, os.killpg):  # the group is not there yet while the child sets out
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)

    def end(self, pid: int) -> tuple[int, float, float]:
        """Ends the program; returns its wait status, and over its processes CPU s and peak MiB."""
        if self.own_pids:
            os.kill(pid, signal.SIGKILL)
        else:
            self.kill(pid)
        _, status, usage = os.wait4(pid, 0)
        cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
        with suppress(ChildProcessError):
            # what it forked is this process's child by now, or none of it is left: a signal to all
            # has the kernel look at every process of the machine
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if self.own_pids:
                self.kill(pid)
            while True:
                _, _, usage = os.wait4(-1, 0)
                cpu += usage.ru_utime + usage.ru_stime
                peak = max(peak, usage.ru_maxrss)
        return status, cpu, peak / 1024

    def _become_program(
        self, job: dict[str, Any], stdin: int | None, stdout: int, claim: int, done: bytes
    ) -> None:
        try:
            if stdin is not None:
                os.dup2(stdin, 0)
            if not done:  # what it prints under other inputs is of no interest
                os.dup2(stdout, 1)
            keep_open({claim})
            if not self.own_pids:
                os.setpgid(0, 0)
                if self.filters:
                    isolation.confine_to_group(os.getpid())
            # a second guard, and the only one on what it forks
            cpu = self.limits["cpu_seconds"] * (2 if job["vary"] else 1) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
            output_bytes = self.limits["output_kb"] << 10
            if job["vary"]:
                harness.vary(job, done, claim, output_bytes)
            harness.perform(job, claim, output_bytes)
        finally:
            os._exit(1)


class Steps(NamedTuple):
    """The steps of a process, whose ends it tells."""

    descriptor: int
    """What it tells them over."""
    cpu_seconds: float
    """CPU time of each but the first."""
    deadline: float
    """Monotonic time at which the last of them is ended."""
    cpu_in_all: float


class Seen(NamedTuple):
    """What a zygote saw of a process that ended."""

    reason: str
    """Why it was ended, one of `REASONS`."""
    status: int
    """As `os.wait4` gives it."""
    wall: float
    cpu: float
    peak_mb: float
    stdout: bytes
    claim: bytes


def reply(seen: Seen, files: dict[str, bytes]) -> bytes:
    """Returns the answer to the host: a head of fixed size (`_REPLY`), then three parts."""
    encoded = {name: base64.b64encode(data).decode() for name, data in files.items()}
    parts = (seen.stdout, seen.claim, json.dumps(encoded).encode() if encoded else b"")
    head = _REPLY.pack(REASONS.index(seen.reason), *seen[1:5], *map(len, parts))
    return head + b"".join(parts)


def cpu_clock_of(pid: int) -> int:
    """Returns the clock of a process's CPU time, see clock_getcpuclockid(3).

    The kernel's own limit on CPU time counts in ticks, far too coarsely.
    """
    return ~pid << 3 | 2


def read_rest(read: dict[int, bytearray], caps: dict[int, int]) -> str:
    """Reads what waits in each descriptor; returns "output" where that is more than its cap."""
    for descriptor, data in read.items():
        os.set_blocking(descriptor, False)
        while take(descriptor, data):
            if len(data) > caps[descriptor]:
                return "output"
    return ""


def close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


class FilesTooLarge(Exception):
    """The files to read are more than may be kept."""


def put_files(top: str, files: dict[str, bytes]) -> None:
    """Writes files {name relative to `top`: content}."""
    for name, content in files.items():
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def read_files(top: str, patterns: Iterable[str], limit: int) -> dict[str, bytes]:
    """Returns {name relative to `top`: content} of the regular files that match a pattern.

    Links, and what cannot be read, are left out. A `*` also matches across folders.

    Raises:
        FilesTooLarge: names and contents together have over `limit` bytes, or there are over
            `_MOST_FILES` files and folders.
    """
    files: dict[str, bytes] = {}
    folders, seen = [""], 0
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(top, folder)))
        except OSError:  # a path too long, or closed
            continue
        for entry in entries:
            seen += 1
            if seen > _MOST_FILES:
                raise FilesTooLarge
            name = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                folders.append(name)
            elif any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
                data = _read_regular(entry.path, limit)
                if data is not None:
                    files[name] = data
                    limit -= len(data) + len(name)
    return files


def _read_regular(path: str, limit: int) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return None
        if facts.st_size > limit:
            raise FilesTooLarge
        return file.read()


def take(descriptor: int, into: bytearray) -> bool:
    """Reads once into `into`; False at the end of the stream, or where nothing waits."""
    try:
        data = os.read(descriptor, _READ_BYTES)
    except BlockingIOError:
        return False
    into += data
    return bool(data)


def wipe(top: str) -> None:
    """Empties the folder, however deep or forbidding what a program left in it.

    Folders are moved up to `top` before they are opened, so that no path grows long and no
    recursion deep.

    Raises:
        OSError: something could not be removed.
    """
    os.chmod(top, 0o700)
    moved = 0
    while entries := list(os.scandir(top)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # a folder is moved only by who may write to it
                    moved += 1
                    os.rename(inner.path, os.path.join(top, f".wipe-{moved}"))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)
