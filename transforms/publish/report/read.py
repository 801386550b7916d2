"""What the report reads from a run folder."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow.parquet as pq

from transforms.engine.files import FileSystems
from transforms.engine.manifest import segments_of
from transforms.engine.processes import map_on_cores
from transforms.engine.run_folder import RunFolder, files_below
from transforms.engine.tables import row_groups
from transforms.publish.catalog import Catalog, End, Query, State
from transforms.stages.diversity.measure import Figures, Row, Survey, compare, survey

EXAMPLES = 10
"""Accepted rows that are shown."""
REJECTS = 2
"""Rejects of each stage and reason that are shown."""
PART = 2_000
"""Rows that a process measures, at least: a second and more, and it starts in a third of one."""
SURVEYED = (2_000, 10_000)
"""Rows of a set that are measured, at least and at most, about: between them a fiftieth of all, so
that the report takes a small part of a run's time. A share measured on the least is some two points
off at most, on the most one."""


def diversity(run: RunFolder, manifest: dict[str, Any]) -> dict[str, Figures]:
    """Measures the accepted rows, the programs that ran (before deduplication), and the seeds.

    A set that the run has not written, or whose records carry no program, is left out.
    """
    folders = [segment["folder"] for segment in segments_of(manifest)]
    columns = {folder: _columns(run, folder) for folder in folders}
    early = [folder for folder in folders if folder != "data"]
    chosen = {
        "rows": folders[-1:] if "data" in folders else [],
        "programs": [folder for folder in early if {"code", "status"} <= set(columns[folder])][:1],
        "seeds": [folder for folder in early if columns[folder] == columns[folders[0]]][-1:],
    }
    rows: list[tuple[str, Row]] = []
    surveys: dict[str, Survey] = {}
    for name, folders in chosen.items():
        for folder in folders:
            if {"id", "code"} <= set(columns[folder]):
                surveys[name] = Survey()
                sizes = Counter[str]()
                for group in row_groups(_parquet(run.path(folder))):
                    sizes[group.path] += group.rows
                drawn = first_rows(sizes, surveyed(sizes.total()))
                surveys[name].left_out = sizes.total() - sum(drawn.values())
                rows += [(name, row) for row in _rows(drawn, _measured(columns[folder]))]
    for part in _survey_all(rows):
        for name, found in part.items():
            surveys[name].merge(found)
    return compare(surveys)


_MEASURED = {
    "id": ("id",),
    "code": ("code",),
    "answer": ("output", "answer"),
    "instruction": ("instruction", "problem"),
    "solution": ("solution",),
    "kind": ("kind",),
}
"""What is measured of a row, and the columns it may stand in: the first that is there."""


def _measured(columns: Sequence[str]) -> dict[str, str | None]:
    """What is measured, and the column of a set that it stands in; None where it has none."""
    return {
        what: next((name for name in names if name in columns), None)
        for what, names in _MEASURED.items()
    }


def surveyed(rows: int) -> int:
    """Returns how many rows of a set of this size are measured, about.

    >>> surveyed(1_500), surveyed(10_000), surveyed(200_000), surveyed(10**9)
    (2000, 2000, 4000, 10000)
    """
    least, most = SURVEYED
    return min(most, max(least, rows // 50))


def first_rows(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    """Returns how many rows at the beginning of each file are measured, about `most` in all.

    Rows are dealt to files by the hashes of their ids and sorted by id, which is a hash too: the
    first ones are drawn at random, and what several sets hold is drawn from each of them.

    >>> first_rows({"one": 3_000, "other": 1_000}, 2_000)
    {'one': 1500, 'other': 500}
    """
    total = sum(sizes.values())
    if total <= most:
        return dict(sizes)
    return {path: -(-rows * most // total) for path, rows in sizes.items()}


def _rows(files: Mapping[str, int], columns: dict[str, str | None]) -> Iterator[Row]:
    """Yields what is measured of so many rows of each file; none without a program."""
    nothing: dict[str, Any] = dict.fromkeys(columns)
    there = {what: column for what, column in columns.items() if column}
    for path, most in files.items():
        for values in islice(_values(path, [*there.values()]), most):
            row = Row(**{**nothing, **dict(zip(there, values, strict=True))})
            if row.code is not None:
                yield row


def _survey_all(rows: Sequence[tuple[str, Row]]) -> Iterator[dict[str, Survey]]:
    """Surveys the rows of sets, on all cores where there are many; a program on one of them, which
    measures it once for all sets."""
    count = min(len(os.sched_getaffinity(0)), len(rows) // PART)
    if count < 2:
        return iter([survey(rows)])
    parts: list[list[tuple[str, Row]]] = [[] for _ in range(count)]
    for name, row in rows:
        parts[zlib.crc32(row.code.encode("utf-8", "surrogatepass")) % count].append((name, row))
    return map_on_cores(survey, parts)


def _columns(run: RunFolder, folder: str) -> list[str]:
    """The columns of a folder's records; none where it has no file."""
    for path in _parquet(run.path(folder)):
        with FileSystems.open(path, compression_type="uncompressed") as source:
            return list(pq.read_schema(source).names)
    return []


def accepted(catalog: Catalog) -> list[State]:
    """Some accepted rows, whole."""
    return catalog.drawn(Query(end=End.ACCEPTED), EXAMPLES)


def rejects(catalog: Catalog) -> dict[tuple[str, str], list[State]]:
    """Some rejects of each (stage, reason), whole."""
    found: dict[tuple[str, str], list[State]] = {}
    for state in catalog.drawn(Query(end=End.REJECTED), REJECTS):
        found.setdefault((state.stage, state.reason), []).append(state)
    return found


def _values(path: str, columns: list[str]) -> Iterator[tuple[str | None, ...]]:
    """Yields the texts in some columns of each row of a file."""
    with FileSystems.open(path, compression_type="uncompressed") as source:
        for batch in pq.ParquetFile(source).iter_batches(1000, columns=columns):
            texts = (batch.column(name).to_numpy(zero_copy_only=False) for name in columns)
            yield from zip(*texts, strict=True)


def _parquet(folder: str) -> list[str]:
    """The Parquet files of a folder that are whole."""
    return sorted(
        path
        for path in files_below(folder)
        if path.endswith(".parquet") and not FileSystems.split(path)[1].startswith(".")
    )
