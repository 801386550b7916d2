"""One sandbox per process, and as many slots as it has cores."""

import os
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.programs_for_tests import SANDBOX
from transforms.models.driver import Drive
from transforms.sandbox.cores import LOCAL_WORKERS, cores_of_process, cpu_quota, memory_limit
from transforms.sandbox.sandbox import Job, Sandbox
from transforms.sandbox.shared import shared_sandbox


def test_those_who_hold_a_sandbox_at_one_time_hold_the_same_one():
    with shared_sandbox(SANDBOX) as one:
        with shared_sandbox(SANDBOX) as other:
            assert one is other
        assert next(one.run([Job("output = 1")])).output == "1"


def test_the_last_to_leave_closes_it():
    with shared_sandbox(SANDBOX) as box:
        pass
    with pytest.raises(Exception, match="not open"):
        box.submit(Job("output = 1"))


def test_other_limits_are_another_sandbox():
    other_limits = SANDBOX.model_copy(update={"cpu_seconds": 1})
    with shared_sandbox(SANDBOX) as one, shared_sandbox(other_limits) as other:
        assert one is not other


def test_a_forked_process_does_not_use_its_parents_sandbox():
    with shared_sandbox(SANDBOX) as parents:
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            with shared_sandbox(SANDBOX) as own:
                os.write(write, b"own" if own is not parents else b"parent's")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 100) == b"own"
        assert next(parents.run([Job("output = 1")])).output == "1"


def plus_one(number):
    return int((yield Job(f"output = {number} + 1")).output)


def test_stages_of_a_pipeline_start_one_sandbox(monkeypatch):
    started = []
    enter = Sandbox.__enter__
    monkeypatch.setattr(Sandbox, "__enter__", lambda box: started.append(box) or enter(box))
    with TestPipeline() as pipeline:
        numbers = pipeline | beam.Create([1, 2])
        for place in range(3):
            driven = numbers | f"Run {place}" >> Drive("run", plus_one, sandbox=SANDBOX)
            numbers = driven.results
        assert_that(numbers, equal_to([4, 5]))
    assert len(started) == 1


def group(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_the_smallest_quota_above_a_process_counts(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("0::/pod/task\n")
    group(tmp_path / "fs", cpu__max="max 100000\n")
    group(tmp_path / "fs/pod", cpu__max="150000 100000\n")
    group(tmp_path / "fs/pod/task", cpu__max="400000 100000\n")
    assert cpu_quota(membership, tmp_path / "fs") == 1.5


def test_version_1_of_control_groups_is_read(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("4:cpu,cpuacct:/task\n3:memory:/task\n")
    group(tmp_path / "fs/cpu/task", cpu__cfs_quota_us="200000\n", cpu__cfs_period_us="100000\n")
    group(tmp_path / "fs/memory/task", memory__limit_in_bytes="5000\n")
    assert cpu_quota(membership, tmp_path / "fs") == 2
    assert memory_limit(membership, tmp_path / "fs") == 5000


def test_the_smallest_memory_limit_above_a_process_counts(tmp_path):
    membership = tmp_path / "cgroup"
    membership.write_text("0::/pod/task\n")
    group(tmp_path / "fs/pod", memory__max="7000\n")
    group(tmp_path / "fs/pod/task", memory__max="max\n")
    assert memory_limit(membership, tmp_path / "fs") == 7000


def test_no_control_group_is_no_limit(tmp_path):
    assert cpu_quota(tmp_path / "nothing", tmp_path) is None
    assert memory_limit(tmp_path / "nothing", tmp_path) is None


def test_local_workers_share_the_cores_of_the_affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(5)))
    monkeypatch.setattr("transforms.sandbox.cores.cpu_quota", lambda: None)
    assert cores_of_process() == 5
    monkeypatch.setenv(LOCAL_WORKERS, "2")
    assert cores_of_process() == 2
    monkeypatch.setenv(LOCAL_WORKERS, "9")
    assert cores_of_process() == 1
