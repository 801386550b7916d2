"""The processes that programs are forked from: a template that preloads, and one zygote a slot.

Started as a script in a fresh interpreter; imports nothing of cotmill but its own neighbours. The
template imports the preloaded modules once and forks a zygote whenever the host sends the socket of
a new slot. A zygote walls itself in (see isolation.py), so that each program inherits walls that
stand already, and then serves programs one at a time until its socket closes.

Every socket here ends at the host: where the host dies, by whatever way, all of this ends with it.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NamedTuple

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, _ROOT)
from transforms.execution import harness, isolation, preload  # noqa: E402

del sys.path[0]

_LENGTH = struct.Struct("!I")
_REPLY = struct.Struct("!Biddd")
"""Why the program was ended (an index into REASONS), wait status, wall s, CPU s, peak MiB."""

REASONS = ("", "wall", "cpu", "output")

_CLAIM_ENVELOPE = 16 << 10
_READ_BYTES = 1 << 16
_CPU_CHECK_SECONDS = 0.01
"""Shortest wait between two looks at a program's CPU time."""


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


def report_line(descriptor: int, report: dict[str, Any]) -> None:
    write_all(descriptor, json.dumps(report).encode() + b"\n")


def template(host: socket.socket, config: dict[str, Any]) -> None:
    """Preloads, says so, and forks a zygote for each socket that the host sends."""
    preload.preload(config["preload"])
    if config["shift_clock"]:
        harness.shift_clock()
    isolation.adopt_orphans()
    # what follows is shared with every program: the collector must not write to all of it
    gc.collect()
    gc.freeze()
    host.send(b"{}")
    while True:
        message, descriptors, _, _ = socket.recv_fds(host, 1 << 16, 1)
        if not message:
            shutil.rmtree(config["directory"], ignore_errors=True)  # the host may have been killed
            os._exit(0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        (slot,) = descriptors
        report = start_zygote(config, slot, message.decode())
        if "no_root" in report:  # an old kernel, or a container that forbids mounts: do without
            without = {**config["without"], "mount_namespace": report["no_root"]}
            config = {**config, "without": without}
            report = start_zygote(config, slot, message.decode())
        os.close(slot)
        pidfds = [] if "error" in report else [os.pidfd_open(report["pid"])]
        socket.send_fds(host, [json.dumps(report).encode()], pidfds)
        for pidfd in pidfds:
            os.close(pidfd)


def start_zygote(config: dict[str, Any], slot: int, directory: str) -> dict[str, Any]:
    """Forks a zygote that serves the socket `slot`, and reports its pid and layers.

    A middle process enters the namespaces and ends: only its child is in the new PID namespace.
    """
    report_read, report_write = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            os.close(report_read)
            _become_zygote(config, slot, directory, report_write)
        except isolation.NoRoot as error:
            report_line(report_write, {"no_root": str(error)})
        except BaseException as error:
            report_line(report_write, {"error": repr(error)})
        finally:
            os._exit(1)
    os.close(report_write)
    os.waitpid(middle, 0)
    report: dict[str, Any] = {}
    with open(report_read, "rb") as lines:  # one from each process, in whichever order
        for line in lines:
            report.update(json.loads(line))
    if "layers" not in report:
        report.setdefault("error", "it ended while it was walled in")
    return report


def _become_zygote(config: dict[str, Any], slot: int, directory: str, report: int) -> None:
    number = os.getpid()  # as the host sees it: no other slot on this machine has it
    enclosure = isolation.Enclosure(
        visible=tuple(config["visible"]),
        directory=directory,
        limits=config["limits"],
        without=config["without"],
    )
    walls = isolation.Walls(enclosure)
    isolation.enter_namespaces(walls, enclosure)
    child = os.fork()
    if child:
        report_line(report, {"pid": child})
        os._exit(0)
    os.setsid()
    # of init's signals only those with a handler reach it: Python's own for SIGINT must not stay
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    keep_open({slot, report})
    scratch = isolation.SCRATCH if walls.has("mount_namespace") else directory
    zygote = Zygote(config, slot, scratch)
    if not zygote.own_pids:
        isolation.adopt_orphans()
    os.chdir(zygote.scratch)
    os.environ.update(HOME=zygote.scratch, TMPDIR=zygote.scratch)
    isolation.give_up_privilege(walls, enclosure, zygote.scratch, number)
    zygote.filters = walls.has("seccomp")
    report_line(report, {"layers": [asdict(layer) for layer in walls.layers]})
    os.close(report)
    zygote.serve()


def keep_open(descriptors: set[int]) -> None:
    """Closes every descriptor but the standard three and `descriptors`."""
    start = 3
    for descriptor in [*sorted(descriptors), resource.getrlimit(resource.RLIMIT_NOFILE)[1]]:
        os.closerange(start, descriptor)
        start = descriptor + 1


class Zygote:
    """Forks one child per program, watches it, and ends everything that it started."""

    def __init__(self, config: dict[str, Any], slot: int, scratch: str) -> None:
        self.limits = config["limits"]
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
                (length,) = _LENGTH.unpack(read_exactly(self.slot, _LENGTH.size))
                job = json.loads(read_exactly(self.slot, length))
            except EOFError:
                os._exit(0)
            write_all(self.slot, self.run(job))
            try:
                wipe(self.scratch)
            except OSError:  # the host will find the socket closed, and start another zygote
                os._exit(1)

    def run(self, job: dict[str, Any]) -> bytes:
        """Runs one program and returns the reply: what was seen, its stdout, its claim."""
        if job["vary"]:
            return _reply(self._run_varied(job))
        limits = self.limits
        return _reply(self._run_process(job, limits["wall_seconds"], limits["cpu_seconds"]))

    def _run_varied(self, job: dict[str, Any]) -> Seen:
        """Runs a program under other inputs: in one process, unless it ends before the last.

        A limit on CPU time holds for each input, and the usual limits for all of them together; the
        claim is a mark for each input that came to its end, or was ended, before that.
        """
        plan, done, cpu, wall, peak_mb = job["vary"], b"", 0.0, 0.0, 0.0
        while len(done) < len(plan["inputs"]):
            wall_left = self.limits["wall_seconds"] - wall
            cpu_left = self.limits["cpu_seconds"] - cpu
            if wall_left <= 0 or cpu_left <= 0:
                break
            seen = self._run_process(job, wall_left, min(plan["cpu_seconds"], cpu_left), done)
            wall, cpu, peak_mb = wall + seen.wall, cpu + seen.cpu, max(peak_mb, seen.peak_mb)
            # it ended in the middle of an input: the next process begins with the one after
            done = (done + seen.claim + harness.SKIPPED)[: len(plan["inputs"])]
        return Seen("", 0, wall, cpu, peak_mb, b"", done)

    def _run_process(
        self, job: dict[str, Any], wall_seconds: float, cpu_seconds: float, done: bytes = b""
    ) -> Seen:
        stdout_read, stdout_write = os.pipe()
        claim_read, claim_write = os.pipe()
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            self._become_program(job, stdout_write, claim_write, done)
        os.close(stdout_write)
        os.close(claim_write)
        output_bytes = self.limits["output_kb"] << 10
        # a claim holds input and output, in JSON within JSON: a character may take six bytes
        caps = {stdout_read: output_bytes, claim_read: 12 * output_bytes + _CLAIM_ENVELOPE}
        if job["trace"]:
            caps[claim_read] += 6 * job["trace"]["bytes"]
        read = {descriptor: bytearray() for descriptor in caps}
        pidfd = os.pidfd_open(pid)
        reason = self._watch(
            pid,
            pidfd,
            read,
            caps,
            started + wall_seconds,
            cpu_seconds,
            claim_read if job["vary"] else None,
        )
        wall = time.monotonic() - started
        status, cpu, peak_mb = self._end(pid)
        for descriptor, data in read.items():
            os.set_blocking(descriptor, False)
            while (job["vary"] or not reason) and take(descriptor, data):
                if len(data) > caps[descriptor]:
                    reason = "output"
            os.close(descriptor)
        os.close(pidfd)
        stdout = bytes(read[stdout_read][:output_bytes])
        claim = b"" if reason and not job["vary"] else bytes(read[claim_read])
        return Seen(reason, status, wall, cpu, peak_mb, stdout, claim)

    def _watch(
        self,
        pid: int,
        pidfd: int,
        read: dict[int, bytearray],
        caps: dict[int, int],
        deadline: float,
        cpu_seconds: float,
        steps: int | None,
    ) -> str:
        """Reads until the program's first process ends or a limit is passed; says which limit.

        Args:
            cpu_seconds: CPU time allowed, since what came last over `steps` where that is given.
        """
        poll = select.poll()
        for descriptor in (pidfd, self.slot, *read):
            poll.register(descriptor, select.POLLIN)
        # see clock_getcpuclockid(3); the kernel's own limit counts in ticks, far too coarsely
        cpu_clock = ~pid << 3 | 2
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
                if descriptor == pidfd:
                    return ""
                if descriptor == self.slot:  # the host speaks only between programs: it is gone
                    self._kill(pid)
                    os._exit(0)
                if not take(descriptor, read[descriptor]):
                    poll.unregister(descriptor)
                elif len(read[descriptor]) > caps[descriptor]:
                    return "output"
                elif descriptor == steps:
                    cpu_end = time.clock_gettime(cpu_clock) + cpu_seconds
                    cpu_end = min(cpu_end, self.limits["cpu_seconds"])

    def _kill(self, pid: int) -> None:
        """Ends all that the program started, at once: nothing can be forked out of its way."""
        if self.own_pids:
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            return
        for kill in (os.kill, os.killpg):  # the group is not there yet while the child sets out
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)

    def _end(self, pid: int) -> tuple[int, float, float]:
        """Ends the program; returns its wait status, and over its processes CPU s and peak MiB."""
        self._kill(pid)
        _, status, usage = os.wait4(pid, 0)
        cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
        with suppress(ChildProcessError):
            while True:
                _, _, usage = os.wait4(-1, 0)
                cpu += usage.ru_utime + usage.ru_stime
                peak = max(peak, usage.ru_maxrss)
        return status, cpu, peak / 1024

    def _become_program(self, job: dict[str, Any], stdout: int, claim: int, done: bytes) -> None:
        try:
            if not job["vary"]:  # what it prints under other inputs is of no interest
                os.dup2(stdout, 1)
            keep_open({claim})
            if not self.own_pids:
                os.setpgid(0, 0)
                if self.filters:
                    isolation.confine_to_group(os.getpid())
            # a second guard, and the only one on what it forks
            cpu = self.limits["cpu_seconds"] + 1
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
            output_bytes = self.limits["output_kb"] << 10
            if job["vary"]:
                harness.vary(job, done, claim, output_bytes)
            harness.perform(job, claim, output_bytes)
        finally:
            os._exit(1)


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


def _reply(seen: Seen) -> bytes:
    return b"".join(
        (
            _REPLY.pack(REASONS.index(seen.reason), *seen[1:5]),
            _LENGTH.pack(len(seen.stdout)),
            seen.stdout,
            _LENGTH.pack(len(seen.claim)),
            seen.claim,
        )
    )


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


def visible_paths() -> list[str]:
    """Returns what programs may read: Python's libraries, its packages, the system's libraries."""
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, "/usr", "/"}
    libraries = [os.path.join(prefix, name) for prefix in prefixes for name in ("lib", "lib64")]
    packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    return sorted({*libraries, *packages, "/usr/share/zoneinfo", "/etc/ld.so.cache"})


if __name__ == "__main__":
    # a program that imports one of these names must not find ours
    for _name in [name for name in sys.modules if name.partition(".")[0] == "transforms"]:
        del sys.modules[_name]
    template(
        socket.socket(fileno=int(sys.argv[1])),
        {"visible": visible_paths(), **json.loads(sys.argv[2])},
    )
