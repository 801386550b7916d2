"""What a Flex Template starts is a run whose settings are right, and which is not waited for."""

from __future__ import annotations

import json

from pipelines.arguments import readable
from pipelines.flex_template import words
from tests.settings_for_tests import composed
from transforms.engine.paths import PROJECT

FLAGS = [
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=us-central1",
    "--job_name=first",
    "--temp_location=gs://bucket/temp",
    "--staging_location=gs://bucket/staging",
    "--template_location=gs://bucket/staging/job/job_object",
    "--service_account_email=worker@my-project.iam.gserviceaccount.com",
    "--sdk_container_image=us-docker.pkg.dev/my-project/cotmill/worker:1",
    "--experiments=one",
    "--experiments=two",
    "--a_flag_of_a_later_launcher=x",
]
SETTINGS = (
    "output_dir=gs://bucket/run source.path=gs://bucket/seeds.jsonl backend=vllm "
    "backend.model=Qwen/Qwen2.5-7B-Instruct "
    "'runner.accelerator=\"type:nvidia-l4;count:1;install-nvidia-driver\"'"
)


def test_the_launchers_flags_and_the_parameters_make_one_run() -> None:
    command, *rest = words([*FLAGS, f"--settings={SETTINGS}"])
    runner = composed(*map(readable, rest)).runner
    assert command == "synthesize" and not runner.waits
    options = runner.beam_options()
    assert options["template_location"] == "gs://bucket/staging/job/job_object"
    assert options["experiments"] == ["one", "two", "no_use_multiple_sdk_containers"]
    assert options["sdk_container_image"] == "us-docker.pkg.dev/my-project/cotmill/worker:1"
    assert options["service_account_email"].startswith("worker@")


def test_the_template_declares_the_parameters_that_are_read() -> None:
    declared = json.loads((PROJECT / "docker" / "flex_template.json").read_text())["parameters"]
    assert {each["name"] for each in declared} == {"settings", "sdk_container_image"}
    for each in declared:
        assert each["label"] and each["helpText"]
