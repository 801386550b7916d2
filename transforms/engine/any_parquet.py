"""Stages over any Parquet: settings say in which columns they find what they read.

A pipeline carries the cells that its stages read, and the ids of rows. Rows themselves are copied
in the end from the input's files: kept ones with all of their columns, rejects with their reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from apache_beam.pvalue import PBegin
from numpy.typing import NDArray

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.errors import SettingsError
from transforms.engine.files import FileSystems, new_file
from transforms.engine.ids import canonical_json
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import RunFolder, files_below
from transforms.engine.segments import RunsAndWrites, run_segment
from transforms.engine.stage import Stage, written_by
from transforms.engine.tables import shard_path
from transforms.sources.files import reading
from transforms.sources.rows import SeedReason, plain

_BATCH = 1024


@dataclass(frozen=True)
class Cells:
    """What a stage reads of a row; empty where no column is named for it."""

    id: str
    """Number of the file and of the row in it, so that ids sort as rows stand."""
    text: str = ""
    code: str = ""
    solution: str = ""
    answer: str = ""


@dataclass(kw_only=True)
class ReadCells(Stage):
    """PBegin -> Outcome of Cells: rows with a value in each column that is named.

    Args:
        paths: Parquet files, on any Beam filesystem.
        columns: field of `Cells` -> column.
    """

    name: str = "read"
    paths: Sequence[str]
    columns: Mapping[str, str]

    reads: ClassVar[type | None] = None
    writes: ClassVar[type] = Cells
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (SeedReason.MISSING_FIELD,)

    def expand(self, begin: PBegin) -> Outcome:
        cells_of = partial(_cells_of, dict(self.columns))
        groups = [
            (number, path, group, first)
            for number, path in enumerate(self.paths)
            for group, first in _row_groups(path)
        ]
        cells = begin | "Row groups" >> beam.Create(groups) | "Cells" >> beam.FlatMapTuple(cells_of)
        return (cells | "Decide" >> Decide(self.name))._replace(entered=cells)


def row_id(file: int, row: int) -> str:
    """The id of a row: the place of its file among the input's files, and its own in the file."""
    return f"{file:06d}-{row:012d}"


def _row_groups(path: str) -> list[tuple[int, int]]:
    """(Number, row it begins with) of each row group of a file."""
    with reading(path), FileSystems.open(path) as file:
        metadata = pq.ParquetFile(file).metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    return [(group, sum(sizes[:group])) for group in range(len(sizes))]


def _cells_of(
    columns: Mapping[str, str], number: int, path: str, group: int, first: int
) -> Iterator[tuple[Cells, Verdict]]:
    with reading(path), FileSystems.open(path) as file:
        parquet = pq.ParquetFile(file)
        row = first
        wanted = list(dict.fromkeys(columns.values()))
        for batch in parquet.iter_batches(_BATCH, row_groups=[group], columns=wanted):
            for values in batch.to_pylist():
                texts = {field: _text(values[column]) for field, column in columns.items()}
                missing = [columns[field] for field, text in texts.items() if not text]
                empty = f"{path}, row {row}: column {', '.join(missing)} is empty"
                verdict = reject(SeedReason.MISSING_FIELD, empty) if missing else keep()
                yield Cells(row_id(number, row), **texts), verdict
                row += 1


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return canonical_json(plain(value))


def check_columns(
    paths: Sequence[str], columns: Mapping[str, str], added: Iterable[str] = ()
) -> None:
    """Checks that files have the columns that are named, and none of those to be added.

    Raises:
        SourceError: a file cannot be read.
        SettingsError: a column that is named is not in a file, one to be added is there already,
            or files differ in their columns.
    """
    shared: pa.Schema | None = None
    for path in paths:
        with reading(path), FileSystems.open(path) as file:
            schema = pq.ParquetFile(file).schema_arrow.remove_metadata()
        for field, column in columns.items():
            if column not in schema.names:
                raise SettingsError(
                    f"columns.{field}={column}: {path} has no such column, but "
                    f"{', '.join(schema.names)}"
                )
        if shared is not None and not schema.equals(shared):
            raise SettingsError(
                f"input: {path} has other columns than {paths[0]}: give files of one kind"
            )
        shared = schema
    assert shared is not None
    for name in sorted({*added, *_WHY} & set(shared.names)):
        raise SettingsError(f"input has a column {name} already: rename it, or leave it out")


def run_over(
    paths: Sequence[str],
    columns: Mapping[str, str],
    stages: Sequence[Stage],
    run: RunFolder,
    settings: RunsAndWrites,
    added: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Runs stages over the rows of Parquet files, and writes the rows into a folder.

    data/ gets the kept rows with all of their columns, rejects/ the others with the stage that
    rejected them (`rejected_by`), `reason` and `detail`; both in the order of the input, a file
    for each of its files.

    Args:
        paths: files that `check_columns` has passed.
        columns: field of `Cells` -> column of the files.
        stages: the first reads Cells.
        added: further column of kept rows -> field of the last stage's record.

    Returns:
        The account of the stages, as `run_segment` gives it.
    """
    source = ReadCells(paths=tuple(paths), columns=dict(columns))
    arriving: type = Cells
    for stage in stages:
        arriving = written_by(stage, arriving)
    work = RunFolder(run.path("stages"))
    label = f"01-{stages[-1].name}"
    segment = Segment(label, label, "data", (source, *stages), None, arriving, "")
    account = run_segment(segment, None, work, settings)
    for folder, prefix, fields in (("data", "train", added), ("rejects", "part", _WHY)):
        ended = _ended(work.path(folder), fields)
        for number, path in enumerate(paths):
            target = shard_path(run.path(folder), prefix, number, len(paths))
            _copy(path, *_of_file(ended, number), target, settings.sink.compression)
    work.clear("data", "rejects", "unanswered", "stages")
    return account


_WHY = {"rejected_by": "stage", "reason": "reason", "detail": "detail"}
"""Column of a reject -> field of `Reject`."""


def _ended(folder: str, fields: Mapping[str, str]) -> pa.Table:
    """The ids of the records in a folder, in order, with some of their fields under new names."""
    tables = []
    for path in files_below(folder):
        with FileSystems.open(path) as file:
            tables.append(pq.read_table(file, columns=["id", *fields.values()]))
    found = pa.concat_tables(tables).sort_by("id")
    return found.rename_columns(["id", *fields])


def _of_file(ended: pa.Table, number: int) -> tuple[NDArray[np.int64], pa.Table]:
    """The numbers of the rows of one file, ascending, and their further columns."""
    mine = ended.filter(pc.starts_with(ended["id"], row_id(number, 0)[:7]))
    rows = np.array([int(each[7:]) for each in mine["id"].to_pylist()], dtype=np.int64)
    return rows, mine.drop_columns("id")


def _copy(
    path: str, rows: NDArray[np.int64], further: pa.Table, target: str, compression: str
) -> None:
    """Copies some of a file's rows to another, atomically, with further columns beside theirs."""
    with reading(path), FileSystems.open(path) as file:
        parquet = pq.ParquetFile(file)
        schema = pa.schema([*parquet.schema_arrow.remove_metadata(), *further.schema])
        with (
            new_file(target) as new,
            pq.ParquetWriter(new.file, schema, compression=compression) as writer,
        ):
            first = 0
            for batch in parquet.iter_batches(_BATCH):
                low, high = np.searchsorted(rows, [first, first + len(batch)])
                if high > low:
                    chosen = pa.Table.from_batches([batch]).take(rows[low:high] - first)
                    beside = further.slice(low, high - low)
                    columns = [*chosen.columns, *beside.columns]
                    writer.write_table(pa.table(columns, schema=schema))
                first += len(batch)
