"""Programs through Beam: statuses, determinism, order, and several worker processes."""

from __future__ import annotations

import json

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.programs_for_tests import SANDBOX, program
from transforms.models.driver import Drive
from transforms.sandbox.sandbox import Job, Sandbox, Status
from transforms.stages.execute import Execute, finish_program, plan_program

SETTINGS = SANDBOX.model_copy(update={"memory_mb": 512})


def executed(code: str):
    record = program(code)
    with Sandbox(SETTINGS) as box:
        return finish_program(record, list(box.run(plan_program(record, "always"))))


@pytest.mark.parametrize(
    "code",
    [
        "output = str({str(i) for i in range(50)})",
        "import random; output = random.random()",
        "import numpy; output = numpy.random.rand()",
        "import os; output = os.urandom(8).hex()",
        "import time; output = time.time()",
        "import uuid; output = str(uuid.uuid4())",
        "output = id(object()) if hash('a') % 2 else hash('a')",
    ],
)
def test_programs_that_differ_between_runs_are_nondeterministic(code):
    assert executed(code).status == Status.NONDETERMINISTIC


def test_a_set_is_the_same_under_any_hash_seed():
    execution = executed("output = {str(i) for i in range(50)}")
    assert execution.status == Status.OK


def test_an_execution_keeps_its_program_and_names_its_error():
    execution = executed("input = {'a': 1}\noutput = [][0]")
    assert (execution.id, execution.tokens, execution.status) == ("p", 1, "runtime_error")
    assert execution.error == "IndexError: list index out of range"
    assert execution.output is None


def test_determinism_off_runs_once():
    assert len(plan_program(program("output = 1"), "off")) == 1


def test_execute_gives_one_execution_aprogram():
    programs = [program(f"output = {i} / {i % 2}", id=str(i)) for i in range(6)]
    with TestPipeline() as pipeline:
        executions = pipeline | beam.Create(programs) | Execute(sandbox=SETTINGS)
        assert_that(
            executions | beam.Map(lambda e: (e.id, e.status, e.output)),
            equal_to(
                [
                    (str(i), "ok", str(float(i))) if i % 2 else (str(i), "runtime_error", None)
                    for i in range(6)
                ]
            ),
        )


def test_several_worker_processes_lose_nothing():
    options = PipelineOptions(
        ["--runner=FnApiRunner", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    )
    programs = [program(f"output = {i}", id=str(i)) for i in range(12)]
    with TestPipeline(options=options) as pipeline:
        executions = pipeline | beam.Create(programs) | beam.Reshuffle() | Execute(sandbox=SETTINGS)
        assert_that(
            executions | beam.Map(lambda e: (e.id, e.output)),
            equal_to([(str(i), str(i)) for i in range(12)]),
        )


def two_jobs_or_none(number: int):
    results = yield [Job(f"output = {number + i}") for i in range(2)] if number % 2 else []
    return number, [json.loads(result.output) for result in results]


def test_each_record_is_given_its_own_results_also_none():
    with TestPipeline() as pipeline:
        out = pipeline | beam.Create(range(4)) | Drive("run", two_jobs_or_none, sandbox=SETTINGS)
        assert_that(out.results, equal_to([(0, []), (1, [1, 2]), (2, []), (3, [3, 4])]))


def test_windows_and_timestamps_survive():
    with TestPipeline() as pipeline:
        windowed = (
            pipeline
            | beam.Create([1, 11])
            | beam.Map(lambda n: beam.window.TimestampedValue(n, n))
            | beam.WindowInto(beam.window.FixedWindows(10))
        )
        driven = windowed | Drive("run", two_jobs_or_none, sandbox=SETTINGS)
        out = driven.results | beam.Map(lambda out, w=beam.DoFn.WindowParam: (out[0], int(w.start)))
        assert_that(out, equal_to([(1, 0), (11, 10)]))


def test_sampled_determinism_runs_one_program_in_ten_twice_and_always_the_same_ones():
    programs = [program("x = {1}", str(number)) for number in range(1000)]
    twice = [p.id for p in programs if len(plan_program(p, "sampled")) == 2]
    assert 60 < len(twice) < 140
    assert twice == [p.id for p in programs if len(plan_program(p, "sampled")) == 2]
    assert all(len(plan_program(p, "off")) == 1 for p in programs)
    assert all(len(plan_program(p, "always")) == 2 for p in programs)


def test_a_program_that_no_seed_can_touch_runs_once():
    assert len(plan_program(program("output = sum([1, 2])"), "always")) == 1
