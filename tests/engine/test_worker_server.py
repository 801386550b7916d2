"""Workers are forked with the environment and output of the driver, which learns how each ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.processes import all_end
from transforms.engine.worker_server import Worker, WorkerServer


@contextmanager
def open_server() -> Iterator[WorkerServer]:
    server = WorkerServer()
    server.have_imported(["transforms.engine.ids"])
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server() -> Iterator[WorkerServer]:
    with open_server() as server:
        yield server


@contextmanager
def open_worker(server: WorkerServer) -> Iterator[Worker]:
    """A worker whose driver's port is open but silent: it waits for work."""
    with socket.create_server(("127.0.0.1", 0)) as control:
        url = f"url: '127.0.0.1:{control.getsockname()[1]}'"
        worker = server.start({**os.environ, "CONTROL_API_SERVICE_DESCRIPTOR": url})
        yield worker
        worker.kill()
        worker.wait()


def test_a_worker_without_a_driver_to_ask_fails(
    server: WorkerServer, capfd: pytest.CaptureFixture[str]
) -> None:
    assert server.start({"PATH": os.environ["PATH"]}).wait() == 1
    assert "CONTROL_API_SERVICE_DESCRIPTOR" in capfd.readouterr().err


def test_a_worker_that_is_killed_is_known_by_the_signal(server: WorkerServer) -> None:
    with open_worker(server) as worker:
        worker.kill()
        assert (worker.wait(), worker.poll()) == (-signal.SIGKILL, -signal.SIGKILL)


def test_workers_end_with_their_server() -> None:
    with open_server() as server, open_worker(server) as worker:
        process = psutil.Process(worker.pid)
        server.close()
        assert worker.wait() == -signal.SIGKILL
        assert all_end([process])
