"""The process that keeps one server running for as long as anyone on this machine uses it.

Users hold a connection to its Unix socket. The kernel closes it however a user ends, so the
supervisor knows when the last one is gone, also where a whole process group was killed; then it
ends the server and itself. It is in a session of its own, out of reach of the terminal and of
what kills its users. Should the supervisor be killed itself, a watcher ends the server, and the
next user starts another supervisor. Nothing here knows of vLLM, and nothing but the standard
library is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import random
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

SOCKET, LOG, _ALIVE = "socket", "server.log", "alive"
"""Files of the runtime folder: where users connect, what the server said, who supervises."""

_TICK = 0.2
_HEALTH_SECONDS, _HEALTH_TIMEOUT, _HEALTH_FAILURES = 2.0, 30.0, 3
"""How often a server is asked, how long it may take, and after how many failures it is replaced."""
_GRACE_SECONDS = 5.0
"""From SIGTERM to SIGKILL; killed outright, a server leaves its shared memory behind."""
_UNUSED_SECONDS = 30.0
"""A supervisor to which nobody ever comes ends itself."""
_RESTARTS = 3
"""A server that once ran may fail to start so often in a row; one that never ran, once."""


@dataclass(frozen=True)
class Plan:
    """What to run: `{port}` in the command is filled in, the key is in the environment."""

    command: list[str]
    environment: dict[str, str]
    key_variable: str
    """Environment variable that tells the server its API key."""


class _Health(threading.Thread):
    """Asks the server for its health, beside the loop that must not wait."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.healthy = False
        self.failures = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(_HEALTH_SECONDS if self.healthy else _TICK):
            if self._answers():
                self.healthy, self.failures = True, 0
            else:
                self.failures += 1

    def _answers(self) -> bool:
        asked = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_HEALTH_TIMEOUT)
        try:
            asked.request("GET", "/health")
            return asked.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            asked.close()


class _Server:
    """One running server, its health, and the watcher that outlives us."""

    def __init__(self, plan: Plan, port: int, key: str, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [part.replace("{port}", str(port)) for part in plan.command],
                env={**os.environ, **plan.environment, plan.key_variable: key},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", f"read _; kill -s KILL -- -{self._process.pid}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._health = _Health(port)
        self._health.start()

    @property
    def healthy(self) -> bool:
        return self._health.healthy

    @property
    def gone(self) -> bool:
        """Whether it has ended, or no longer answers."""
        stuck = self.healthy and self._health.failures >= _HEALTH_FAILURES
        return stuck or self._process.poll() is not None

    def end(self) -> None:
        """Ends the server and every process of its session."""
        self._health.stopped.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._watcher.kill()
        self._watcher.wait()


class Supervisor:
    """Serves users until the last one is gone.

    A user sends `use` and a newline, and gets one line of JSON once the server is healthy:
    `base_url` and `api_key`, or `error`. It may ask again at any time. A user that sends nothing
    keeps the supervisor, and a server that others started, alive.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder, self._plan = folder, plan
        self._key = secrets.token_urlsafe(24)
        self._port = _free_port()
        self._server: _Server | None = None
        self._ran = False
        self._failed_starts = 0
        self._users: set[socket.socket] = set()
        self._waiting: set[socket.socket] = set()
        self._stopped = False

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._stop)
        with (self._folder / _ALIVE).open("wb") as alive:
            fcntl.flock(alive, fcntl.LOCK_EX)  # the one before us may still be ending its server
            path = self._folder / SOCKET
            path.unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX) as door, selectors.DefaultSelector() as ready:
                door.bind(str(path))
                door.listen(128)
                door.setblocking(False)
                ready.register(door, selectors.EVENT_READ)
                try:
                    self._serve(door, ready)
                finally:
                    path.unlink(missing_ok=True)
                    door.close()
                    if self._server:
                        self._server.end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True

    def _serve(self, door: socket.socket, ready: selectors.BaseSelector) -> None:
        unused_until: float | None = time.monotonic() + _UNUSED_SECONDS
        while not self._stopped:
            for key, _ in ready.select(_TICK):
                if key.fileobj is door:
                    user, _ = door.accept()
                    user.setblocking(False)
                    ready.register(user, selectors.EVENT_READ)
                    self._users.add(user)
                    unused_until = None
                else:
                    self._hear(key.fileobj, ready)  # type: ignore[arg-type]
            if not self._users and (unused_until is None or time.monotonic() > unused_until):
                return
            self._tend()

    def _hear(self, user: socket.socket, ready: selectors.BaseSelector) -> None:
        try:
            said = user.recv(4096)
        except OSError:
            said = b""
        if said:
            self._waiting.add(user)
            return
        ready.unregister(user)
        user.close()
        self._users.discard(user)
        self._waiting.discard(user)

    def _tend(self) -> None:
        """Starts, replaces and announces the server as its state asks for."""
        if self._server and self._server.gone:
            ran = self._server.healthy
            self._server.end()
            self._server = None
            self._failed_starts = 0 if ran else self._failed_starts + 1
            if self._failed_starts >= (_RESTARTS if self._ran else 1):
                self._tell({"error": self._last_words()})
            elif not self._ran:
                self._port = _free_port()
        if self._server is None and (self._waiting or self._ran):
            self._server = _Server(self._plan, self._port, self._key, self._folder / LOG)
        if self._server and self._server.healthy:
            self._ran, self._failed_starts = True, 0
            self._tell({"base_url": f"http://127.0.0.1:{self._port}/v1", "api_key": self._key})

    def _tell(self, answer: dict[str, str]) -> None:
        if "error" in answer:
            self._ran = False  # no more starts until somebody asks
            self._failed_starts = 0
        for user in self._waiting:
            with contextlib.suppress(OSError):  # its end is heard in the loop
                user.send(json.dumps(answer).encode() + b"\n")
        self._waiting.clear()

    def _last_words(self) -> str:
        """The last line of the log that names an error, else its last."""
        text = (self._folder / LOG).read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        errors = [line for line in lines if "Error:" in line and "Engine core init" not in line]
        return (errors or lines or ["it said nothing"])[-1][-400:]


def _free_port() -> int:
    """Returns a port that nobody listens at.

    It is none of those that the kernel gives to connections, from 32768 on: one of them could be
    taken while the server loads its model.
    """
    while True:
        with socket.socket() as free, contextlib.suppress(OSError):
            free.bind(("127.0.0.1", random.SystemRandom().randrange(10_000, 32_768)))
            return int(free.getsockname()[1])


def main() -> None:
    """Supervises the server whose `Plan` comes as JSON on stdin; the argument is the folder."""
    Supervisor(Path(sys.argv[1]), Plan(**json.load(sys.stdin))).run()


if __name__ == "__main__":
    main()
