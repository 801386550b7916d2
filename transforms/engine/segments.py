"""Runs one segment: Parquet -> stages -> Parquet, with rejects, unanswered and counts beside."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Reject, StageCount, Tally
from transforms.engine.blocks import spilled_to
from transforms.engine.errors import AccountingError
from transforms.engine.files import FileSystems, make_folder
from transforms.engine.outcomes import Outcome, Sums, SumTallies, counts_of
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import RunFolder, files_below
from transforms.engine.runner_settings import DirectSettings, RunnerSettings
from transforms.engine.runners import open_pipeline
from transforms.engine.settings import SinkSettings
from transforms.engine.stage import Stage
from transforms.engine.tables import (
    ReadRecords,
    RowGroup,
    Shards,
    WriteFolders,
    row_groups,
    split_groups,
    write_text,
)


class RunsAndWrites(Protocol):
    """The settings that a segment itself needs: where it runs, and how rows are written."""

    @property
    def runner(self) -> RunnerSettings: ...

    @property
    def sink(self) -> SinkSettings: ...


class _WriteTallies(beam.DoFn):
    """Summed tallies of a segment, which have waited for its shards -> the path of its counts.

    They are whole once every shard is written, so a segment that has its counts has its rows.
    """

    def __init__(self, path: str, fingerprint: str) -> None:
        self._path, self._fingerprint = path, fingerprint

    def process(self, sums: Sums) -> Iterator[str]:
        _write_counts(self._path, self._fingerprint, sums)
        yield self._path


def _write_counts(path: str, fingerprint: str, sums: Sums) -> None:
    tallies = [asdict(Tally(*key, amount)) for key, amount in sorted(sums.items())]
    write_text(path, json.dumps({"fingerprint": fingerprint, "tallies": tallies}))


def run_segment(
    segment: Segment,
    previous: Segment | None,
    run: RunFolder,
    settings: RunsAndWrites,
) -> dict[str, Any]:
    """Runs a segment from its predecessor's rows and returns its entry for the manifest.

    A large segment whose stages look at each record alone runs in parts, as one pipeline after
    another. What an interrupted run left of this segment is deleted first, so no stale shard stays
    beside new ones; but a part that was finished, with no record put off, is not run again. The
    manifest's entry is what makes the result count: it is written after this returns.

    Raises AccountingError where counts and written rows do not add up.
    """
    started = time.monotonic()
    of = _parts(segment, previous, run, settings)
    if len(of) > 1:
        _run_parts(segment, of, previous, run, settings)
    else:
        clear_segment(segment, run)
        _run(segment, previous, run, settings)
    return account_of(segment, run, time.monotonic() - started)


def _run(
    segment: Segment,
    previous: Segment | None,
    run: RunFolder,
    settings: RunsAndWrites,
    groups: tuple[RowGroup, ...] = (),
) -> None:
    with spilled(run, settings), open_pipeline(settings.runner) as pipeline:
        records = read_before(pipeline, segment, previous, run, groups)
        build_segment(records, segment, run, settings)


def _parts(
    segment: Segment, previous: Segment | None, run: RunFolder, settings: RunsAndWrites
) -> list[tuple[Segment, tuple[RowGroup, ...]]]:
    """The parts of a segment and what each of them reads; none where it runs whole."""
    runner = settings.runner
    if not isinstance(runner, DirectSettings) or previous is None or segment.reads is None:
        return []
    if not all(stage.by_record for stage in segment.stages):
        return []
    split = split_groups(row_groups(_tables(run.path(previous.folder))), runner.part_rows)
    return [
        (
            segment.part_of(n, [(FileSystems.split(path)[1], *rest) for path, *rest in groups]),
            groups,
        )
        for n, groups in enumerate(split)
    ]


def _run_parts(
    segment: Segment,
    of: Sequence[tuple[Segment, tuple[RowGroup, ...]]],
    previous: Segment | None,
    run: RunFolder,
    settings: RunsAndWrites,
) -> None:
    """Runs the parts of a segment that are not finished, and writes the counts of all of them."""
    finished = [part for part, _ in of if _is_finished(part, run)]
    clear_segment(segment, run, finished)
    for part, groups in of:
        if part not in finished:
            _run(part, previous, run, settings, groups)
            account_of(part, run, None)
    sums = SumTallies().merge_accumulators(
        {(tally.stage, tally.what, tally.key): tally.amount}
        for part, _ in of
        for tally in _read_tallies(part, run)
    )
    _write_counts(counts_path(segment, run), segment.fingerprint, sums)


def _is_finished(part: Segment, run: RunFolder) -> bool:
    """Whether a part is written, and no record of it is put off."""
    entry = written(part, run)
    return entry is not None and not any(stage["unanswered"] for stage in entry["stages"])


def discard_stale(
    segments: Sequence[Segment], done: Sequence[dict[str, Any]], run: RunFolder
) -> None:
    """Deletes what an earlier run wrote and that is not of the segments that are done.

    Finished parts of the next segment stay: it sees to itself which of them hold (`run_segment`).
    """
    held = [(entry["name"], entry["folder"]) for entry in done]
    for following in segments[len(done) : len(done) + 1]:
        start = run.path("stages", f"{following.label}-p")
        if any(path.startswith(start) for path in files_below(run.path("stages"))):
            held.append((following.label, following.folder))
    run.discard_stale([label for label, _ in held], [folder for _, folder in held])


def clear_segment(segment: Segment, run: RunFolder, but: Iterable[Segment] = ()) -> None:
    """Deletes what an interrupted run left of a segment, but for some of its parts."""
    run.clear(segment.folder, but=tuple(f"{part.prefix}-" for part in but))
    kept = tuple(f"{part.label}{end}" for part in but for end in "-.")
    run.clear(*_BESIDE, "stages", of=(f"{segment.label}-", f"{segment.label}."), but=kept)


def account_of(segment: Segment, run: RunFolder, seconds: float | None) -> dict[str, Any]:
    """Returns the manifest's entry of a segment whose rows and counts are written.

    Raises AccountingError where they do not add up, or where the counts are not of this segment.
    """
    tallies = _read_tallies(segment, run)
    entry: dict[str, Any] = {
        "name": segment.label,
        "folder": segment.folder,
        "fingerprint": segment.fingerprint,
        "seconds": seconds and round(seconds, 3),
        "rows": _rows(run.path(segment.folder), segment.prefix),
        "stages": _stages(segment, tallies),
    }
    rejects, unanswered = (_rows(run.path(name), f"{segment.label}-") for name in _BESIDE)
    check_segment(entry, rejects, unanswered)
    if not unanswered:  # an empty shard: the folder is there for some
        run.clear("unanswered", of=(f"{segment.label}-",))
    return entry


def written(segment: Segment, run: RunFolder) -> dict[str, Any] | None:
    """Returns the entry of a segment that an interrupted run wrote whole; None where it did not.

    A segment writes its counts last. Those of another recipe, counts that do not add up with the
    rows that are there, and a file that is no Parquet stand for one that is not whole.
    """
    try:
        if FileSystems.exists(counts_path(segment, run)):
            return account_of(segment, run, None)
    except (AccountingError, pa.ArrowInvalid):
        pass
    return None


_BESIDE = ("rejects", "unanswered")
"""Folders of `Reject`s, whose files begin with the label of their segment."""


def counts_path(segment: Segment, run: RunFolder) -> str:
    """Where the counts of a segment are, which are written after its rows."""
    return run.path("stages", f"{segment.label}.counts.json")


def read_before(
    pipeline: beam.Pipeline,
    segment: Segment,
    previous: Segment | None,
    run: RunFolder,
    groups: tuple[RowGroup, ...] = (),
) -> Any:
    """Returns what a segment is applied to: its predecessor's rows, or the pipeline's begin.

    Args:
        groups: the row groups that are read; none stand for all of them.
    """
    if segment.reads is None:
        return pipeline
    if previous is None:
        raise ValueError(f"segment {segment.name} reads records, but nothing comes before it")
    return pipeline | f"Read {previous.name}" >> ReadRecords(
        segment.reads, run.path(previous.folder), groups
    )


@contextlib.contextmanager
def spilled(run: RunFolder, settings: RunsAndWrites) -> Iterator[None]:
    """Has the blocks of a pipeline on this machine lie on disk while it is built and run: in its
    run folder, or among the temporary files where the run folder is elsewhere."""
    if settings.runner.type != "direct":
        yield
    elif "://" in run.root:
        with tempfile.TemporaryDirectory(prefix="cotmill-") as folder, spilled_to(folder):
            yield
    else:
        folder = run.path("stages", ".spill")
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        make_folder(folder)
        try:
            with spilled_to(folder):
                yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def build_segment(
    records: Any,
    segment: Segment,
    run: RunFolder,
    settings: RunsAndWrites,
) -> PCollection:
    """Applies a segment to what it reads, writes its rows, rejects and counts, and returns its
    rows."""
    rejects: list[PCollection] = []
    unanswered: list[PCollection] = []
    tallies: list[PCollection] = []
    for stage in segment.stages:
        outcome: Outcome = records | stage.name >> stage
        entered = records if outcome.entered is None else outcome.entered
        put_off = [] if outcome.unanswered is None else [outcome.unanswered]
        rejects.append(outcome.rejected)
        unanswered += put_off
        parts = (entered, outcome.kept, outcome.rejected, *put_off)
        tallies += counts_of(stage.name, parts)
        if outcome.tallies is not None:
            tallies.append(outcome.tallies)
        records = outcome.kept
    least, blobs = 1, segment.blobs
    if segment.folder != "data":  # stages hand on the hashes of pictures alone
        least, blobs = settings.runner.stage_shards, ""
    rows = Shards(segment.writes, run.path(segment.folder), segment.prefix, least, blobs)
    beside = [Shards(Reject, run.path(folder), segment.label) for folder in _BESIDE]
    to = rows, *(beside[0] for _ in rejects), *(beside[1] for _ in unanswered)
    write = WriteFolders(to, settings.sink.compression, settings.sink.rows_per_shard)
    written = (records, *rejects, *unanswered) | "Write" >> write
    (
        (*tallies, written)
        | "Tallies and shards" >> beam.Flatten()
        | "Sum" >> beam.CombineGlobally(SumTallies()).without_defaults()
        | "Write tallies"
        >> beam.ParDo(_WriteTallies(counts_path(segment, run), segment.fingerprint))
    )
    return records


def _rows(folder: str, prefix: str = "") -> int:
    """Counts the rows of a folder's Parquet files from their footers."""
    return sum(group.rows for group in row_groups(_tables(folder, prefix)))


def _tables(folder: str, prefix: str = "") -> list[str]:
    """The Parquet files of a folder that are whole."""
    named = [(path, FileSystems.split(path)[1]) for path in files_below(folder)]
    return [
        path
        for path, name in named
        if name.endswith(".parquet") and name.startswith(prefix) and not name.startswith(".")
    ]


def _read_tallies(segment: Segment, run: RunFolder) -> list[Tally]:
    """Raises AccountingError where the counts are of another recipe."""
    with FileSystems.open(counts_path(segment, run), "text/plain", "uncompressed") as source:
        counts = json.loads(source.read())
    if not isinstance(counts, dict) or counts["fingerprint"] != segment.fingerprint:
        raise AccountingError(f"segment {segment.label}: its counts are of another recipe")
    return [Tally(**each) for each in counts["tallies"]]


def _stages(segment: Segment, tallies: Iterable[Tally]) -> list[dict[str, Any]]:
    """The manifest's account of each stage, from the summed tallies."""
    by_stage: dict[str, list[Tally]] = {stage.name: [] for stage in segment.stages}
    for tally in tallies:
        by_stage.setdefault(tally.stage, []).append(tally)
    return [
        _account(stage.name, stage.creates_records, by_stage[stage.name])
        for stage in segment.stages
    ]


def undeclared(stages: Iterable[Stage], entry: Mapping[str, Any]) -> dict[str, list[str]]:
    """Returns stage -> the reasons for which it rejected records and that it does not declare.

    Args:
        entry: what `run_segment` returned for these stages.
    """
    declared = {stage.name: stage.rejects_for() for stage in stages}
    return {
        counts["name"]: others
        for counts in entry["stages"]
        if (others := [r for r in counts["rejected"] if r not in declared[counts["name"]]])
    }


def _account(name: str, draws: bool, tallies: Iterable[Tally]) -> dict[str, Any]:
    totals = {"in": 0, "kept": 0, "unanswered": 0}
    rejected: dict[str, int] = {}
    models: dict[str, dict[str, int]] = {}
    benchmarks: dict[str, dict[str, int]] = {}
    counts: dict[str, dict[str, int]] = {}
    for tally in tallies:
        if tally.what in totals:
            totals[tally.what] += tally.amount
        elif tally.what == "rejected":
            rejected[tally.key] = tally.amount
        elif tally.what.startswith("benchmark."):
            what = tally.what.removeprefix("benchmark.")
            benchmarks.setdefault(tally.key, {})[what] = tally.amount
        elif tally.what.startswith(("requests", "tokens")):
            models.setdefault(tally.key, {})[tally.what] = tally.amount
        else:
            counts.setdefault(tally.what, {})[tally.key] = tally.amount
    return {
        "name": name,
        "draws": draws,
        "in": totals["in"],
        "kept": totals["kept"],
        "rejected": dict(sorted(rejected.items(), key=lambda item: (-item[1], item[0]))),
        "unanswered": totals["unanswered"],
        **({"models": models} if models else {}),
        **({"benchmarks": benchmarks} if benchmarks else {}),
        **({"counts": counts} if counts else {}),
    }


def check_segment(entry: dict[str, Any], rejects_written: int, unanswered_written: int) -> None:
    """Raises AccountingError unless a segment's counts add up with each other and with its files.

    in = kept + rejected + unanswered at each stage; what one stage keeps the next takes in; the
    rows, rejects and unanswered records written are those counted.
    """
    before: dict[str, Any] | None = None
    refused = put_off = 0
    for stage in entry["stages"]:
        count = StageCount(
            stage["in"], stage["kept"], stage["rejected"], stage.get("unanswered", 0)
        )
        refused += sum(count.rejected.values())
        put_off += count.unanswered
        if not count.balanced:
            raise AccountingError(
                f"stage {stage['name']}: {count.entered} in, but {count.kept} kept + "
                f"{sum(count.rejected.values())} rejected + {count.unanswered} unanswered: rows "
                "were lost or doubled; do not use this run"
            )
        if before is not None and not stage["draws"] and before["kept"] != stage["in"]:
            raise AccountingError(
                f"stage {before['name']} kept {before['kept']}, but stage {stage['name']} took "
                f"in {stage['in']}: rows were lost or doubled; do not use this run"
            )
        before = stage
    if before is not None and before["kept"] != entry["rows"]:
        raise AccountingError(
            f"segment {entry['name']}: {before['kept']} records kept, but {entry['rows']} rows "
            f"written to {entry['folder']}; do not use this run"
        )
    for end, counted, written in (
        ("rejected", refused, rejects_written),
        ("unanswered", put_off, unanswered_written),
    ):
        if counted != written:
            folder = "rejects" if end == "rejected" else end
            raise AccountingError(
                f"segment {entry['name']}: {counted} records {end}, but {written} rows written "
                f"to {folder}; do not use this run"
            )
