"""Tests of the supervisor and its leases, with a server that needs no model."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.processes import running_with
from tests.waiting import eventually
from transforms.engine.errors import BackendError
from transforms.models.backends.supervisor import Plan
from transforms.models.backends.vllm_server import Lease

_SERVER = """
import http.server, subprocess, sys
subprocess.Popen(["sleep", "600"])  # as vLLM's engine is a process of its own
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_USER = """
import json, sys
from transforms.models.backends.supervisor import Plan
from transforms.models.backends.vllm_server import Lease
lease = Lease(Plan(**json.loads(sys.argv[1])), "m")
print(lease.place().api_key, flush=True)
sys.stdin.read()
"""
_MARK = "COTMILL_TEST_PLAN"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plan]:
    """A plan whose processes, the supervisor not among them, are marked by this test's folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    yield Plan([sys.executable, "-c", _SERVER, "{port}"], {_MARK: str(tmp_path)}, "FAKE_KEY")
    assert eventually(lambda: not running_with(_MARK, str(tmp_path)))
    assert eventually(lambda: not running_with("XDG_RUNTIME_DIR", str(tmp_path)))


@pytest.fixture
def lease(plan: Plan) -> Iterator[Lease]:
    lease = Lease(plan, "m")
    yield lease
    lease.close()


def _server(plan: Plan) -> list[int]:
    return running_with(_MARK, plan.environment[_MARK])


def _healthy(base_url: str) -> bool:
    with urllib.request.urlopen(base_url.replace("/v1", "/health"), timeout=300) as answer:
        return bool(answer.status == 200)


def _user(plan: Plan) -> subprocess.Popen[str]:
    """Another process with a lease, once the server runs."""
    import json
    from dataclasses import asdict

    user = subprocess.Popen(
        [sys.executable, "-c", _USER, json.dumps(asdict(plan))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert user.stdout is not None and user.stdout.readline().strip()
    return user


def _supervisors(plan: Plan) -> list[int]:
    """Ids of the supervisors: what runs for this test's folder and is no server of it."""
    found = []
    for pid in running_with("XDG_RUNTIME_DIR", os.environ["XDG_RUNTIME_DIR"]):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if "transforms.models.backends.supervisor" in psutil.Process(pid).cmdline():
                found.append(pid)
    return found


def test_a_lease_alone_starts_no_server(plan: Plan, lease: Lease) -> None:
    assert len(_supervisors(plan)) == 1
    assert _server(plan) == []


def test_a_server_runs_where_its_lease_says(plan: Plan, lease: Lease) -> None:
    assert _healthy(lease.place().base_url)


def test_users_share_one_server(plan: Plan, lease: Lease) -> None:
    user = _user(plan)
    other = Lease(plan, "m")
    assert other.place() == lease.place()
    assert len(_server(plan)) == 2  # the server, and the process it started
    other.close()
    user.kill()
    user.wait()
    assert _healthy(lease.place().base_url)


def test_a_server_ends_with_its_last_user(plan: Plan) -> None:
    lease = Lease(plan, "m")
    lease.place()
    lease.close()
    assert eventually(lambda: not _server(plan))


def test_users_that_are_killed_leave_no_server(plan: Plan) -> None:
    users = [_user(plan), _user(plan)]
    for user in users:
        os.killpg(user.pid, signal.SIGKILL)
        user.wait()
    assert eventually(lambda: not _server(plan))


def test_a_server_that_is_killed_is_started_again_at_its_place(plan: Plan, lease: Lease) -> None:
    place, before = lease.place(), _server(plan)
    os.kill(before[0], signal.SIGKILL)
    assert eventually(lambda: len(_server(plan)) == 2 and not set(before) & set(_server(plan)))
    assert lease.place() == place and _healthy(place.base_url)


def test_a_supervisor_that_is_killed_takes_its_server_along(plan: Plan, lease: Lease) -> None:
    lease.place()
    (supervisor,) = _supervisors(plan)
    os.kill(supervisor, signal.SIGKILL)
    assert eventually(lambda: not _server(plan))


def test_a_user_whose_supervisor_was_killed_gets_another(plan: Plan, lease: Lease) -> None:
    lease.place()
    (supervisor,) = _supervisors(plan)
    os.kill(supervisor, signal.SIGKILL)
    assert _healthy(lease.place().base_url)
    assert _supervisors(plan) != [supervisor]


def test_a_server_that_does_not_start_says_why_in_one_line(plan: Plan) -> None:
    command = [sys.executable, "-c", "raise ValueError('no such model')"]
    lease = Lease(Plan(command, plan.environment, plan.key_variable), "m")
    with pytest.raises(BackendError, match="does not start for m: ValueError: no such mod") as end:
        lease.place()
    lease.close()
    assert "\n" not in str(end.value)
