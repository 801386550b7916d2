"""The job that Dataflow's own translation makes of a recipe, without a cloud."""

from __future__ import annotations

from typing import Any

import pytest
from apache_beam.internal import pickler
from apache_beam.portability.api import beam_runner_api_pb2
from google.protobuf import json_format

from pipelines import synthesize
from tests.settings_for_tests import DATAFLOW, composed
from transforms.engine.dataflow import JOB_BYTES, DataflowJob, dataflow_job
from transforms.engine.recipe import Segment, build_segments
from transforms.engine.run_folder import RunFolder
from transforms.models.episode import ModelEpisode
from transforms.recipes.settings import Settings

GPU = "type:nvidia-l4;count:1;install-nvidia-driver"
RUN = [
    *DATAFLOW,
    "runner.dry_run=true",
    f"runner.accelerator='{GPU}'",
    "runner.min_ram=30GB",
    "runner.max_workers=20",
    "runner.job_name=first",
    "output_dir=gs://bucket/run",
    "source=function",
    "source.function=tests.engine.test_dataflow.rows",
    "source.license=MIT",
]
VLLM = ["backend=vllm", "backend.model=Qwen/Qwen2.5-7B-Instruct"]
ASKS = {"unify", "sample", "reverse", "solve"}
"""The stages of the recipe that ask a model."""


def rows():
    yield {"problem": "What is 2 + 2?", "answer": "4"}


def assembled(*more: str) -> tuple[Settings, tuple[Segment, ...]]:
    settings = composed(*RUN, *more)
    ledger = f"{settings.output_dir}/ledger"
    return settings, build_segments(settings, settings.output_dir, ledger)


@pytest.fixture(scope="module")
def vllm() -> tuple[tuple[Segment, ...], DataflowJob]:
    settings, segments = assembled(*VLLM)
    return segments, dataflow_job(segments, RunFolder(settings.output_dir), settings)


def test_all_stages_of_a_recipe_are_steps_of_one_batch_job(
    vllm: tuple[tuple[Segment, ...], DataflowJob],
) -> None:
    segments, job = vllm
    stages = {f"{segment.label}/{each.name}" for segment in segments for each in segment.stages}
    assert len(stages) == 15
    assert stages <= job.steps().keys()
    version = json_format.MessageToDict(job.environment._pb)["version"]
    assert version["job_type"] == "FNAPI_BATCH"
    assert job.bytes < JOB_BYTES / 4


def leaves(job: DataflowJob) -> list[Any]:
    """The primitive transforms of a job."""
    return [each for each in job.pipeline.components.transforms.values() if not each.subtransforms]


def hints_of(job: DataflowJob, transform: Any) -> dict[str, bytes]:
    environment = job.pipeline.components.environments[transform.environment_id]
    return dict(environment.resource_hints)


def test_hints_are_on_the_steps_that_load_a_model_and_on_no_other(
    vllm: tuple[tuple[Segment, ...], DataflowJob],
) -> None:
    _, job = vllm
    hinted = {each.unique_name: hints for each in leaves(job) if (hints := hints_of(job, each))}
    assert {tuple(name.split("/")[1:]) for name in hinted} == {
        (stage, "Episodes", "Play", "ParDo(_Play)") for stage in ASKS
    }
    for hints in hinted.values():
        assert hints["beam:resources:accelerator:v1"] == GPU.encode()
        assert hints["beam:resources:min_ram_bytes:v1"] == b"30000000000"


def test_rows_leave_a_step_that_loads_a_model_by_a_shuffle(
    vllm: tuple[tuple[Segment, ...], DataflowJob],
) -> None:
    _, job = vllm
    for play in (each for each in leaves(job) if hints_of(job, each)):
        [results] = (pcoll for tag, pcoll in play.outputs.items() if tag != "tallies")
        takers = [each.unique_name for each in leaves(job) if results in each.inputs.values()]
        stage = play.unique_name.removesuffix("Episodes/Play/ParDo(_Play)")
        assert takers and all(name.startswith(f"{stage}Leave the model/") for name in takers)


def test_every_function_of_the_job_can_be_unpickled(
    vllm: tuple[tuple[Segment, ...], DataflowJob],
) -> None:
    _, job = vllm
    payloads = [
        beam_runner_api_pb2.ParDoPayload.FromString(each.spec.payload).do_fn
        for each in leaves(job)
        if each.spec.urn == "beam:transform:pardo:v1"
    ]
    pickled = [each.payload for each in payloads if each.urn == "beam:dofn:pickled_python_info:v1"]
    assert len(pickled) > 100
    assert all(pickler.loads(payload) for payload in pickled)


def test_a_stage_that_asks_an_endpoint_gives_no_hints() -> None:
    there = ["backend=openai", "backend.model=m", "backend.base_url=http://models.example/v1"]
    stages = [stage for segment in assembled(*there)[1] for stage in segment.stages]
    asking = [stage for stage in stages if isinstance(stage, ModelEpisode)]
    assert {stage.name for stage in asking} == ASKS
    assert not any(stage.hints() for stage in asking)


def test_image_and_options_are_complete(vllm: tuple[tuple[Segment, ...], DataflowJob]) -> None:
    _, job = vllm
    assert job.name == "first"
    assert job.images() == {"us-docker.pkg.dev/p/cotmill/worker:1"}
    environment = json_format.MessageToDict(job.environment._pb)
    [pool] = environment["workerPools"]
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 20
    assert {each["containerImage"] for each in pool["sdkHarnessContainerImages"]} == job.images()
    assert "no_use_multiple_sdk_containers" in environment["experiments"]
    options = environment["sdkPipelineOptions"]["options"]
    expected = {"project": "my-project", "region": "us-central1", "sdk_location": "container"}
    assert expected.items() <= options.items()


def test_a_dry_run_shows_the_job_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    synthesize._main(composed(*RUN, *VLLM, "recipe=predict"))
    shown = capsys.readouterr().out
    assert "02-predict/predict" in shown and "sdk_container_image: us-docker.pkg.dev/p" in shown
    assert shown.strip().endswith("nothing was sent (runner.dry_run=true)")
