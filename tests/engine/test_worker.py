"""Worker processes are known by their number and start: a recycled number is nobody's."""

import os
import subprocess
import sys

import pytest

from transforms.engine.worker import owed_by, register, registered, unregister


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_registers_is_found_until_it_unregisters(tmp_path, monkeypatch):
    monkeypatch.setenv("COTMILL_WORKERS", str(tmp_path))
    register(tmp_path)
    assert [process.pid for process in registered(tmp_path)] == [os.getpid()]
    unregister()
    assert list(registered(tmp_path)) == []


def test_another_process_with_the_number_of_an_ended_worker_is_not_found(tmp_path, sleeper):
    register(tmp_path)
    (tmp_path / str(os.getpid())).rename(tmp_path / str(sleeper.pid))
    assert list(registered(tmp_path)) == []


def test_a_worker_that_has_ended_is_not_found(tmp_path, sleeper):
    register(tmp_path)
    sleeper.kill()
    sleeper.wait()
    (tmp_path / str(os.getpid())).rename(tmp_path / str(sleeper.pid))
    assert list(registered(tmp_path)) == []


def test_how_many_answers_a_worker_is_owed_is_unknown_until_it_tells(tmp_path):
    register(tmp_path)
    [worker] = registered(tmp_path)
    assert owed_by(tmp_path, worker) is None
    (tmp_path / f"{worker.pid}.owed").write_text("3")
    assert owed_by(tmp_path, worker) == 3
    assert [process.pid for process in registered(tmp_path)] == [worker.pid]
