"""Rows of JSON Lines files, on any filesystem that Beam reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io import ReadAllFromText
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import PBegin, PCollection

from transforms.errors import SourceError
from transforms.settings import JsonlSource
from transforms.sources.files import matching, reading
from transforms.sources.rows import Row, check_columns, parsed

_LINES_LOOKED_AT = 20
"""Lines of a file in which its columns show; a column that is in none of them is not there."""


def row_of(source: JsonlSource, path: str, line: bytes) -> Row:
    """Returns the row of a line; bytes that are not UTF-8 stay visible as `\\xff`, and no JSON."""
    return Row.make(source.name, line.decode("utf-8-sig", "backslashreplace").strip(), path)


def lines_in(path: str) -> Iterator[bytes]:
    """Yields the lines of a file that are not blank; compression is told by the name's ending."""
    with reading(path), FileSystems.open(path) as file:
        while line := file.readline():
            if line.strip():
                yield line


def check(source: JsonlSource) -> None:
    """Looks at the first lines of each file.

    Raises:
        SourceError: the path matches nothing, a file cannot be read or holds no JSON objects, or a
            mapped column is missing.
    """
    for path in matching(source.path):
        there: set[str] = set()
        objects = 0
        for line in islice(lines_in(path), _LINES_LOOKED_AT):
            value = parsed(row_of(source, path, line).raw)
            if isinstance(value, dict):
                objects += 1
                there |= set(value)
        if not objects:
            raise SourceError(
                f"{path} holds no JSON object in its first {_LINES_LOOKED_AT} lines: "
                "JSON Lines has one object a line"
            )
        check_columns(path, source.columns, there)


def _first_rows(source: JsonlSource) -> Iterator[Row]:
    every = (
        row_of(source, path, line) for path in matching(source.path) for line in lines_in(path)
    )
    return islice(every, source.limit)


@dataclass
class ReadJsonl(beam.PTransform):
    """PBegin -> PCollection[Row]: one a line that is not blank.

    With a limit, the first lines of the files in the order of their names, read by one worker.
    """

    source: JsonlSource

    def expand(self, begin: PBegin) -> PCollection:
        source = self.source
        if source.limit is not None:
            return (
                begin
                | "Source" >> beam.Create([source], reshuffle=False)
                | "First lines" >> beam.FlatMap(_first_rows)
            )
        return (
            begin
            | "Path" >> beam.Create([source.path], reshuffle=False)
            | "Lines" >> ReadAllFromText(coder=BytesCoder(), with_filename=True)
            | "Not blank" >> beam.Filter(lambda path_and_line: path_and_line[1].strip())
            | "Row" >> beam.MapTuple(lambda path, line: row_of(source, path, line))
        )
