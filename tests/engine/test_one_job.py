"""A recipe as one Beam job: the same rows and account as one job for each segment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from pipelines.synthesize import assembled, synthesize
from tests.engine.test_dataflow import RUN as DRY
from tests.models.fault_server import fault_server
from tests.pipelines.shipped_answers import shipped_answer, write_seeds
from tests.runs import rows
from tests.settings_for_tests import OPENAI, composed
from transforms.engine.errors import CotmillError, Sent
from transforms.engine.one_job import run_as_one_job, whole
from transforms.engine.recipe import build_segments
from transforms.engine.run_folder import RunFolder
from transforms.recipes.caco.sampling import SamplePrograms
from transforms.stages.filtering import RunPrograms


def run(folder: Path, *more: str) -> dict[str, Any]:
    """Runs a small recipe and returns its manifest."""
    settings = composed(
        f"output_dir={folder}/run",
        *("source=jsonl", f"source.path={folder.parent}/seeds.jsonl", "source.license=Apache-2.0"),
        *("sampling.num_programs=16", "sampling.solve.samples=1", "verify.rounds=1"),
        *("sampling.program.shots=1", "sampling.reverse.shots=1", "sampling.solve.shots=1"),
        *("dedup.max_per_fingerprint=9", "filter.max_trivial_share=1", "sandbox.slots=2"),
        "sink.rows_per_shard=5",
        *more,
    )
    return synthesize(settings, Console(quiet=True))


def accounts(manifest: dict[str, Any]) -> list[Any]:
    """What a manifest counts: stages, rows, kinds and lineage; tokens are recorded in a replay."""
    segments = [
        (part["name"], part["fingerprint"], part["rows"], stage["name"], stage["in"], stage["kept"])
        + (stage["rejected"],)
        for part in manifest["segments"]
        for stage in part["stages"]
    ]
    return [manifest["accepted"], manifest["kinds"], manifest["lineage"], segments]


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(folder, manifest) of a run whose segments are jobs of their own."""
    folder = tmp_path_factory.mktemp("runs") / "separate"
    write_seeds(folder.parent / "seeds.jsonl")
    with fault_server(answer=shipped_answer) as server:
        asked = [f"backend.base_url={server.base_url}", "backend.model=m"]
        yield folder, run(folder, "backend=openai", "backend.api=completions", *asked)


def test_one_job_on_two_workers_gives_the_rows_rejects_and_account_of_a_job_for_each_segment(
    separate: tuple[Path, dict[str, Any]],
) -> None:
    folder, manifest = separate
    again = folder.parent / "one"
    replayed = run(
        again,
        *("backend=replay", f"ledger.dir={folder}/run/ledger"),
        *("runner.one_job=true", "runner.workers=2"),
    )
    assert manifest["accepted"] > 3
    assert not (folder / "run" / "stages" / ".ahead").exists()
    assert accounts(replayed) == accounts(manifest)
    assert rows(again / "run") == rows(folder / "run")


@pytest.mark.parametrize(("runner", "expected"), [("false", True), ("true", False)])
def test_programs_are_run_ahead_where_their_segment_begins_later(
    tmp_path: Path, runner: str, expected: bool
) -> None:
    write_seeds(tmp_path / "seeds.jsonl")
    source = ["source=jsonl", f"source.path={tmp_path}/seeds.jsonl", "source.license=Apache-2.0"]
    settings = composed(*OPENAI, *source, f"output_dir={tmp_path}/run", f"runner.one_job={runner}")
    _, _, segments = assembled(settings, Console(quiet=True))
    stages = {stage.name: stage for segment in segments for stage in segment.stages}
    sample, execute = stages["sample"], stages["execute"]
    assert isinstance(sample, SamplePrograms) and isinstance(execute, RunPrograms)
    assert (sample.ahead is not None) == expected
    assert execute.ran_ahead == sample.ran_ahead
    assert bool(execute.ran_ahead) == expected


def test_a_job_that_failed_goes_on_at_the_first_segment_that_it_did_not_write(
    separate: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, manifest = separate
    failed = folder.parent / "failed"
    for part in (folder / "run" / "ledger").glob("part-*.parquet"):
        table = pq.read_table(part)
        unsolved = table.filter(pc.field("stage") != "solve")
        pq.write_table(unsolved, tmp_path / part.name)
    more = ["backend=replay", "runner.one_job=true"]
    with pytest.raises(CotmillError, match="is not in the ledger"):
        run(failed, *more, f"ledger.dir={tmp_path}")
    counted = [path.name.split(".")[0] for path in failed.glob("run/stages/*.counts.json")]
    shards = [path for label in counted for path in failed.glob(f"run/stages/{label}/*.parquet")]
    written = {path: path.stat().st_mtime_ns for path in shards}
    resumed = run(failed, *more, f"ledger.dir={folder}/run/ledger", "resume=true")
    assert accounts(resumed) == accounts(manifest)
    assert rows(failed / "run") == rows(folder / "run")
    assert written and {path: path.stat().st_mtime_ns for path in shards} == written


@pytest.mark.parametrize(
    ("counts", "rows"),
    [({"tallies": []}, b"half"), ([], None), ({"fingerprint": "another", "tallies": []}, None)],
)
def test_what_a_killed_job_left_half_is_not_taken_for_whole(
    tmp_path: Path, counts: Any, rows: bytes | None
) -> None:
    segment = build_segments(composed(*OPENAI), str(tmp_path))[0]
    folder = tmp_path / segment.folder
    folder.mkdir(parents=True)
    if rows is not None:
        (folder / "part-00000-of-00001.parquet").write_bytes(rows)
    if isinstance(counts, dict):
        counts = {"fingerprint": segment.fingerprint, **counts}
    (tmp_path / "stages" / f"{segment.label}.counts.json").write_text(json.dumps(counts))
    assert whole([segment], RunFolder(str(tmp_path))) == []


def test_a_job_that_was_sent_is_accounted_for_once_it_has_written_everything(
    separate: tuple[Path, dict[str, Any]],
) -> None:
    folder, manifest = separate
    ended = folder.parent / "ended"
    shutil.copytree(folder, ended)
    sent = {**manifest, "made_by": "cotmill", "status": "sent", "segments": []}
    (ended / "run" / "manifest.json").write_text(json.dumps(sent))
    more = ["backend=replay", f"ledger.dir={folder}/run/ledger", "resume=true"]
    counts = ended / "run" / "stages" / "07-verify.counts.json"
    hidden = counts.rename(ended / "counts")
    with pytest.raises(CotmillError, match="has not written segment 07-verify yet: wait"):
        run(ended, *more)
    hidden.rename(counts)
    assert accounts(run(ended, *more)) == accounts(manifest)


def test_a_job_that_is_not_waited_for_ends_the_command_once_it_is_sent(tmp_path: Path) -> None:
    settings = composed(
        *DRY, "recipe=predict", "backend=vllm", "backend.model=m/m", "runner.wait=false"
    )
    segments = build_segments(settings, str(tmp_path), str(tmp_path / "ledger"))
    with pytest.raises(Sent, match="resume=true writes its account") as sent:
        run_as_one_job(segments, None, RunFolder(str(tmp_path)), settings)
    assert sent.value.status == 0
