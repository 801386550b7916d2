"""Rows of text files, on any filesystem that Beam reads: JSON Lines, a JSON array, CSV or TSV."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import Any, Literal

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.io import ReadAllFromText
from apache_beam.pvalue import PBegin, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict
from transforms.engine.blocks import Spread, Together
from transforms.engine.errors import SourceError
from transforms.engine.settings import LocalOrNot
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import ReadInOrder, SourceSettings
from transforms.sources.columns import ColumnMap, check_columns
from transforms.sources.files import (
    content_of,
    is_glob,
    matching,
    named,
    open_whole,
    reading,
    suffixes,
)
from transforms.sources.licenses import card_license, stated
from transforms.sources.rows import Row, parsed, with_seed

_LINES_LOOKED_AT = 20
"""Lines of a file in which its columns show; a column that is in none of them is not there."""

_SEPARATORS = {".csv": (",", ";", "\t", "|"), ".tsv": ("\t", ",", ";", "|")}
"""What may stand between the columns; the first one that is in the header does."""
_NO_TEXT = {
    b"\xff\xfe\0\0": "is UTF-32, not UTF-8: convert it, such as with iconv -f UTF-32 -t UTF-8",
    b"\xff\xfe": "is UTF-16, not UTF-8: convert it, such as with iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8: convert it, such as with iconv -f UTF-16 -t UTF-8",
    b"PAR1": "is Parquet: use source=parquet",
    b"\x1f\x8b": "is compressed by gzip: let its name end in .gz",
    b"PK\x03\x04": "is a zip archive, or a workbook: unpack it, or save it as CSV",
    b"\xfd7zXZ": "is compressed by xz: unpack it",
}
"""What files begin with that are no text in UTF-8, and what to do about it."""

csv.field_size_limit(2**31 - 1)


class JsonlSource(SourceSettings):
    """Seeds from JSON Lines files, JSON arrays, CSV or TSV files."""

    type: Literal["jsonl"]
    path: LocalOrNot | list[LocalOrNot] = Field(
        description="file or glob on any Beam filesystem (local, gs://, s3://), or a list of them"
    )
    columns: ColumnMap = Field(
        {},
        description="seed field -> your column, such as {problem: question}; a path into it, such "
        "as meta.final; or columns to join, such as [body, question]; "
        "fields: problem, answer, code, solution, kind, license, source, options (of a choice)",
    )
    name: str = Field("jsonl", description="what the rows name as their source")
    license: str | None = Field(
        None,
        description="SPDX licence of the rows, where neither a column nor a README.md with a "
        "dataset card beside the files states it",
    )

    def check(self) -> list[str]:
        """Looks at the first rows of each file, and returns lines that tell how they are read.

        Raises:
            SourceError: the path matches nothing, a file cannot be read or holds no JSON objects,
                no file holds a row, or a mapped column is in none of them.
        """
        paths = matching(self.path)
        rows: list[dict[str, Any]] = []
        for path in paths:
            values = [
                parsed(row_of(self, path, line).raw)
                for line in islice(lines_in(path), _LINES_LOOKED_AT)
            ]
            objects = [value for value in values if isinstance(value, dict)]
            if values and not objects:
                raise SourceError(
                    f"{path} holds no JSON object in its first rows: {_first_row(path)}"
                )
            rows += objects
        where = named(self.path, paths)
        if not rows:
            raise SourceError(f"{where} holds no rows: name a file that is not empty")
        return [*check_columns(where, self.columns, rows), *self.license_notes()]

    def license_stated(self) -> tuple[str | None, str | None]:
        """Returns the licence of rows that name none: the one in the dataset card beside the files,
        else the one in the settings; and a line where SPDX does not know the card's."""
        if isinstance(self.path, list):  # the files of a dataset, whose card is read already
            return stated(self.license), None
        license, note = card_license(os.path.join(os.path.dirname(self.path), "README.md"))
        return license or stated(self.license), note

    def license_notes(self) -> list[str]:
        """Lines on the licence, for the user."""
        return list(filter(None, [self.license_stated()[1]]))

    def rows(self) -> beam.PTransform:
        return ReadJsonl(self)

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return beam.Map(with_seed, self.columns, self.license_stated()[0], answers)

    def content(self) -> Any:
        return content_of(self.path)


def row_of(source: JsonlSource, path: str, line: bytes) -> Row:
    """Returns the row of a line; bytes that are not UTF-8 stay visible as `\\xff`, and no JSON."""
    return Row.make(source.name, line.decode("utf-8-sig", "backslashreplace").strip(), path)


def lines_in(path: str) -> Iterator[bytes]:
    """Yields the rows of a file as lines of JSON: its lines that are not blank, the items of the
    JSON array that it is, or the records of a CSV or TSV file, their values text.

    Raises:
        SourceError: the file cannot be read to its end, is no text in UTF-8, or no whole array.
    """
    with reading(path), open_whole(path) as file:
        head = file.peek(8)
        for start, problem in _NO_TEXT.items():
            if head.startswith(start):
                raise SourceError(f"{path} {problem}")
        if b"\0" in head:
            raise SourceError(f"{path} is no text in UTF-8: convert it, or name another file")
        separators = _SEPARATORS.get(suffixes(path)[0])
        if separators:
            yield from _records(path, file, separators)
        elif _is_array(head):
            yield from _items(path, file)
        else:
            yield from (line for line in file if line.strip())


def _records(path: str, file: Any, separators: tuple[str, ...]) -> Iterator[bytes]:
    """Yields the records of a CSV or TSV file, as JSON, by the names in its header."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    header = text.readline()
    separator = next((each for each in separators if each in header), separators[0])
    # Strict: a quote that never ends would take in all records after it.
    lines = csv.reader(chain([header], text), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(lines, [])]
        twice = [name for name, count in Counter(filter(None, names)).items() if count > 1]
        if twice:
            raise SourceError(f"{path} has column {twice[0]} twice: rename one of them")
        for line in filter(None, lines):
            record: dict[str, Any] = dict(zip_longest(names, line[: len(names)]))
            if len(line) > len(names):
                record["more"] = line[len(names) :]
            yield json.dumps(record).encode()
    except csv.Error as error:
        raise SourceError(f"{path}, line {lines.line_num}, is no CSV: {error}") from None


def _is_array(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _items(path: str, file: Any) -> Iterator[bytes]:
    """Yields the items of a file that is one array; its lines where each of them is one."""
    text = file.read().decode("utf-8-sig")
    try:
        items = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise SourceError(f"{path} is no whole JSON array: {error}") from None
        yield from (line.encode() for line in text.splitlines() if line.strip())
    else:
        yield from (json.dumps(item).encode() for item in items)


def _is_split(path: str) -> bool:
    """Whether Beam can read a file in parts: plain lines, neither compressed nor in one array, in a
    file whose name Beam does not take for a glob.
    """
    kind, compression = suffixes(path)
    if compression or kind in _SEPARATORS or is_glob(path):
        return False
    with reading(path), open_whole(path) as file:
        return not _is_array(file.peek(8))


def _first_row(path: str) -> str:
    """What is wrong with the first row of a file, and how it begins."""
    data = next(lines_in(path))
    line = data.decode("utf-8-sig", "backslashreplace").strip()
    try:
        data.decode()
    except UnicodeDecodeError:
        return f"the first is no text in UTF-8, so convert the file: {line[:80]!r}"
    value = parsed(line)
    shown = line if len(line) <= 80 else f"{line[:80]}..."
    if isinstance(value, Verdict):
        hint = ": JSON Lines has one object a line" if line in ("{", "[") else ""
        return f"the first is {value.detail}: {shown!r}{hint}"
    return f"the first is a {type(value).__name__}: {shown!r}"


def _rows_in(source: JsonlSource, path: str) -> Iterator[Row]:
    return (row_of(source, path, line) for line in lines_in(path))


def _all_rows(source: JsonlSource) -> Iterator[Row]:
    return (row for path in matching(source.path) for row in _rows_in(source, path))


# Beam's reader looks at files in one step and reads them in another, maybe in another worker. Each
# step has something of this module with it, so that the worker knows the stores of engine/files.py.
def _as_named(path: str) -> str:
    return path


class _LineCoder(BytesCoder):
    """The bytes of a line."""


@dataclass
class ReadJsonl(beam.PTransform):
    """PBegin -> PCollection[Row]: one a line that is not blank, item of an array or CSV record.

    Files of plain lines are read in parts, others each by one worker. With a limit, the first rows
    of the files in the order of their names, read by one worker.
    """

    source: JsonlSource

    def expand(self, begin: PBegin) -> PCollection:
        source = self.source
        if source.limit is not None:
            return begin | ReadInOrder(source, _all_rows)
        paths = matching(source.path)
        split = [path for path in paths if _is_split(path)]
        whole = [path for path in paths if path not in set(split)]
        lines = (
            begin
            | "Split files" >> beam.Create(split, reshuffle=False)
            | "As named" >> beam.Map(_as_named)
            | "Lines" >> ReadAllFromText(coder=_LineCoder(), with_filename=True)
            | "Not blank" >> beam.Filter(lambda path_and_line: path_and_line[1].strip())
            | "Row" >> beam.MapTuple(lambda path, line: row_of(source, path, line))
        )
        rows = (
            begin
            | "Whole files" >> beam.Create(whole)
            | "Rows" >> beam.FlatMap(lambda path: _rows_in(source, path))
            | "Spread" >> Spread()
        )
        return (lines, rows) | "All" >> Together()
