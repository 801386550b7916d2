"""The same rows and account wherever files and workers are: on disk, in stores, and on Beam's
portable runner Prism with workers that share nothing with the driver but pipeline and store.

What needs Prism runs where there is one (`tests.prism`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.chat_server import chat_server
from tests.models.fault_server import FaultServer, fault_server
from tests.pipelines.shipped_answers import shipped_answer, write_seeds
from tests.prism import WorkerPool, prism, prism_binary, worker_pool
from tests.processes import all_end, kill_all
from tests.stores import BUCKET, failing, gs_server, s3_server
from tests.waiting import eventually
from transforms.engine.files import FileSystems
from transforms.engine.paths import PROJECT
from transforms.engine.run_folder import RunFolder, files_below
from transforms.engine.tables import write_text
from transforms.models.ledger.parts import ledger_parts, read_columns
from transforms.models.requests import request_from_json

__all__ = ["prism", "prism_binary"]

SEEDS = f"s3://{BUCKET}/seeds.jsonl"


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """How the object store is found, by this process too."""
    with s3_server() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield found


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory, store: dict[str, str]) -> Path:
    """The driver's folder, working directory and place for temporary files; seeds in the store."""
    folder = tmp_path_factory.mktemp("driver")
    (folder / "tmp").mkdir()
    write_text(SEEDS, write_seeds(folder / "seeds.jsonl").read_text())
    return folder


@pytest.fixture(scope="module")
def pool(
    driver: Path, store: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerPool]:
    with worker_pool(driver, tmp_path_factory.mktemp("workers"), store) as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with fault_server(answer=shipped_answer) as running:
        yield running


def outside(prism: str, pool: WorkerPool) -> list[str]:
    """The settings by which a run has its workers in the pool."""
    places = f"job_endpoint: '{prism}', environment_config: '{pool.address}'"
    return [
        "runner=beam",
        f"runner.options={{runner: PortableRunner, environment_type: EXTERNAL, {places}}}",
    ]


def caco(server: FaultServer, folder: str, *more: str) -> list[str]:
    return [
        *(f"output_dir={folder}", "source=jsonl", f"source.path={SEEDS}"),
        *("source.license=Apache-2.0", "backend=openai", "backend.model=m"),
        *(f"backend.base_url={server.base_url}", "backend.api=completions"),
        *("backend.max_in_flight=4", "sampling.num_programs=24", "sampling.solve.samples=1"),
        *("sampling.program.shots=1", "sampling.reverse.shots=1", "sampling.solve.shots=1"),
        *("verify.rounds=1", "dedup.max_per_fingerprint=9", "filter.max_trivial_share=1"),
        *("sandbox.slots=2", *more),
    ]


def start(driver: Path, settings: list[str], **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "synthesize", *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=driver,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "TMPDIR": f"{driver}/tmp", **variables},
    )


def finish(driver: Path, settings: list[str], **variables: str) -> None:
    run = start(driver, settings, **variables)
    _, errors = run.communicate(timeout=600)
    assert run.returncode == 0, errors[-4000:]


def account(folder: str) -> dict[str, Any]:
    """What became of a run's records, with the ids of its accepted rows."""
    run = RunFolder(folder)
    manifest = run.read_manifest()
    assert manifest is not None
    stages = {
        stage["name"]: (stage["in"], stage["kept"], stage["rejected"], stage["unanswered"])
        for segment in manifest["segments"]
        for stage in segment["stages"]
    }
    ids: list[str] = []
    for path in files_below(run.path("data")):
        with FileSystems.open(path) as file:
            ids += pq.read_table(file, columns=["id"])["id"].to_pylist()
    return {"status": manifest["status"], "stages": stages, "ids": sorted(ids)}


@pytest.fixture(scope="module")
def direct(driver: Path, server: FaultServer) -> dict[str, Any]:
    """The account of a run by one worker, on disk."""
    finish(driver, caco(server, f"{driver}/direct"))
    found = account(f"{driver}/direct")
    assert found["status"] == "complete" and len(found["ids"]) > 5
    return found


@pytest.fixture(scope="module")
def needed(driver: Path, direct: dict[str, Any]) -> int:
    """How many requests a run has."""
    return sum(len(read_columns(part, ["id"])) for part in ledger_parts(f"{driver}/direct/ledger"))


def test_two_workers_on_a_store_that_fails_now_and_then_lose_nothing(
    driver: Path, server: FaultServer, direct: dict[str, Any], store: dict[str, str]
) -> None:
    folder = f"s3://{BUCKET}/two"
    with failing(store) as (proxy, found):
        finish(driver, caco(server, folder, "runner.workers=2"), **found)
        assert proxy.cut_off and proxy.failed > 10
    assert account(folder) == direct


def forget(server: FaultServer) -> None:
    """Has a server count its requests anew."""
    for each in (server.asked, server.at, server.bodies):
        each.clear()


def asked(server: FaultServer) -> Counter[tuple[str, int]]:
    """How often each request was sent, by prompt and seed: one prompt is asked with several."""
    return Counter((body["prompt"], body["seed"]) for body in list(server.bodies))


def paid_for(folder: str) -> set[tuple[str, int]]:
    """Prompt and seed of the requests whose answers are in a run's ledger."""
    found = set()
    for part in ledger_parts(f"{folder}/ledger"):
        for row in read_columns(part, ["request", "model_id"]).to_pylist():
            said = json.loads(row["request"])
            request = request_from_json("", "m", row["model_id"], said)
            found.add((said["prompt"], request.seed))
    return found


def test_workers_from_outside_that_are_killed_in_each_kind_of_stage_lose_nothing(
    driver: Path,
    server: FaultServer,
    direct: dict[str, Any],
    needed: int,
    prism: str,
    pool: WorkerPool,
) -> None:
    """The model is asked; programs are run; all is answered, and rows are grouped and written.

    What is in the ledger when the workers are gone is never asked again.

    For a worker that ends before it has reported to it, Prism waits without end. One of the kills
    may hit such a worker on a slow machine: the driver is killed then, too.
    """
    folder = f"s3://{BUCKET}/outside"
    settings = [*caco(server, folder), *outside(prism, pool)]
    forget(server)
    moments = (
        lambda: server.total() >= 20,
        lambda: (
            FileSystems.exists(f"{folder}/stages/03-sample.counts.json") and pool.runs_programs()
        ),
        lambda: len(asked(server)) == needed,
    )
    paid, lines = [], []
    for moment in moments:
        run = start(driver, [*settings, f"resume={str(bool(paid)).lower()}"])
        eventually(lambda: run.poll() is not None or moment(), seconds=600)  # noqa: B023
        assert run.poll() is None, run.communicate()
        kill_all(workers := pool.workers())
        assert all_end(workers)
        paid.append((paid_for(folder), asked(server)))
        try:
            _, errors = run.communicate(timeout=180)
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
            continue
        assert run.returncode == 1
        lines += errors.splitlines()
    assert len(lines) >= 2
    assert all("lost a worker" in line and "resume=true" in line for line in lines)
    finish(driver, [*settings, "resume=true"])
    assert account(folder) == direct
    for recorded, before in paid:
        assert all(asked(server)[each] == before[each] for each in recorded)
    assert paid[1][0]


def test_a_run_in_gs_that_a_budget_ends_goes_on_and_pays_for_nothing_twice(
    driver: Path, server: FaultServer, direct: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = f"gs://{BUCKET}/run"
    settings = caco(server, folder, f"source.path={driver}/seeds.jsonl")
    forget(server)
    with gs_server() as found:
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        run = start(driver, [*settings, "budget.max_tokens=100"])
        _, errors = run.communicate(timeout=600)
        assert run.returncode == 1 and "budget.max_tokens=100 is reached" in errors
        paid = server.asked.total()
        finish(driver, [*settings, "resume=true"])
        assert account(folder) == direct
    assert 20 <= paid < server.asked.total()
    assert set(asked(server).values()) == {1}


def tool_answer(body: dict[str, Any]) -> dict[str, Any]:
    """Doubles a number by the tool, then gives what the tool gave."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return {"content": f"The answer is \\boxed{{{last['content'].strip()}}}."}
    number = re.findall(r"\d+", last["content"])[0]
    arguments = json.dumps({"code": f"print({number} * 2)"})
    call = {"name": "python", "arguments": arguments}
    return {"content": "", "tool_calls": [{"id": "c", "type": "function", "function": call}]}


def test_conversations_with_a_tool_are_the_same_with_workers_from_outside(
    driver: Path, prism: str, pool: WorkerPool
) -> None:
    seeds = f"s3://{BUCKET}/doubles.jsonl"
    lines = ({"problem": f"What is twice {n}?", "answer": str(2 * n)} for n in range(10, 30))
    write_text(seeds, "".join(json.dumps(line) + "\n" for line in lines))
    with chat_server(tool_answer) as (url, _):
        settings = [
            *("recipe=tool_math", "source=jsonl", f"source.path={seeds}", "source.license=MIT"),
            *("backend=openai", "backend.model=m", f"backend.base_url={url}", "sandbox.slots=2"),
            "recipe.stages.solve.sampler.samples=2",
        ]
        finish(driver, [*settings, f"output_dir={driver}/tools"])
        finish(driver, [*settings, f"output_dir=s3://{BUCKET}/tools", *outside(prism, pool)])
    found = account(f"s3://{BUCKET}/tools")
    assert found == account(f"{driver}/tools")
    assert len(found["ids"]) == 40
