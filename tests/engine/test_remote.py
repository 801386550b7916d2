"""What workers on other machines cannot reach is refused before anything is spent."""

import pytest

from pipelines.over_parquet import OverParquet
from tests.settings_for_tests import DATAFLOW, composed
from transforms.engine.errors import SettingsError
from transforms.engine.machine import on_loopback
from transforms.engine.settings import parse_settings

REACHED = [
    "output_dir=gs://bucket/run",
    "source=jsonl",
    "source.path=gs://bucket/seeds.jsonl",
    "backend=openai",
    "backend.model=m",
    "backend.base_url=http://10.0.0.7:8000/v1",
]
PORTABLE = "{runner: PortableRunner, job_endpoint: 'jobs:8099', environment_type: EXTERNAL}"
RUNNERS = [
    DATAFLOW,
    ["runner=flink", "runner.master=jobs:8081"],
    ["runner=beam", f"runner.options={PORTABLE}"],
]


@pytest.mark.parametrize("runner", RUNNERS, ids=["dataflow", "flink", "beam"])
def test_what_every_machine_reaches_is_taken(runner):
    assert composed(*runner, *REACHED).runner.is_remote


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("output_dir=runs/first", "output_dir=runs/first is a folder of this machine"),
        ("ledger.dir=/tmp/ledger", "ledger.dir=/tmp/ledger is a folder of this machine"),
        ("source.path=seeds.jsonl", "source.path=seeds.jsonl is on this machine"),
        ("backend.base_url=http://localhost:8000/v1", "is this machine's own"),
        (
            "decontaminate.benchmarks={exam: {type: jsonl, path: exam.jsonl}}",
            "decontaminate.benchmarks.exam.path=exam.jsonl is on this machine",
        ),
        (
            "models={judge: {engine: openai, model: j, base_url: 'http://[::1]:1/v1', api: chat}}",
            "models.judge.base_url=http://[::1]:1/v1 is this machine's own",
        ),
    ],
)
def test_a_place_of_this_machine_is_refused_on_a_remote_runner(override, name):
    with pytest.raises(SettingsError) as error:
        composed(*DATAFLOW, *REACHED, override)
    assert name in str(error.value)
    assert "runner=dataflow has workers on other machines" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_in_a_folder_of_this_machine_is_refused_on_a_remote_runner(tmp_path):
    with pytest.raises(SettingsError, match="backend.model=.* is a folder of this machine"):
        composed(*DATAFLOW, *REACHED[:3], "backend=vllm", f"backend.model={tmp_path}")


def test_a_command_over_any_parquet_is_refused_local_files_on_a_remote_runner():
    runner = dict(each.removeprefix("runner.").split("=") for each in DATAFLOW[1:])
    values = {
        "input": ["gs://bucket/rows.parquet", "rows.parquet"],
        "output_dir": "gs://bucket/run",
        "runner": {"type": "dataflow", **runner},
        "sink": {"rows_per_shard": 9, "compression": "none"},
    }
    with pytest.raises(SettingsError, match="^input=rows.parquet is on this machine"):
        parse_settings(values, OverParquet)
    assert parse_settings({**values, "input": "gs://bucket/rows.parquet"}, OverParquet)


@pytest.mark.parametrize("runner", ["{runner: PrismRunner}", PORTABLE.replace("jobs", "localhost")])
def test_workers_on_this_machine_reach_its_folders(runner):
    assert not composed("runner=beam", f"runner.options={runner}").runner.is_remote


@pytest.mark.parametrize("address", ["localhost:1", "http://0.0.0.0/v1", "[::1]:80", "[local]"])
def test_loopback_is_known_in_all_its_forms(address):
    assert on_loopback(address)
