"""What the report reads from a run folder, in one pass over each Parquet file."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from transforms.accounting import Reject
from transforms.diversity.measure import Figures, Row, Survey, compare
from transforms.ids import content_id
from transforms.records import Example, Execution, Seed
from transforms.run_folder import RunFolder, files_below
from transforms.tables import arrow_schema

EXAMPLES = 10
"""Accepted rows that are shown."""
REJECTS = 2
"""Rejects of each stage and reason that are shown."""


def diversity(run: RunFolder, manifest: dict[str, Any]) -> dict[str, Figures]:
    """Measures the accepted rows, the programs that ran (before deduplication), and the seeds.

    A set that the run has not written is left out.
    """
    surveys: dict[str, Survey] = {}
    for name, record_type, which, measured in (
        ("rows", Example, -1, _of_example),
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
            surveys[name] = _survey(run, found[which], measured, record_type)
    return compare(surveys)


def _of_example(row: dict[str, Any]) -> Row:
    return Row(row["id"], row["code"], row["answer"], row["instruction"], row["solution"])


def _of_execution(row: dict[str, Any]) -> Row:
    return Row(row["id"], row["code"], row["output"])


def _of_seed(row: dict[str, Any]) -> Row:
    return Row(row["id"], row["code"], row["output"], row["problem"], row["solution"])


_MEASURED = {"id", "code", "answer", "output", "instruction", "problem", "solution"}


def _survey(
    run: RunFolder, folder: str, measured: Callable[[dict[str, Any]], Row], record_type: type
) -> Survey:
    columns = [name for name in arrow_schema(record_type).names if name in _MEASURED]
    rows = (
        row
        for batch in batches(run.path(folder), columns)
        for row in batch.to_pylist()
        if row["code"] is not None
    )
    return Survey(measured(row) for row in rows)


def _holds(run: RunFolder, folder: str, record_type: type) -> bool:
    """Whether a folder holds records of this very type."""
    for path in _parquet(run.path(folder)):
        with FileSystems.open(path, compression_type="uncompressed") as source:
            return pq.read_schema(source).names == arrow_schema(record_type).names
    return False


def accepted(run: RunFolder) -> list[dict[str, Any]]:
    """Some accepted rows, whole: those with the smallest hashes, so always the same ones."""
    rows = (row for batch in batches(run.path("data")) for row in batch.to_pylist())
    return heapq.nsmallest(EXAMPLES, rows, key=lambda row: _drawn(row["id"]))


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


def batches(folder: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yields the rows of a folder's Parquet files, some at a time; none where there are none."""
    for path in _parquet(folder):
        with FileSystems.open(path, compression_type="uncompressed") as source:
            yield from pq.ParquetFile(source).iter_batches(batch_size=1024, columns=columns)


def _parquet(folder: str) -> list[str]:
    """The Parquet files of a folder that are whole."""
    return sorted(
        path
        for path in files_below(folder)
        if path.endswith(".parquet") and not FileSystems.split(path)[1].startswith(".")
    )
