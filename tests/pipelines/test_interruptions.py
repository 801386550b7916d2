"""Whatever ends a run, resuming it gives the rows of a run that nothing ended."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.generation.fault_server import FaultServer, fault_server, first_word
from tests.pipelines.shipped_answers import shipped_answer, stage_of, write_seeds

FLUSH = 5
IN_FLIGHT = 4
TIMINGS = ["wall_seconds", "cpu_seconds", "peak_mb"]


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
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def wait_for(server: FaultServer, asked: int, run: subprocess.Popen[str]) -> None:
    """Waits until the server has been asked so often."""
    while sum(server.asked.values()) < asked:
        assert run.poll() is None, run.communicate()
        time.sleep(0.005)


def processes_of(folder: Path) -> list[str]:
    """Processes whose command or environment names a run's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if str(folder).encode() in said:
            found.append(f"{process.name}: {said[:200]!r}")
    return found


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row a run wrote, by file, without what a clock measured."""

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        if "record" in row:
            row = {**row, "record": plain(json.loads(row["record"]))}
        return {key: value for key, value in row.items() if key not in TIMINGS}

    return {
        str(path.relative_to(folder)): [plain(row) for row in pl.read_parquet(path).to_dicts()]
        for place in ("data", "stages", "rejects")
        for path in sorted((folder / place).rglob("*.parquet"))
    }


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
    assert set(asked.values()) == {1}
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
        again = sum(count - 1 for count in server.asked.values())
    finish(command(server, seeds, folder, "resume=true"))
    assert rows(folder) == rows(expected)
    assert server.asked.keys() == needed.keys()
    assert sum(server.asked.values()) - total <= 5 * (FLUSH + IN_FLIGHT)
