"""Runs the cells of sessions, each in a process forked from the state before it.

It imports nothing of cotmill but its neighbour. It shares its process with the cells, so all that
it writes is their claim. What it uses after a cell has run is bound at import: a cell that replaces
a function of a module breaks its own session at most.
"""

from __future__ import annotations
import __future__

import ast
import ctypes
import linecache
import platform
import random
import resource
import signal
import sys
import traceback
import types
from contextlib import suppress
from json import dumps, loads
from os import _exit, close, dup2, fork, getpid, getppid, waitpid
from socket import CMSG_SPACE, socket
from struct import Struct
from time import sleep
from typing import Any, NoReturn

from transforms.sandbox import harness, seccomp

_ERROR_CHARS = 2_000
END = b"\n"
"""Ends the claim of a cell whose process goes on as a state."""
SPARE_FILES = 8
"""Open files that a state may have beyond a cell's: it receives descriptors."""

_DESCRIPTORS = Struct("2i")

_FUTURES = 0
for _name in __future__.all_feature_names:
    _FUTURES |= getattr(__future__, _name).compiler_flag

_NOT_ALONE = (" ", "\t", "\f", "#", ")", "]", "}", "from __future__")
"""How a last line begins that is no statement by itself."""

_python, _frames = ctypes.PyDLL(None), sys._current_frames
_CLONE_BESIDE = (
    ctypes.c_long(seccomp.NUMBERS["clone"][platform.machine() == "aarch64"] or 0),
    ctypes.c_ulong(seccomp.CLONE_PARENT | signal.SIGCHLD),
    *(ctypes.c_void_p(),) * 4,
)
"""The arguments of syscall(2) for it."""

_get_random, _set_random = random.getstate, random.setstate
_set_limit, _set_timer, _stdout = resource.setrlimit, signal.setitimer, sys.__stdout__


class Session:
    """The variables that cells share, and the way to run one more.

    Args:
        supervisor: the parent of this process, and of each state.
        output_bytes: cap on the repr of a cell's value.
        open_files: how many a cell may have open.
    """

    def __init__(self, supervisor: int, output_bytes: int, open_files: int) -> None:
        self._supervisor = supervisor
        self._output_bytes, self._open_files = output_bytes, open_files
        self._main = types.ModuleType("__main__")
        self._futures = 0
        self._seeded: set[str] = set()
        sys.set_int_max_str_digits(0)
        sys.modules["__main__"] = self._main

    def live(self, channel: socket) -> NoReturn:
        """Waits at `channel` as a state; in each process forked from it, runs the cell that comes.

        What the cell claims goes back in one line. A cell that leaves no state ends the process
        before the end of that line: an exit is what tells the supervisor so.
        """
        self._limit_files(self._open_files + SPARE_FILES)
        while True:
            self._branch(channel)
            cell = _receive(channel)
            if cell:
                self._limit_files(self._open_files)
                said = self.run(**cell)
                channel.sendall(dumps(said).encode())
                if said["status"] in ("memory_limit", "output_limit", "syntax_error"):
                    _exit(0)
                sys.settrace(None)
                sys.setprofile(None)
                _set_timer(signal.ITIMER_REAL, 0)
                self._limit_files(self._open_files + SPARE_FILES)
            channel.sendall(END)

    def run(self, code: str, number: int, seed: int) -> dict[str, Any]:
        """Runs a cell in this process and returns its claim: status, value, error_type, error.

        Args:
            seed: seeds the generators, each before the first cell that names its module.
        """
        process = getpid()
        self._seeded = harness.seed_generators(seed, code, self._seeded)
        said = self._run(code, f"<cell {number}>")
        if getpid() != process:  # a child that the cell forked came back here as well
            _exit(0)
        for stream in (sys.stdout, _stdout):
            try:
                stream.flush()  # type: ignore[union-attr]
            except Exception:  # closed, or another object by now
                continue
        return said

    def _run(self, code: str, name: str) -> dict[str, Any]:
        try:
            body, shown = self._compile(code, name)
        except harness.UNCOMPILABLE as error:
            return _failed("syntax_error", error)
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        variables = self._main.__dict__
        try:
            for part in body:
                exec(part, variables)
            value = eval(shown, variables) if shown else None
            text = None if value is None else repr(value)
        except MemoryError:
            variables.clear()  # make room for the claim itself; no state stays in any case
            return {"status": "memory_limit", "error_type": "MemoryError"}
        except SystemExit as leaving:
            if leaving.code in (None, 0):
                return {"status": "ok"}
            return _failed("runtime_error", leaving)
        except BaseException as error:
            return _failed(harness.status_of(error), error)
        if text is None:
            return {"status": "ok"}
        text = text.encode(errors="replace").decode()
        if len(text.encode()) > self._output_bytes:
            return {"status": "output_limit", "error": "its value is over the size limit"}
        return {"status": "ok", "value": text}

    def _compile(self, code: str, name: str) -> tuple[list[types.CodeType], types.CodeType | None]:
        """Returns a cell's statements in one or two parts, and its last expression apart.

        Where the last line is whole, and what precedes it too, only that line is made a syntax
        tree: a tree costs more than twice as much as compiling the text.
        """
        head, _, last = code.rstrip("\n").rpartition("\n")
        if head and not last.startswith(_NOT_ALONE):
            with suppress(*harness.UNCOMPILABLE):
                before = compile(head, name, "exec", self._futures, dont_inherit=True)
                lines_before = "\n" * (head.count("\n") + 1)
                futures = self._futures | before.co_flags & _FUTURES
                body, shown = _compile_apart(lines_before + last, name, futures)
                self._futures = futures
                return [before, body], shown
        body, shown = _compile_apart(code, name, self._futures)
        self._futures |= body.co_flags & _FUTURES
        return [body], shown

    def _branch(self, channel: socket) -> None:
        """Waits, and returns in each new process that is to run a cell from this state.

        There `channel` and the standard output are the new process's own.
        """
        while True:
            message, descriptors, _, _ = channel.recvmsg(1, CMSG_SPACE(_DESCRIPTORS.size))
            if not message:
                _exit(0)
            new = self._fork_beside()
            places = channel.fileno(), 1
            for descriptor, place in zip(
                _DESCRIPTORS.unpack(descriptors[0][2]), places, strict=True
            ):
                if new:
                    dup2(descriptor, place)
                close(descriptor)
            if new:
                channel.sendall(b"h")
                return

    def _fork_beside(self) -> bool:
        """Forks a process whose parent is the supervisor, too; returns whether this is it."""
        if len(_frames()) == 1:  # no callbacks of modules: they renew what other threads held
            return bool(_python.syscall(*_CLONE_BESIDE) == 0)
        # only the C library's own fork puts in order what threads were using: fork twice, and end
        # the process between, so that the supervisor becomes the parent
        generator = _get_random()  # forking seeds it anew
        between = fork()
        if between:
            waitpid(between, 0)
            return False
        if fork():
            _exit(0)
        _set_random(generator)
        while getppid() != self._supervisor:
            sleep(0.0001)
        return True

    def _limit_files(self, count: int) -> None:
        _set_limit(resource.RLIMIT_NOFILE, (count, self._open_files + SPARE_FILES))


def _compile_apart(
    code: str, name: str, futures: int
) -> tuple[types.CodeType, types.CodeType | None]:
    """Returns the statements of a text, and its last expression apart."""
    tree = compile(code, name, "exec", futures | ast.PyCF_ONLY_AST, dont_inherit=True)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    body = compile(tree, name, "exec", futures, dont_inherit=True)
    if last is None:
        return body, None
    expression = ast.Expression(last.value)
    futures |= body.co_flags & _FUTURES
    return body, compile(expression, name, "eval", futures, dont_inherit=True)


def _receive(channel: socket) -> dict[str, Any]:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = channel.recv(1 << 16)
        if not part:
            _exit(0)
        data += part
    return loads(data)


def _failed(status: str, error: BaseException) -> dict[str, Any]:
    try:
        frames = error.__traceback__ and error.__traceback__.tb_next  # without this module's own
        if status == "syntax_error":
            frames = None
        text = "".join(traceback.format_exception(type(error), error, frames))
    except BaseException:  # an exception of the cell's own, with methods of its own
        text = ""
    text = text.rstrip()[-_ERROR_CHARS:].encode(errors="replace").decode()
    return {"status": status, "error_type": type(error).__name__[:100], "error": text}
