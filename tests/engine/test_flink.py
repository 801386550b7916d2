"""The job that Flink's portable runner would be given. Flink itself has not been run.

What its batch translator takes is in Beam's FlinkBatchPortablePipelineTranslator: Impulse, Flatten,
GroupByKey and Reshuffle by themselves, and everything else inside stages that SDK workers execute.
"""

from __future__ import annotations

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.flink_runner import FlinkRunner

from tests.settings_for_tests import composed
from transforms.engine.one_job import build_job
from transforms.engine.recipe import build_segments
from transforms.engine.run_folder import RunFolder
from transforms.engine.runners import open_pipeline

BY_THEMSELVES = {"impulse", "flatten", "group_by_key", "reshuffle"}
IN_STAGES = {
    "pardo",
    "combine_per_key",
    "combine_globally",
    "combine_per_key_precombine",
    "combine_per_key_merge_accumulators",
    "combine_per_key_extract_outputs",
    "combine_grouped_values",
}


@pytest.fixture(scope="module")
def job() -> beam_runner_api_pb2.Pipeline:
    settings = composed(
        *("runner=flink", "runner.master=jobs:8081", "output_dir=s3://bucket/run"),
        *("source=function", "source.function=tests.engine.test_dataflow.rows"),
        *("source.license=MIT", "backend=openai", "backend.model=m"),
        "backend.base_url=http://models.example/v1",
    )
    segments = build_segments(settings, settings.output_dir, f"{settings.output_dir}/ledger")
    pipeline = open_pipeline(settings.runner)
    build_job(pipeline, segments, None, RunFolder(settings.output_dir), settings)
    options = PipelineOptions.from_dictionary(settings.runner.beam_options())
    runner = FlinkRunner()
    return runner.get_proto_pipeline(pipeline, options)


def test_flink_is_given_only_transforms_that_its_batch_translator_takes(
    job: beam_runner_api_pb2.Pipeline,
) -> None:
    primitives = {
        each.spec.urn.removeprefix("beam:transform:").removesuffix(":v1")
        for each in job.components.transforms.values()
        if not each.subtransforms and each.spec.urn
    }
    assert {"impulse", "group_by_key", "pardo"} <= primitives
    assert primitives <= BY_THEMSELVES | IN_STAGES


def test_flink_is_asked_for_nothing_beyond_plain_functions(
    job: beam_runner_api_pb2.Pipeline,
) -> None:
    payloads = [
        beam_runner_api_pb2.ParDoPayload.FromString(each.spec.payload)
        for each in job.components.transforms.values()
        if each.spec.urn == "beam:transform:pardo:v1"
    ]
    assert len(payloads) > 100
    for payload in payloads:
        assert not payload.restriction_coder_id  # no splittable DoFn that checkpoints itself
        assert not payload.timer_family_specs and not payload.state_specs
        assert not payload.requests_finalization and not payload.requires_stable_input
    assert not job.requirements


def test_every_collection_of_the_job_is_bounded_and_in_the_global_window(
    job: beam_runner_api_pb2.Pipeline,
) -> None:
    bounded = beam_runner_api_pb2.IsBounded.BOUNDED
    assert {each.is_bounded for each in job.components.pcollections.values()} == {bounded}
    windows = {each.window_fn.urn for each in job.components.windowing_strategies.values()}
    assert windows == {"beam:window_fn:global_windows:v1"}


def test_workers_are_the_pool_beside_each_task_manager(job: beam_runner_api_pb2.Pipeline) -> None:
    used = {each.environment_id for each in job.components.transforms.values()} - {""}
    environments = [job.components.environments[each] for each in used]
    assert {each.urn for each in environments} == {"beam:env:external:v1"}
    assert all(b"localhost:50000" in each.payload for each in environments)
