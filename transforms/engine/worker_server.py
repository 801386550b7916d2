"""Forks local worker processes from one process that has imported what they need.

A pipeline of several workers starts each of them anew, and a run has as many pipelines as segments:
imports would be most of what short segments cost.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from transforms.engine.lean_imports import lean_imports

_IMPORTED_LATE = ("aiohttp", "pandas")
"""What each worker would import as it runs: pyarrow wants pandas when it is first given a list."""

_lock = threading.Lock()
_server: WorkerServer | None = None


class WorkerServer:
    """The driver's end of a server process, which ends with the driver.

    It begins to import Beam at once, and forks workers once it knows what else they need.
    """

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
            )

    def close(self) -> None:
        """Ends the server, and with it the workers that still run."""
        self._requests.close()
        assert self._process.stdin is not None
        if not self._process.stdin.closed:  # nobody waits for what it imports
            self._process.kill()
            self._process.stdin.close()
        self._process.wait()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def have_imported(self, modules: Iterable[str]) -> None:
        """Has the server import these modules, by their names, before it forks the first worker.

        Only the first call for a server counts.
        """
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as names:
                names.write(" ".join(modules).encode())

    def start(self, environment: Mapping[str, str]) -> Worker:
        """Forks a worker with this environment, and with this process's output.

        `have_imported` comes before the first.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._requests, [b"."], [theirs.fileno(), 1, 2])
        ours.sendall(json.dumps(dict(environment)).encode())
        ours.shutdown(socket.SHUT_WR)
        return Worker(ours)


class Worker:
    """A forked worker process, with what Beam's local runner uses of `subprocess.Popen`."""

    def __init__(self, status: socket.socket) -> None:
        self._status = status.makefile("rb")
        status.close()
        self.pid = int(self._status.readline() or 0)
        self.returncode: int | None = None

    def wait(self) -> int:
        """Returns the exit status once the process has ended; -9 where its server ended first."""
        if self.returncode is None:
            self.returncode = int(self._status.readline() or -signal.SIGKILL)
        return self.returncode

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        if self.pid and self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def begin_server() -> None:
    """Starts this process's server, if none runs: it imports Beam while the driver does."""
    with _lock:
        _running()


def prepare_workers() -> None:
    """Has this process's server, which is started where none runs, import what this process has,
    while the driver gets ready."""
    with _lock:
        _ready()


def start_worker(environment: Mapping[str, str]) -> Worker:
    """Forks a worker from this process's server, which is started where none runs."""
    with _lock:
        return _ready().start(environment)


def _ready() -> WorkerServer:
    server = _running()
    server.have_imported(sorted(name for name in sys.modules if name.startswith("transforms.")))
    return server


def _running() -> WorkerServer:
    global _server
    if _server is None or not _server.runs:
        _server = WorkerServer()
        atexit.register(_server.close)
    return _server


def _serve(requests: socket.socket) -> dict[str, str] | None:
    """Forks a worker for each request; returns None once the driver has ended.

    In a worker it returns at once, with the environment that the request names.
    """
    waiting = selectors.DefaultSelector()
    waiting.register(requests, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is requests:
                message, files, _, _ = socket.recv_fds(requests, 1, 3)
                if not message:
                    return None
                pid = os.fork()
                asker = socket.socket(fileno=files[0])
                if not pid:
                    waiting.close()
                    return _take_over(asker, files[1:])
                for file in files[1:]:
                    os.close(file)
                _tell(asker, pid)
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, asker))
            else:
                pid, asker = key.data
                _tell(asker, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                asker.close()
                waiting.unregister(key.fileobj)
                os.close(key.fd)


def _tell(asker: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # the driver has ended
        asker.sendall(b"%d\n" % number)


def _take_over(asker: socket.socket, output: list[int]) -> dict[str, str]:
    for target, file in enumerate(output, start=1):
        os.dup2(file, target)
        os.close(file)
    with asker, asker.makefile("rb") as request:
        environment: dict[str, str] = json.load(request)
    return environment


def main(file: str) -> None:
    """Imports the modules that standard input names, then serves the requests of a socket.

    `file` is the number of the socket's descriptor.
    """
    # Ctrl-C and a supervisor's signals reach workers by the driver, which outlives them.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    with lean_imports():
        worker: Any = importlib.import_module("transforms.engine.worker")
        importlib.import_module("apache_beam.runners.worker.sdk_worker_main")
        for module in sys.stdin.read().split():
            importlib.import_module(module)
    for module in _IMPORTED_LATE:
        importlib.import_module(module)
    gc.freeze()
    server = os.getpid()
    with socket.socket(fileno=int(file)) as requests:
        environment = _serve(requests)
    if environment is None:
        os._exit(0)  # at once: workers learn of the driver's end by this process's
    os.environ.clear()
    os.environ.update(environment)
    worker.main(server)


if __name__ == "__main__":
    main(*sys.argv[1:])
