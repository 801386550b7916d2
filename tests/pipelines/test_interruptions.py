"""Whatever ends a run, resuming it gives the rows of a run that nothing ended."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from tests.models.fault_server import FaultServer, fault_server
from tests.pipelines.shipped_answers import shipped_answer, stage_of, write_seeds
from tests.runs import rows
from tests.waiting import eventually

FLUSH = 5
IN_FLIGHT = 4


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with fault_server(answer=shipped_answer) as state:
        yield state


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_seeds(tmp_path_factory.mktemp("seeds") / "seeds.jsonl")


def command(server: FaultServer, seeds: Path, folder: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pipelines.cli", "synthesize", f"output_dir={folder}"),
        *("source=jsonl", f"source.path={seeds}", "source.license=Apache-2.0"),
        *("backend=openai", f"backend.base_url={server.base_url}", "backend.model=m"),
        *("backend.api=completions", f"backend.max_in_flight={IN_FLIGHT}", "backend.max_retries=0"),
        *(f"ledger.flush_requests={FLUSH}", "ledger.flush_seconds=600"),
        *("sampling.num_programs=36", "sampling.solve.samples=1", "verify.rounds=1"),
        *("sampling.program.shots=1", "sampling.reverse.shots=1", "sampling.solve.shots=1"),
        *("dedup.max_per_fingerprint=9", "filter.max_trivial_share=1", "sandbox.slots=2"),
        *more,
    ]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(arguments: list[str]) -> str:
    """Runs to the end and returns what was printed."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def wait_for(server: FaultServer, asked: int, run: subprocess.Popen[str]) -> None:
    """Waits until the server has been asked so often."""

    def is_asked() -> bool:
        assert run.poll() is None, run.communicate()
        return server.total() >= asked

    eventually(is_asked)


def processes_of(folder: Path) -> list[str]:
    """Processes whose command or environment names a run's folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile, or is another user's
            command = process.cmdline()
            if str(folder) in " ".join([*command, *process.environ().values()]):
                found.append(f"{process.pid}: {command}")
    return found


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


@pytest.fixture(scope="module")
def undisturbed(
    server: FaultServer, seeds: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Counter[str]]:
    """A run that nothing ended, and the prompts that it asked."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    finish(command(server, seeds, folder))
    asked = Counter(server.asked)
    server.asked.clear()
    assert manifest(folder)["accepted"] > 10
    assert asked.total() == len(pl.read_parquet(f"{folder}/ledger/*.parquet"))
    return folder, asked


@pytest.fixture(autouse=True)
def _ask_anew(server: FaultServer, undisturbed: Any) -> None:
    server.asked.clear()


def test_a_run_killed_at_five_random_moments_gives_the_rows_of_an_undisturbed_one(
    server: FaultServer, seeds: Path, undisturbed: tuple[Path, Counter[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    expected, needed = undisturbed
    total = sum(needed.values())
    again = 0
    for moment in sorted(random.Random(5).sample(range(1, total - 2), 5)):
        run = start(command(server, seeds, folder, f"resume={str(folder.exists()).lower()}"))
        wait_for(server, moment + again, run)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        server.settle()
        again = (server.asked - needed).total()
    finish(command(server, seeds, folder, "resume=true"))
    assert rows(folder) == rows(expected)
    assert server.asked.keys() == needed.keys()
    assert sum(server.asked.values()) - total <= 5 * (FLUSH + IN_FLIGHT)


@pytest.mark.parametrize(
    ("workers", "signum", "everyone"),
    [(1, signal.SIGTERM, False), (2, signal.SIGINT, True)],
    ids=["SIGTERM to the command", "Ctrl-C with two worker processes"],
)
def test_a_signal_loses_no_response_and_leaves_a_run_that_can_be_resumed(
    seeds: Path,
    undisturbed: tuple[Path, Counter[str]],
    tmp_path: Path,
    workers: int,
    signum: int,
    everyone: bool,
) -> None:
    folder = tmp_path / "run"
    expected, needed = undisturbed
    signal_came = threading.Event()

    def answer(prompt: str) -> str:
        if server.total() >= 20:
            signal_came.wait()
        return shipped_answer(prompt)

    with fault_server(answer=answer) as server:
        # Nothing is flushed but by the signal.
        arguments = command(server, seeds, folder, "ledger.flush_requests=1000")
        run = start([*arguments, f"runner.workers={workers}"])
        wait_for(server, 20, run)
        (os.killpg if everyone else os.kill)(run.pid, signum)
        assert run.stderr is not None
        waits = run.stderr.readline()
        signal_came.set()
        _, line = run.communicate(timeout=600)
        assert run.returncode == 128 + signum
        assert "answer" in waits and "Ctrl-C again to drop" in waits
        assert signal.Signals(signum).name in line and "resume=true" in line
        assert len(line.splitlines()) == 1
        found = manifest(folder)
        assert (found["status"], found["open_segment"]) == ("interrupted", "03-sample")
        assert [segment["name"] for segment in found["segments"]] == ["01-seeds", "02-unify"]
        assert processes_of(folder) == []
        recorded = pl.read_parquet(f"{folder}/ledger/*.parquet")
        assert len(recorded) == server.asked.total() >= 20
        finish([*arguments, "resume=true"])
        assert rows(folder) == rows(expected)
        assert server.asked == needed


def test_a_second_ctrl_c_drops_the_answers_that_are_waited_for(seeds: Path, tmp_path: Path) -> None:
    with fault_server(answer=shipped_answer, fault=lambda _: "hang") as server:
        run = start(command(server, seeds, tmp_path / "run", "runner.workers=2"))
        wait_for(server, 2 * IN_FLIGHT, run)
        os.killpg(run.pid, signal.SIGINT)
        assert run.stderr is not None
        assert f"waiting for {2 * IN_FLIGHT} answers that are paid for" in run.stderr.readline()
        os.killpg(run.pid, signal.SIGINT)
        _, stderr = run.communicate(timeout=600)
    assert run.returncode == 128 + signal.SIGINT
    assert "resume=true" in stderr
    assert manifest(tmp_path / "run")["status"] == "interrupted"
    assert processes_of(tmp_path / "run") == []


def test_workers_whose_driver_is_killed_write_what_they_have_and_end(
    server: FaultServer, seeds: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    more = ["runner.workers=2", "ledger.flush_requests=1000"]
    run = start(command(server, seeds, folder, *more))
    wait_for(server, 20, run)
    run.kill()
    run.communicate()
    eventually(lambda: not processes_of(folder))
    recorded = pl.read_parquet(f"{folder}/ledger/*.parquet")
    assert len(recorded) >= 20 - 2 * IN_FLIGHT


def test_a_budget_ends_a_run_within_what_is_in_flight_and_a_larger_one_goes_on(
    server: FaultServer, seeds: Path, undisturbed: tuple[Path, Counter[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    expected, needed = undisturbed
    some = 12  # requests, of 5 tokens each
    arguments = command(server, seeds, folder)
    arguments += ["prices={m: {prompt: 1000000, cached: 0, generated: 1000000}}"]
    ended = subprocess.run(
        [*arguments, "runner.workers=2", f"budget.max_tokens={5 * some}"],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert f"budget.max_tokens={5 * some} is reached" in line and "resume=true" in line
    found = manifest(folder)
    assert found["status"] == "budget"
    assert some <= sum(server.asked.values()) <= some + 2 * IN_FLIGHT
    assert found["spent"]["tokens"] == 5 * sum(server.asked.values())
    printed = finish([*arguments, "resume=true", f"budget.max_cost={50 * needed.total()}"])
    assert rows(folder) == rows(expected)
    assert server.asked == needed
    found = manifest(folder)
    # one of a request's three prompt tokens was cached, and costs nothing
    assert found["spent"] == {"tokens": 5 * needed.total(), "cost": 4.0 * needed.total()}
    assert found["cost"]["paid"] + found["cost"]["recorded"] == 4 * needed.total()
    assert f"{4 * needed.total() / found['accepted']:,.4f} per accepted row" in printed


LASTING = ("500", "half", "empty", "null", "hang", "reset")
"""Faults that a prompt keeps until the server is mended."""
PASSING = ("once", "limited", "unlucky")
"""Faults of a prompt's first request."""


def fault_of(prompt: str) -> str:
    """One prompt in nine has a fault, all kinds alike."""
    return (*LASTING, *PASSING, *["well"] * 72)[zlib.crc32(prompt.encode()) % 81]


def test_a_run_against_a_failing_server_that_is_killed_twice_loses_no_row_once_the_server_is_mended(
    seeds: Path, undisturbed: tuple[Path, Counter[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    expected, needed = undisturbed
    mended = False

    def fault(prompt: str) -> str:
        return "well" if mended else fault_of(prompt)

    with fault_server(answer=shipped_answer, fault=fault) as server:
        arguments = command(server, seeds, folder, "backend.timeout_seconds=6")
        arguments += ["backend.max_retries=1", "runner.workers=2"]
        lost = 0
        for moment in (20, 60):
            run = start([*arguments, f"resume={str(folder.exists()).lower()}"])
            wait_for(server, moment, run)
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            server.settle()
            recorded = pl.read_parquet(f"{folder}/ledger/*.parquet")
            lost = (
                server.answered.total() - recorded.filter(pl.col("finish_reason") != "error").height
            )
        printed = finish([*arguments, "resume=true"])

        found = manifest(folder)
        put_off = pl.read_parquet(f"{folder}/unanswered/*.parquet")
        assert (found["status"], found["unanswered"]) == ("incomplete", len(put_off))
        assert f"{len(put_off)} records unanswered" in printed and "resume=true" in printed
        assert set(put_off["reason"]) == {"unanswered"} and all(put_off["detail"])
        failed = Counter(stage_of(p) for p in server.asked if fault_of(p) in LASTING)
        put_off_at = Counter(put_off["stage"])
        assert put_off_at >= failed  # records of equal prompts share a request
        assert put_off_at.keys() == failed.keys()
        for segment in found["segments"]:
            for stage in segment["stages"]:
                ends = stage["kept"] + sum(stage["rejected"].values()) + stage["unanswered"]
                assert stage["in"] == ends
                assert stage["unanswered"] == put_off_at[stage["name"]]

        mended = True
        finish([*arguments, "resume=true"])
        found = manifest(folder)
        assert (found["status"], found["unanswered"]) == ("complete", 0)
        assert not list(folder.glob("unanswered/*"))
        assert rows(folder) == rows(expected)
        # What the kills lost was paid for twice, at most what one flush and the open requests hold.
        assert server.answered.keys() == needed.keys()
        assert server.answered.total() - needed.total() == lost <= 2 * 2 * (FLUSH + IN_FLIGHT)
        stages = [stage for segment in found["segments"] for stage in segment["stages"]]
        spent = [stage.get("models", {}).get("m", {}) for stage in stages]
        made = sum(s.get("requests", 0) + s.get("requests.recorded", 0) for s in spent)
        assert made == needed.total()


def test_a_replay_of_a_run_with_failures_gives_its_rows_and_its_account(
    seeds: Path, tmp_path: Path
) -> None:
    with fault_server(answer=shipped_answer, fault=fault_of) as server:
        arguments = command(server, seeds, tmp_path / "run", "backend.timeout_seconds=6")
        finish([*arguments, "backend.max_retries=1"])
    replay = [a for a in arguments if not a.startswith(("backend", "output_dir", "ledger.dir"))]
    replay += ["backend=replay", f"ledger.dir={tmp_path}/run/ledger"]
    finish([*replay, f"output_dir={tmp_path}/replay"])

    def account(folder: Path) -> list[list[Any]]:
        stages = [stage for each in manifest(folder)["segments"] for stage in each["stages"]]
        return [
            [s[what] for what in ("name", "in", "kept", "rejected", "unanswered")] for s in stages
        ]

    assert account(tmp_path / "replay") == account(tmp_path / "run")
    assert rows(tmp_path / "replay") == rows(tmp_path / "run")
    assert manifest(tmp_path / "replay")["unanswered"] > 0


def test_a_second_run_with_other_filters_pays_for_nothing_that_the_shared_ledger_holds(
    server: FaultServer, seeds: Path, undisturbed: tuple[Path, Counter[str]], tmp_path: Path
) -> None:
    expected, _ = undisturbed
    folder = tmp_path / "run"
    # Every seed has 10 lines, so the examples shown are the same; programs written have fewer, too.
    other = ["filter.min_code_lines=9", f"ledger.dir={expected}/ledger"]
    finish(command(server, seeds, folder, *other))
    assert server.asked.total() == 0
    found = manifest(folder)
    assert 0 < found["accepted"] < manifest(expected)["accepted"]
    assert found["tokens"]["generated"] == 0 and found["tokens"]["recorded"] > 0
