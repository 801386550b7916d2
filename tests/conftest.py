"""What all tests share: their order, vLLM's own server with the embedded model."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.processes import running_with
from tests.waiting import eventually
from transforms.models.backends.settings import OpenAIBackend, VllmServerBackend
from transforms.models.engines import close_engines

# The same examples each time: `make test` says the same of the same code on any machine.
# New ones are looked for with `pytest --hypothesis-profile=default`.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.load_profile("repeatable")

SLOW = (
    "pipelines/test_interruptions.py",
    "pipelines/test_places.py",
    "hostile/test_hostile.py",
    "pipelines/benches/test_codegen.py",
    "pipelines/test_train.py",
    "recipes/trajectories/test_pictures.py",
    "recipes/execution/test_whole_runs.py",
    "pipelines/benches/planted/test_planted.py",
    "worlds/test_every_world.py",
    "pipelines/test_synthesize.py",
    "test_pages.py",
    "engine/test_one_job.py",
    "recipes/test_execution_recipes.py",
    "test_wheel.py",
)
"""Files of tests with whole runs of the command, hostile programs or training. Each is one
process's: a long one begun last would be waited for while the other processes have nothing left."""

_SETTINGS = VllmServerBackend(
    engine="vllm_server",
    model="embedded",
    api="completions",
    max_in_flight=16,
    max_model_len=2048,
    enforce_eager=True,
    cpu_kvcache_gib=1,
    timeout_seconds=600,
)
_HOLDER = """
import sys
from transforms.models.backends.vllm_server import Lease, server_plan
from transforms.models.backends.settings import VllmServerBackend
lease = Lease(server_plan(VllmServerBackend.model_validate_json(sys.argv[1])), "embedded")
place = lease.place()
print(place.base_url, place.api_key, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class VllmServer:
    """A running OpenAI-compatible server on the loopback."""

    base_url: str
    model: str
    settings: VllmServerBackend
    """Settings that share this server."""
    api_key_env: str = "COTMILL_TEST_SERVER_KEY"
    """Environment variable that holds its key."""

    def processes(self) -> list[int]:
        """Ids of the server's processes."""
        return running_with("VLLM_API_KEY", os.environ[self.api_key_env])

    def backend(self, **changes: object) -> OpenAIBackend:
        """Settings that ask this server for completions."""
        settings = {
            "engine": "openai",
            "model": self.model,
            "base_url": self.base_url,
            "api": "completions",
            "api_key_env": self.api_key_env,
            "max_in_flight": 16,
            "timeout_seconds": 600,
            **changes,
        }
        return OpenAIBackend.model_validate(settings)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the slowest files. Marks what needs the server, and runs it last: the server
    stays in memory until the end, where engines in process come and go."""
    slow = {Path(__file__).parent / name: place for place, name in enumerate(SLOW)}
    order = {}
    for item in items:
        needs_server = "vllm_server" in getattr(item, "fixturenames", ())
        order[item] = needs_server, slow.get(item.path, len(slow))
        if needs_server:
            item.add_marker("model")
    items.sort(key=order.__getitem__)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keeps tests of the model to one core where they alone are run, which `make test` does beside
    the others: threads of a model wait for each other hundreds of times a token, and so for the
    process that has the core of one of them."""
    if session.items and all(item.get_closest_marker("model") for item in session.items):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collects the tests without a search for garbage, and leaves them out of later ones.

    Modules and tests are so many, and live so long, that the search took a third of the time of
    collecting them, and a tenth of that of a recipe's run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """The machine's shared vLLM server (CPU build, embedded model, context of 2,048 tokens).

    Another process starts it and uses it for as long as the tests run; in the end that process is
    killed outright, and nothing of the server may be left.
    """
    close_engines()  # one model in memory at a time
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
        holder = subprocess.Popen(
            [sys.executable, "-c", _HOLDER, _SETTINGS.model_dump_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert holder.stdout is not None
        url, key = holder.stdout.readline().split()
        server = VllmServer(url, _SETTINGS.model, _SETTINGS)
        patch.setenv(server.api_key_env, key)
        try:
            yield server
        finally:
            close_engines()
            holder.kill()
            holder.wait()
        assert eventually(lambda: not running_with("VLLM_API_KEY", key))
