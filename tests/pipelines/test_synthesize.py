"""The main job, whole: the real command, a real model behind a real server, real seeds."""

import json
import subprocess
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.pipelines import commands
from tests.runs import rows
from transforms.engine.paths import DATA
from transforms.engine.records import Example
from transforms.engine.tables import arrow_schema

SMALL = [
    "empty_status=0",
    "sampling=embedded",
    "sampling.num_programs=24",
    "sampling.unify.max_tokens=160",
    "sampling.program.max_tokens=256",
    "sampling.reverse.max_tokens=96",
    "sampling.solve.max_tokens=96",
    "sampling.solve.samples=2",
    "filter.min_code_lines=4",
    "sandbox.slots=2",
]


def cotmill(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = commands.cotmill("synthesize", *arguments)
    if check:
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Shipped seeds of three kinds, and two problems that have no program yet."""
    path = tmp_path_factory.mktemp("seeds") / "seeds.jsonl"
    lines = []
    for kind in ("rates", "algebra", "percent_interest"):
        lines += (DATA / "seeds" / f"{kind}.jsonl").read_text().splitlines()
    bare = [
        {"problem": "A box holds 12 eggs. How many eggs are in 7 boxes?", "answer": "84"},
        {"problem": "What is the colour of the sky at noon?"},
    ]
    path.write_text("\n".join([*lines, *map(json.dumps, bare)]) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def run(vllm_server, seeds, tmp_path_factory):
    """(folder, what was printed, the arguments) of a finished run on the real model."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    arguments = [
        "backend=openai",
        f"backend.base_url={vllm_server.base_url}",
        f"backend.api_key_env={vllm_server.api_key_env}",
        f"backend.model={vllm_server.model}",
        "backend.api=completions",
        "source=jsonl",
        f"source.path={seeds}",
        "source.license=Apache-2.0",
        *SMALL,
    ]
    printed = cotmill(*arguments, f"output_dir={folder}").stdout
    return folder, printed, arguments


def manifest(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_every_stage_takes_in_what_it_keeps_and_rejects(run):
    folder, _, _ = run
    found = manifest(folder)
    assert found["status"] == "complete"
    stages = {stage["name"]: stage for part in found["segments"] for stage in part["stages"]}
    assert list(stages) == [
        "seeds",
        "validate",
        "unify",
        "sample",
        "form",
        "execute",
        "meaning",
        "structure",
        "trivial",
        "reverse",
        "answerable",
        "solve",
        "verify",
        "deduplicate",
        "decontaminate",
    ]
    for stage in stages.values():
        assert stage["in"] == stage["kept"] + sum(stage["rejected"].values())
    assert stages["seeds"]["in"] == 42
    assert stages["unify"]["rejected"]["no_reference_answer"] == 1
    assert stages["sample"]["in"] == 24
    assert stages["execute"]["in"] > 0, "no program reached the sandbox"


def test_the_manifest_says_what_was_spent_and_where_rows_come_from(run):
    folder, _, _ = run
    found = manifest(folder)
    [sample] = [s for part in found["segments"] for s in part["stages"] if s["name"] == "sample"]
    spent = sample["models"]["embedded"]
    assert spent["requests"] == 24 and spent["tokens.generated"] > 24
    assert found["tokens"]["generated"] >= spent["tokens.generated"]
    assert found["lineage"][0]["license"] == "Apache-2.0"
    assert found["config"]["sampling"]["num_programs"] == 24
    assert found["versions"]["apache-beam"]
    assert {layer["name"] for layer in found["sandbox"]} >= {"seccomp", "landlock"}


def test_a_report_shows_the_run_and_the_manifest_holds_its_figures(run):
    folder, _, _ = run
    found = manifest(folder)["diversity"]
    assert list(found) == ["rows", "programs", "seeds"]
    assert found["rows"]["rows"] == manifest(folder)["accepted"]
    assert found["seeds"]["fingerprints"]["distinct"] > 10
    assert "Records kept and rejected at each stage" in (folder / "report.html").read_text()


def test_data_holds_the_accepted_rows_in_the_columns_of_the_contract(run):
    folder, _, _ = run
    data = pq.read_table(folder / "data")
    assert data.schema.names == arrow_schema(Example).names
    assert len(data) == manifest(folder)["accepted"]


def test_rejects_hold_the_record_and_the_reason(run):
    folder, _, _ = run
    rejects = pl.read_parquet(f"{folder}/rejects/*.parquet")
    counted = sum(
        count
        for part in manifest(folder)["segments"]
        for stage in part["stages"]
        for count in stage["rejected"].values()
    )
    assert len(rejects) == counted > 0
    for row in rejects.to_dicts():
        assert json.loads(row["record"])["id"] == row["id"] or row["record_type"] == "Row"


def test_in_a_pipe_progress_is_plain_lines_and_the_funnel_comes_last(run):
    _, printed, _ = run
    assert "\x1b" not in printed
    assert "03-sample: sample: 24 in" in printed
    assert printed.index("Funnel") < printed.index("Top reject reasons")
    assert "accepted rows in" in printed


@pytest.fixture(scope="module")
def replays(run, tmp_path_factory):
    """Two replays of the run's ledger: one on one worker, one on two worker processes."""
    folder, _, arguments = run
    without_backend = [item for item in arguments if not item.startswith("backend")]
    folders = []
    for workers in (1, 2):
        again = tmp_path_factory.mktemp("replays") / str(workers)
        cotmill(
            "backend=replay",
            f"ledger.dir={folder}/ledger",
            *without_backend,
            f"runner.workers={workers}",
            f"output_dir={again}",
        )
        folders.append(again)
    return folders


def test_a_replay_gives_the_same_rows_and_ids_without_a_model(run, replays):
    folder, _, _ = run
    assert rows(replays[0]) == rows(folder)
    assert manifest(replays[0])["run_id"] == manifest(folder)["run_id"]
    assert manifest(replays[0])["tokens"]["generated"] == 0


def test_two_worker_processes_give_the_same_rows_as_one(replays):
    one, two = replays
    assert rows(one) == rows(two)
    for path in (one / "data").iterdir():
        assert path.read_bytes() == (two / "data" / path.name).read_bytes()


def test_a_replay_that_needs_a_response_the_ledger_lacks_names_the_request(run, tmp_path):
    folder, _, arguments = run
    without_backend = [item for item in arguments if not item.startswith("backend")]
    done = cotmill(
        "backend=replay",
        f"ledger.dir={folder}/ledger",
        *without_backend,
        "seed=1",
        f"output_dir={tmp_path / 'miss'}",
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("cotmill: ") and "request" in line and "unify" in line


def test_a_chat_endpoint_is_asked_with_messages(vllm_server, seeds, tmp_path):
    folder = tmp_path / "chat"
    cotmill(
        "backend=openai",
        f"backend.base_url={vllm_server.base_url}",
        f"backend.api_key_env={vllm_server.api_key_env}",
        f"backend.model={vllm_server.model}",
        "backend.api=chat",
        "backend.continue_prefix=true",
        "source=jsonl",
        f"source.path={seeds}",
        "source.limit=5",
        "source.license=Apache-2.0",
        *SMALL,
        "sampling.num_programs=4",
        "sampling.program.shots=1",
        f"output_dir={folder}",
    )
    asked = pl.read_parquet(f"{folder}/ledger/*.parquet").filter(pl.col("stage") == "sample")
    assert len(asked) == 4
    for row in asked.to_dicts():
        assert [turn["role"] for turn in json.loads(row["request"])["messages"]] == [
            "system",
            "user",
        ]
        assert row["text"].startswith('```python\ninput = {"')


def test_a_finished_run_is_refused_then_resumed_without_work(run):
    folder, _, arguments = run
    refused = cotmill(*arguments, f"output_dir={folder}", check=False)
    assert refused.returncode == 1
    assert "resume=true" in refused.stderr and len(refused.stderr.strip().splitlines()) == 1
    before = rows(folder)
    again = cotmill(*arguments, f"output_dir={folder}", "resume=true")
    assert again.stdout.count("done before") == 7
    assert rows(folder) == before


def test_an_interrupted_run_is_finished_from_its_ledger(run, replays):
    folder = replays[0]
    _, _, arguments = run
    before = rows(folder)
    interrupted = manifest(folder)
    interrupted["segments"] = interrupted["segments"][:4]
    (folder / "manifest.json").write_text(json.dumps(interrupted))
    (folder / "stages" / "05-reverse" / "part-00000-of-00009.parquet").write_bytes(b"stale")
    without_backend = [item for item in arguments if not item.startswith("backend")]
    cotmill(
        "backend=replay",
        f"ledger.dir={run[0]}/ledger",
        *without_backend,
        f"output_dir={folder}",
        "resume=true",
    )
    assert rows(folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sampling.num_program=3"], "did you mean sampling.num_programs?"),
        (["source=jsonl", "source.path=nowhere/*.jsonl"], "nowhere/*.jsonl"),
        (
            ["decontaminate.benchmarks.mine={type: jsonl, path: nowhere.jsonl}"],
            "in decontaminate.benchmarks.mine: source.path=nowhere.jsonl matches no file",
        ),
        (["backend=nothing"], "backend=nothing: there is no such choice"),
        (["backend=replay", "ledger.dir=nowhere"], "nowhere"),
        (["sandbox.memory_mb=1"], "sandbox.memory_mb=1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_status_1(tmp_path, arguments, message):
    done = cotmill(*arguments, f"output_dir={tmp_path / 'run'}", check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_is_not_there_is_one_line_that_names_it(tmp_path, seeds):
    done = cotmill(
        "backend=openai",
        "backend.base_url=http://127.0.0.1:9/v1",
        "backend.model=m",
        "backend.max_retries=0",
        "source=jsonl",
        f"source.path={seeds}",
        "source.license=Apache-2.0",
        f"output_dir={tmp_path / 'run'}",
        check=False,
    )
    assert done.returncode == 1
    assert "http://127.0.0.1:9/v1" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
