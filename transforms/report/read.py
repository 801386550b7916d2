"""What the report reads from a run folder, in one pass over each Parquet file."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from transforms.accounting import Reject
from transforms.diversity.measure import Figures, Row, Survey, compare
from transforms.ids import content_id
from transforms.processes import map_on_cores
from transforms.records import Example, Execution, Seed, Variant
from transforms.run_folder import RunFolder, files_below
from transforms.tables import arrow_schema

EXAMPLES = 10
"""Accepted rows that are shown."""
REJECTS = 2
"""Rejects of each stage and reason that are shown."""
PART = 10_000
"""Rows that a process measures at a time, at least: about ten seconds."""


def diversity(run: RunFolder, manifest: dict[str, Any]) -> dict[str, Figures]:
    """Measures the accepted rows, the programs that ran (before deduplication), and the seeds.

    A set that the run has not written is left out.
    """
    surveys: dict[str, Survey] = {}
    parts: list[_Part] = []
    for name, record_type, which, measured in (
        ("rows", Example, -1, _of_example),
        ("rows", Variant, -1, _of_seed),
        ("programs", Execution, 0, _of_execution),
        ("seeds", Seed, -1, _of_seed),
    ):
        found = [
            segment["folder"]
            for segment in manifest["segments"]
            if (record_type is not Example or segment["folder"] == "data")
            and _holds(run, segment["folder"], record_type)
        ]
        if found:
            surveys[name] = Survey()
            columns = tuple(n for n in arrow_schema(record_type).names if n in _MEASURED)
            parts += _parts(name, run.path(found[which]), columns, measured)
    for name, survey in _survey_all(parts):
        surveys[name].merge(survey)
    return compare(surveys)


@dataclass(frozen=True)
class _Part:
    """Some row groups of a Parquet file, and how to measure their rows."""

    name: str
    """The set that the rows belong to."""
    path: str
    groups: tuple[int, ...]
    rows: int
    columns: tuple[str, ...]
    measured: Callable[[dict[str, Any]], Row]


def _parts(
    name: str, folder: str, columns: tuple[str, ...], measured: Callable[[dict[str, Any]], Row]
) -> Iterator[_Part]:
    for path in _parquet(folder):
        with FileSystems.open(path, compression_type="uncompressed") as source:
            footer = pq.ParquetFile(source).metadata
            sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        groups: list[int] = []
        rows = 0
        for group, size in enumerate(sizes):
            groups.append(group)
            rows += size
            if rows >= PART or group + 1 == len(sizes):
                yield _Part(name, path, tuple(groups), rows, columns, measured)
                groups, rows = [], 0


def _survey_all(parts: list[_Part]) -> Iterator[tuple[str, Survey]]:
    """Surveys parts, on all cores where there are many rows."""
    if sum(part.rows for part in parts) < 2 * PART:
        return map(_survey, parts)
    return map_on_cores(_survey, parts)


def _survey(part: _Part) -> tuple[str, Survey]:
    survey = Survey()
    for batch in _batches(part.path, part.columns, part.groups):
        for row in batch.to_pylist():
            if row["code"] is not None:
                survey.add(part.measured(row))
    return part.name, survey


def _of_example(row: dict[str, Any]) -> Row:
    texts = row["instruction"], row["solution"]
    return Row(row["id"], row["code"], row["answer"], *texts, row["kind"])


def _of_execution(row: dict[str, Any]) -> Row:
    return Row(row["id"], row["code"], row["output"], kind=row["kind"])


def _of_seed(row: dict[str, Any]) -> Row:
    texts = row["problem"], row["solution"]
    return Row(row["id"], row["code"], row["output"], *texts, row["kind"])


_MEASURED = {"id", "code", "answer", "output", "instruction", "problem", "solution", "kind"}


def _holds(run: RunFolder, folder: str, record_type: type) -> bool:
    """Whether a folder holds records of this very type."""
    for path in _parquet(run.path(folder)):
        with FileSystems.open(path, compression_type="uncompressed") as source:
            return pq.read_schema(source).names == arrow_schema(record_type).names
    return False


def accepted(run: RunFolder) -> list[dict[str, Any]]:
    """Some accepted rows, whole: those with the smallest hashes, so always the same ones."""
    rows = (
        (_drawn(row_id), batch, index)
        for batch in batches(run.path("data"))
        for index, row_id in enumerate(batch.column("id").to_pylist())
    )
    drawn = heapq.nsmallest(EXAMPLES, rows, key=lambda row: row[0])
    return [batch.slice(index, 1).to_pylist()[0] for _, batch, index in drawn]


@dataclass(frozen=True)
class Refused:
    """A reject as it is shown."""

    id: str
    stage: str
    reason: str
    detail: str
    record_type: str
    record: Any
    """The record as it was rejected: a dict, or the text of a row that could not be read."""


def rejects(run: RunFolder) -> dict[tuple[str, str], list[Refused]]:
    """Some rejects of each (stage, reason): those with the smallest hashes of their ids."""
    drawn: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
    for batch in batches(run.path("rejects"), arrow_schema(Reject).names):
        keys = batch.select(["stage", "reason", "id"]).to_pylist()
        for index, key in enumerate(keys):
            found = drawn.setdefault((key["stage"], key["reason"]), [])
            hash_ = -_drawn(key["id"])
            if len(found) == REJECTS and hash_ <= found[0][0]:
                continue
            row = json.dumps(batch.slice(index, 1).to_pylist()[0])
            heapq.heappush(found, (hash_, key["id"], row))
            del found[: max(0, len(found) - REJECTS)]
            heapq.heapify(found)
    return {
        key: [_refused(json.loads(row)) for _, _, row in sorted(found, reverse=True)]
        for key, found in sorted(drawn.items())
    }


def _refused(row: dict[str, Any]) -> Refused:
    shown = {name: row[name] for name in ("id", "stage", "reason", "detail", "record_type")}
    return Refused(**shown, record=json.loads(row["record"]))


def _drawn(record_id: str) -> int:
    return int(content_id("shown", record_id)[:16], 16)


def batches(folder: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a folder's Parquet files, some at a time; none where there are none."""
    for path in _parquet(folder):
        yield from _batches(path, columns)


def _batches(
    path: str, columns: Sequence[str] | None, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    with FileSystems.open(path, compression_type="uncompressed") as source:
        yield from pq.ParquetFile(source).iter_batches(
            batch_size=1024,
            columns=None if columns is None else list(columns),
            row_groups=None if groups is None else list(groups),
        )


def _parquet(folder: str) -> list[str]:
    """The Parquet files of a folder that are whole."""
    return sorted(
        path
        for path in files_below(folder)
        if path.endswith(".parquet") and not FileSystems.split(path)[1].startswith(".")
    )
