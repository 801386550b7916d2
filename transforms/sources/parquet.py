"""Rows of Parquet files, on any filesystem that Beam reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import PBegin, PCollection
from pydantic import Field

from transforms.engine.errors import SourceError, first_line
from transforms.engine.files import FileSystems
from transforms.engine.ids import canonical_json
from transforms.sources.base import ReadInOrder
from transforms.sources.columns import check_columns, outline, wanted_columns
from transforms.sources.files import matching, named, reading, suffixes
from transforms.sources.jsonl import JsonlSource
from transforms.sources.rows import Row, plain


class ParquetSource(JsonlSource):
    """Seeds from Parquet files."""

    type: Literal["parquet"]  # type: ignore[assignment]
    name: str = Field("parquet", description="what the rows name as their source")

    def check(self) -> list[str]:
        """Looks at the schema of each file, and returns lines that tell how they are read.

        Raises:
            SourceError: the path matches nothing, a file cannot be read, no file holds a row, or a
                mapped column is in none of them.
        """
        paths = matching(self.path)
        outlines, count = [], 0
        for path in paths:
            try:
                with reading(path), FileSystems.open(path) as file:
                    parquet = pq.ParquetFile(file)
                    outlines.append(outline(parquet.schema_arrow))
                    count += parquet.metadata.num_rows
            except pa.ArrowException as error:
                raise SourceError(f"{path} cannot be read: {first_line(error)}") from error
            except SourceError as error:
                if suffixes(path)[0] in (".jsonl", ".json", ".csv", ".tsv"):
                    raise SourceError(f"{path} is not Parquet: use source=jsonl") from error
                raise
        where = named(self.path, paths)
        notes = check_columns(where, self.columns, outlines)
        if not count:
            raise SourceError(f"{where} holds no rows: name a file that is not empty")
        return [*notes, *self.license_notes()]

    def rows(self) -> beam.PTransform:
        return ReadParquet(self)


def _groups(path: str) -> list[tuple[str, int]]:
    """Returns (path, number) of the row groups of a file."""
    with reading(path), FileSystems.open(path) as file:
        return [(path, group) for group in range(pq.ParquetFile(file).num_row_groups)]


def _rows_in(source: ParquetSource, path: str, group: int) -> Iterator[Row]:
    """Yields the rows of one row group, of the columns that can fill a seed."""
    with reading(path), FileSystems.open(path) as file:
        parquet = pq.ParquetFile(file)
        there = set(parquet.schema_arrow.names)
        names = [name for name in wanted_columns(source.columns) if name in there]
        for batch in parquet.iter_batches(1024, row_groups=[group], columns=names):
            for record in batch.to_pylist():
                yield Row.make(source.name, canonical_json(plain(record)), path)


def _all_rows(source: ParquetSource) -> Iterator[Row]:
    groups = (group for path in matching(source.path) for group in _groups(path))
    return (row for group in groups for row in _rows_in(source, *group))


@dataclass
class ReadParquet(beam.PTransform):
    """PBegin -> PCollection[Row], of the columns that can fill a seed; a row group is read at once.

    With a limit, the first rows of the files in the order of their names, read by one worker.
    """

    source: ParquetSource

    def expand(self, begin: PBegin) -> PCollection:
        source = self.source
        if source.limit is not None:
            return begin | ReadInOrder(source, _all_rows)
        return (
            begin
            | "Files" >> beam.Create(matching(source.path))
            | "Row groups" >> beam.FlatMap(_groups)
            | "Spread" >> beam.Reshuffle()
            | "Rows" >> beam.FlatMapTuple(lambda path, group: _rows_in(source, path, group))
        )
