"""Keeps the states of sessions as stopped processes, and forks the next cell from any of them.

A state is the process that its last cell ran in: the supervisor stops it when the cell ends. To run
a cell, the state goes on for the moment that a fork takes, and is stopped again. So it is lost by
nothing that the cell does. The first cell of each session is forked from a state in which none ran.
The code of a state has run in it, so that nothing is believed that a state says; the kernel says
which process speaks (SCM_CREDENTIALS), and whose child it is.

Each cell has a process group of its own, which it can neither leave nor send signals out of.
Files are part of a state: the supervisor keeps them, and writes them back before the next cell.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import os
import resource
import signal
import socket
import struct
import time
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

from transforms.sandbox import cells, isolation
from transforms.sandbox.supervisor import (
    CLAIM_ENVELOPE,
    FilesTooLarge,
    Seen,
    Zygote,
    cpu_clock_of,
    fork,
    keep_open,
    put_files,
    read_files,
    read_rest,
    reply,
    wipe,
    write_all,
)

LIVES_ON = -1
"""In place of a wait status: the process stays as a state."""

_ROOT = 0
"""Number of the state that sessions begin from."""
_CHANNEL = 3
"""The descriptor of a state's socket in the state, below the limit on a cell's open files."""
_CREDENTIALS = struct.Struct("3i")
_HELD_BY_ONE, _HELD_BY_ALL = 1 / 16, 1 / 2
"""Share of the scratch folder that deleted files may hold which one state, or all, keep open."""


class State(NamedTuple):
    """A stopped process, the socket to it, and the files that its cells left."""

    pid: int
    channel: socket.socket
    files: dict[str, bytes]


class SessionZygote(Zygote):
    """Runs cells, one at a time, and keeps the states that they leave."""

    def __init__(self, limits: dict[str, Any], slot: int, scratch: str) -> None:
        super().__init__(limits, slot, scratch)
        self._host = socket.socket(fileno=slot)
        self._states: dict[int, State] = {}
        self._pids: set[int] = set()
        """Of the states."""
        self._held = 0.0

    def answer(self, job: dict[str, Any]) -> None:
        """Runs one cell; sends what was seen of it, and where it left a state the pidfd of that.

        `job` is {drop: numbers of states, state: number, 0 before a session's first cell, number of
        the state to leave, code, index: which cell of the session it is, seed, wanted: patterns of
        files to send back, files: of a session that begins, by name in base64}; without a code it
        only drops.

        Raises:
            OSError: something that a cell left stayed, or states keep too much of deleted files
                open, so that this zygote must not serve another.
        """
        for number in job["drop"]:
            self._drop(number)
        seen = self._run_cell(job) if "code" in job else _LOST
        if seen.status == LIVES_ON:
            state = self._states[job["number"]]
            wanted = {
                name: data
                for name, data in sorted(state.files.items())
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in job["wanted"])
            }
            pidfd = os.pidfd_open(state.pid)
            data = reply(seen, wanted)
            sent = socket.send_fds(self._host, [data], [pidfd])
            os.close(pidfd)
            write_all(self.slot, data[sent:])
        else:
            write_all(self.slot, reply(seen, {}))
        if self._held > _HELD_BY_ALL:
            raise OSError("deleted files that states keep open fill the scratch folder")

    def leave(self) -> NoReturn:
        for state in self._states.values():
            self.kill(state.pid)
        super().leave()

    def kill(self, pid: int) -> None:
        for kill in (os.kill, os.killpg):
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)

    def end(self, pid: int) -> tuple[int, float, float]:
        """Ends one cell's processes; returns wait status, and over all of them CPU s and MiB."""
        self.kill(pid)
        _, status, usage = os.wait4(pid, 0)
        return status, usage.ru_utime + usage.ru_stime + _reap_group(pid), usage.ru_maxrss / 1024

    def _run_cell(self, job: dict[str, Any]) -> Seen:
        if job["state"] == _ROOT and _ROOT not in self._states:
            self._begin()
        state = self._states.get(job["state"])
        if state is None:
            return _LOST
        given = {name: base64.b64decode(text) for name, text in job.get("files", {}).items()}
        put_files(self.scratch, given or state.files)
        stdout_read, stdout_write = os.pipe()
        ours, theirs = self._open_channel()
        started = time.monotonic()
        pid = self._fork_from(state, ours, theirs, stdout_write)
        theirs.close()
        os.close(stdout_write)
        if pid is None:
            os.close(stdout_read)
            ours.close()
            self._drop(job["state"])
            wipe(self.scratch)
            return _LOST
        output_bytes = self.limits["output_kb"] << 10
        caps = {stdout_read: output_bytes, ours.fileno(): 12 * output_bytes + CLAIM_ENVELOPE}
        read = {descriptor: bytearray() for descriptor in caps}
        seen, left = self._watch_cell(pid, job, ours, read, caps, started)
        os.close(stdout_read)
        stdout, claim = (bytes(data) for data in read.values())
        seen = seen._replace(stdout=stdout[:output_bytes], claim=b"" if seen.reason else claim)
        if left is None:
            ours.close()
            wipe(self.scratch)
            return seen
        return self._keep(job["number"], left, seen, state.files)

    def _open_channel(self) -> tuple[socket.socket, socket.socket]:
        """Returns the ends of the socket to a state; ours is told who speaks."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        ours.settimeout(self.limits["wall_seconds"])
        return ours, theirs

    def _begin(self) -> None:
        """Forks the state that sessions begin from."""
        supervisor = os.getpid()
        ours, theirs = self._open_channel()
        pid = fork()
        if pid:
            theirs.close()
            self._states[_ROOT] = State(pid, ours, {})
            self._pids.add(pid)
            return
        try:
            os.dup2(theirs.detach(), _CHANNEL)
            keep_open({_CHANNEL})
            os.setpgid(0, 0)
            if self.filters:
                isolation.confine_to_group(0)
            cpu = self.limits["cpu_seconds"] + 1
            resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
            session = cells.Session(
                supervisor, self.limits["output_kb"] << 10, self.limits["open_files"]
            )
            session.live(socket.socket(fileno=_CHANNEL))
        finally:
            os._exit(1)

    def _fork_from(
        self, state: State, ours: socket.socket, theirs: socket.socket, stdout: int
    ) -> int | None:
        """Has a state fork; returns the new process, None where the state does not obey."""
        try:
            socket.send_fds(state.channel, [b"f"], [theirs.fileno(), stdout])
            os.kill(state.pid, signal.SIGCONT)
            theirs.close()  # so that the end of the state is the end of the stream
            message, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(_CREDENTIALS.size))
            if not message:
                return None
            pid = _CREDENTIALS.unpack(ancillary[0][2])[0]
            if pid in self._pids:
                return None
            os.setpgid(pid, pid)
            return pid
        except (OSError, IndexError, struct.error):
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(state.pid, signal.SIGSTOP)

    def _watch_cell(
        self,
        pid: int,
        job: dict[str, Any],
        channel: socket.socket,
        read: dict[int, bytearray],
        caps: dict[int, int],
        started: float,
    ) -> tuple[Seen, State | None]:
        """Has a new process run its cell; returns the state that it leaves, if any."""
        with suppress(OSError):  # it ended already, or does not read: the watch finds out
            cell = {"code": job["code"], "number": job["index"], "seed": job["seed"]}
            channel.sendall(json.dumps(cell).encode() + b"\n")
        pidfd = os.pidfd_open(pid)
        reason = self.watch(
            pid,
            pidfd,
            read,
            caps,
            started + self.limits["wall_seconds"],
            self.limits["cpu_seconds"],
            end=cells.END,
        )
        wall = time.monotonic() - started
        os.close(pidfd)
        if not reason:
            reason = read_rest(read, caps)
        finished = not reason and read[channel.fileno()].endswith(cells.END)
        if finished and (alone := self._stop(pid)) is not None:
            cpu = time.clock_gettime(cpu_clock_of(pid))
            state: State | None = State(pid, channel, {})
            if not alone:
                state = self._renew(State(pid, channel, {}))
            if state is not None:
                return Seen("", LIVES_ON, wall, cpu, 0.0, b"", b""), state
            return Seen("", 0, wall, cpu, 0.0, b"", b""), None
        status, cpu, peak_mb = self.end(pid)
        reason = reason or read_rest(read, caps)
        return Seen(reason, status, wall, cpu, peak_mb, b"", b""), None

    def _stop(self, pid: int) -> bool | None:
        """Stops a cell's process; says whether its group has no other, None where it has ended."""
        os.kill(pid, signal.SIGSTOP)
        stopped = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if stopped is None or stopped.si_code != os.CLD_STOPPED:
            return None
        try:
            os.setpgid(pid, os.getpgrp())  # for a moment, while it stands still
            try:
                os.killpg(pid, 0)
                return False
            except ProcessLookupError:
                return True
            finally:
                os.setpgid(pid, pid)
        except OSError:  # it left its group, where no filter keeps it
            return None

    def _renew(self, state: State) -> State | None:
        """Replaces a state by a fork of it, which has no threads or children, and ends the rest."""
        ours, theirs = self._open_channel()
        with open(os.devnull, "wb") as null:
            pid = self._fork_from(state, ours, theirs, null.fileno())
        state.channel.close()
        self.end(state.pid)
        if pid is not None:
            with suppress(OSError):
                ours.sendall(b"{}\n")
                # once it has read: what waited for it would be read as one with the next message
                if ours.recv(1) == cells.END and self._stop(pid):
                    return State(pid, ours, {})
            self.end(pid)
        ours.close()
        return None

    def _keep(self, number: int, state: State, seen: Seen, earlier: dict[str, bytes]) -> Seen:
        """Keeps a state and its files, unless they hold too much, and empties the folder.

        Args:
            earlier: the files of the state before; those that stayed the same are kept once.

        Returns:
            `seen`, with the size of the files as its `peak_mb` where the state is kept.
        """
        reason = ""
        files: dict[str, bytes] = {}
        try:
            files = read_files(self.scratch, ("*",), self.limits["file_mb"] << 20)
        except FilesTooLarge:
            reason = "files"
        wipe(self.scratch)
        held = self._share_held()
        if held - self._held > _HELD_BY_ONE:
            reason = "files"
        if reason:
            state.channel.close()
            status, _, peak_mb = self.end(state.pid)
            return seen._replace(reason=reason, status=status, peak_mb=peak_mb, claim=b"")
        self._held = held
        for name, data in files.items():
            if earlier.get(name) == data:
                files[name] = earlier[name]
        self._states[number] = state._replace(files=files)
        self._pids.add(state.pid)
        return seen._replace(peak_mb=sum(map(len, files.values())) / 2**20)

    def _share_held(self) -> float:
        """Returns how much of its file system an empty scratch folder still uses, 0 to 1."""
        if self.scratch != isolation.SCRATCH:  # a folder of the host's file system
            return 0.0
        facts = os.statvfs(self.scratch)
        blocks = 1 - facts.f_bfree / facts.f_blocks
        return max(blocks, 1 - facts.f_ffree / facts.f_files)

    def _drop(self, number: int) -> None:
        state = self._states.pop(number, None)
        if state is not None:
            self._pids.remove(state.pid)
            state.channel.close()
            self.end(state.pid)
            self._held = min(self._held, self._share_held())


_LOST = Seen("lost", 0, 0.0, 0.0, 0.0, b"", b"")


def _reap_group(pid: int) -> float:
    """Waits until nothing is left of a group that was killed; returns its CPU time, seconds."""
    cpu = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-pid, 0)
            cpu += usage.ru_utime + usage.ru_stime
        except ChildProcessError:
            try:
                os.killpg(pid, 0)
            except ProcessLookupError:
                return cpu
            time.sleep(0.0001)  # its parent, also killed, has not handed it on yet
