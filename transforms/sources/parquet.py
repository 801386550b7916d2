"""Rows of Parquet files, on any filesystem that Beam reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io import ReadAllFromParquet
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import PBegin, PCollection

from transforms.errors import SourceError
from transforms.ids import canonical_json
from transforms.settings import ParquetSource
from transforms.sources.files import matching, one_line, reading
from transforms.sources.rows import FIELDS, Row, check_columns, plain


def wanted_columns(columns: dict[str, str]) -> list[str]:
    """Returns the columns that can fill a seed: those mapped, and those named as a field."""
    return [columns.get(name, name) for name in FIELDS if name != "source" or name in columns]


def check(source: ParquetSource) -> None:
    """Looks at the schema of each file.

    Raises:
        SourceError: the path matches nothing, a file cannot be read, or a mapped column is missing.
    """
    for path in matching(source.path):
        try:
            with reading(path), FileSystems.open(path) as file:
                schema = pq.read_schema(file)
        except pa.ArrowException as error:
            raise SourceError(f"{path} cannot be read: {one_line(error)}") from error
        check_columns(path, source.columns, set(schema.names))


def _row_of(source: ParquetSource, record: dict[str, Any]) -> Row:
    return Row.make(source.name, canonical_json(plain(record)), source.path)


def _first_rows(source: ParquetSource) -> Iterator[Row]:
    def every() -> Iterator[Row]:
        for path in matching(source.path):
            with FileSystems.open(path) as file:
                parquet = pq.ParquetFile(file)
                names = [
                    c for c in wanted_columns(source.columns) if c in parquet.schema_arrow.names
                ]
                for batch in parquet.iter_batches(batch_size=1024, columns=names):
                    for record in batch.to_pylist():
                        yield _row_of(source, record)

    return islice(every(), source.limit)


@dataclass
class ReadParquet(beam.PTransform):
    """PBegin -> PCollection[Row], of the columns that can fill a seed.

    With a limit, the first rows of the files in the order of their names, read by one worker.
    """

    source: ParquetSource

    def expand(self, begin: PBegin) -> PCollection:
        source = self.source
        if source.limit is not None:
            return (
                begin
                | "Source" >> beam.Create([source], reshuffle=False)
                | "First rows" >> beam.FlatMap(_first_rows)
            )
        return (
            begin
            | "Path" >> beam.Create([source.path], reshuffle=False)
            | "Records" >> ReadAllFromParquet(columns=wanted_columns(source.columns))
            | "Row" >> beam.Map(lambda record: _row_of(source, record))
        )
