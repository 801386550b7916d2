"""Fixtures that several test folders share: vLLM's own server with the embedded model."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from transforms.generation.engines import close_engines
from transforms.settings import OpenAIBackend


@dataclass(frozen=True)
class VllmServer:
    """A running OpenAI-compatible server on the loopback."""

    base_url: str
    model: str

    def backend(self, **changes: object) -> OpenAIBackend:
        """Settings that ask this server for completions."""
        settings = {
            "engine": "openai",
            "model": self.model,
            "base_url": self.base_url,
            "api": "completions",
            "max_in_flight": 16,
            "timeout_seconds": 120,
            **changes,
        }
        return OpenAIBackend.model_validate(settings)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs what needs the server last: its threads spin, and would slow everything after it."""
    items.sort(key=lambda item: "vllm_server" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """vLLM's OpenAI server (CPU build, embedded model, context of 2,048 tokens)."""
    from transforms.generation.embedded import EMBEDDED, embedded_model

    close_engines()  # one model in memory at a time
    model = embedded_model()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm_server") / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
            + ["--host", "127.0.0.1", "--port", str(port), "--model", str(model)]
            + ["--served-model-name", EMBEDDED, "--max-model-len", "2048", "--enforce-eager"]
            # The CPU build dies on a seeded request whose prompt is prefilled in chunks.
            + ["--no-enable-chunked-prefill"],
            env={
                **os.environ,
                "VLLM_CPU_KVCACHE_SPACE": "1",
                "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, sorted(os.sched_getaffinity(0)))),
                "VLLM_NO_USAGE_STATS": "1",
                "DO_NOT_TRACK": "1",
                "HF_HUB_OFFLINE": "1",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(server, port, log)
        yield VllmServer(f"http://127.0.0.1:{port}/v1", EMBEDDED)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # whatever of the group is left
        server.wait()


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"vLLM's server did not start:\n{log.read_text(errors='replace')[-2000:]}")
