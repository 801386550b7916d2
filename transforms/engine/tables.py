"""Records as Parquet: one Arrow schema per record type, and sharded, ordered, atomic files."""

from __future__ import annotations

import ast
import dataclasses
import glob
import inspect
import json
import re
import textwrap
import types
import typing
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.engine.blocks import Block, PackByKey, pack, unpack
from transforms.engine.files import FileSystems, new_file
from transforms.engine.ids import content_id

_PRIMITIVES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}
_UNIONS = (types.UnionType, typing.Union)


def _arrow_type(annotation: Any) -> tuple[pa.DataType, bool]:
    """Returns (type, nullable) of str, int, float, bool, X | None, tuple[X, ...], dataclass.

    An item of a tuple may be None, too: tuple[X | None, ...].

    Raises TypeError for any other type.
    """
    if annotation in _PRIMITIVES:
        return _PRIMITIVES[annotation], False
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS and len(args) == 2 and args[1] is type(None):
        return _arrow_type(args[0])[0], True
    if origin is tuple and len(args) == 2 and args[1] is ...:
        return pa.list_(_arrow_type(args[0])[0]), False
    if dataclasses.is_dataclass(annotation):
        return pa.struct(list(arrow_schema(typing.cast(type, annotation)))), False
    raise TypeError(f"no Arrow type for {annotation!r}")


@cache
def arrow_schema(cls: type) -> pa.Schema:
    """Returns the Arrow schema of a record type: one column per field, in their order."""
    hints = typing.get_type_hints(cls)
    columns = []
    for field in dataclasses.fields(cls):
        arrow_type, nullable = _arrow_type(hints[field.name])
        columns.append(pa.field(field.name, arrow_type, nullable))
    return pa.schema(columns)


def plain_type(arrow_type: pa.DataType) -> str:
    """An Arrow type in words, without the names of list items and nullability."""
    return re.sub(r"item: | not null", "", str(arrow_type))


@cache
def meanings(cls: type) -> dict[str, str]:
    """Returns what each column of a record type means: the text under its field, in the source.

    A field without one is left out, and so is every field of a class whose source is not at hand.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        try:
            (made,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except OSError:
            continue
        for field, text in pairwise(typing.cast(ast.ClassDef, made).body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as meaning)),
                ):
                    found[name] = " ".join(meaning.split()).rstrip(".")
    return found


def to_row(record: Any) -> dict[str, Any]:
    """Returns a record as plain values that fit its Arrow schema."""
    return dataclasses.asdict(record)


def from_row(cls: type, row: dict[str, Any]) -> Any:
    """Returns the record of type `cls` that `to_row` made `row` from."""
    return cls(**{name: convert(row[name]) for name, convert in _converters(cls)})


@cache
def _converters(cls: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(cls)
    return tuple((field.name, _converter(hints[field.name])) for field in dataclasses.fields(cls))


def _converter(annotation: Any) -> Callable[[Any], Any]:
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _UNIONS:
        some = _converter(args[0])
        return some if some is _same else lambda value: None if value is None else some(value)
    if origin is tuple:
        inner = _converter(args[0])
        return lambda values: tuple(inner(value) for value in values)
    if dataclasses.is_dataclass(annotation):
        return lambda row: from_row(typing.cast(type, annotation), row)
    return _same


def _same(value: Any) -> Any:
    return value


def write_table(path: str, rows: Iterable[Any], cls: type, compression: str) -> int:
    """Writes records to one Parquet file, atomically; returns how many.

    A reader never sees half a file, and a retried bundle replaces a file by an equal one.
    """
    schema = arrow_schema(cls)
    count = 0
    with (
        new_file(path) as new,
        pq.ParquetWriter(new.file, schema, compression=compression) as writer,
    ):
        for batch in batched(map(to_row, rows), 1000):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))
            count += len(batch)
    return count


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yields lists of `size` items, the last one shorter."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def write_text(path: str, text: str) -> None:
    """Writes a text file atomically."""
    with new_file(path) as new:
        new.file.write(text.encode())


def shard_path(folder: str, prefix: str, shard: int, shards: int) -> str:
    """Returns the path of one shard, such as `train-00000-of-00008.parquet`."""
    return FileSystems.join(folder, f"{prefix}-{shard:05d}-of-{shards:05d}.parquet")


def _in_order(records: list[Any]) -> list[Any]:
    """Sorts records by id; records of one id, by their content."""
    ordered = sorted(records, key=lambda record: record.id)
    for one, other in pairwise(ordered):
        if one.id == other.id:
            return sorted(
                ordered, key=lambda record: (record.id, json.dumps(to_row(record), sort_keys=True))
            )
    return ordered


class _WriteShard(beam.DoFn):
    def __init__(self, cls: type, folder: str, prefix: str, compression: str) -> None:
        self._cls, self._folder, self._prefix = cls, folder, prefix
        self._compression = compression

    def process(
        self, element: tuple[int, Iterable[Block]], shards: int
    ) -> Iterator[tuple[str, int]]:
        shard, blocks = element
        ordered = _in_order([record for block in blocks for record in unpack(block)])
        path = shard_path(self._folder, self._prefix, shard, shards)
        yield path, write_table(path, ordered, self._cls, self._compression)


@dataclass
class WriteRecords(beam.PTransform):
    """PCollection[record with an `id`] -> PCollection[(path, rows)] of the shards written.

    A record's shard is decided by its id and a shard is sorted, so the files are the same for
    every order of arrival and number of workers. Every shard is written, an empty one too.

    Args:
        shards: how many there are; a side input where it is known only as the pipeline runs.
    """

    record_type: type
    folder: str
    prefix: str
    shards: int | AsSingleton
    compression: str = "zstd"

    def expand(self, records: PCollection) -> PCollection:
        keyed = records | "Assign shard" >> beam.ParDo(PackByKey(_shard_of), self.shards)
        # An empty shard has to be written too, so each is named once without a record.
        every = (
            records.pipeline
            | "Once" >> beam.Create([None])
            | "Name shards"
            >> beam.FlatMap(lambda _, shards: ((n, pack([])) for n in range(shards)), self.shards)
        )
        return (
            (keyed, every)
            | "With every shard" >> beam.Flatten()
            | "Group by shard" >> beam.GroupByKey()
            | "Write shard"
            >> beam.ParDo(
                _WriteShard(self.record_type, self.folder, self.prefix, self.compression),
                self.shards,
            )
        )


def _shard_of(record: Any, shards: int) -> int:
    return int(content_id("shard", record.id)[:8], 16) % shards


_IN_PROGRESS = weakref.WeakKeyDictionary[beam.Pipeline, dict[str, PCollection]]()
"""Pipeline -> folders that it writes itself, and the rows that it writes there."""


def hand_on(folder: str, rows: PCollection) -> None:
    """Has `ReadRecords` of a folder, in the pipeline that writes it, take these rows instead: the
    files are not there yet."""
    _IN_PROGRESS.setdefault(rows.pipeline, {})[folder] = rows


@dataclass
class ReadRecords(beam.PTransform):
    """PBegin -> PCollection[record], from all Parquet files of a folder; a file is read at once.

    Beam's ReadFromParquet would look at the files in a worker that knows nothing of ours yet, so
    in one that Beam gave no options, not of the stores either.

    The rows of a folder that the same pipeline writes are those that it writes (`hand_on`).
    """

    record_type: type
    folder: str

    def expand(self, begin: Any) -> PCollection:
        if (rows := _IN_PROGRESS.get(begin.pipeline, {}).get(self.folder)) is not None:
            return rows | "Of this job" >> beam.Map(_same)
        return (
            begin
            | "Folder" >> beam.Create([self.folder], reshuffle=False)
            | "Files" >> beam.FlatMap(_parquet_files)
            | "Spread" >> beam.Reshuffle()
            | "Records" >> beam.FlatMap(_records_in, self.record_type)
        )


def _parquet_files(folder: str) -> list[str]:
    (found,) = FileSystems.match([FileSystems.join(glob.escape(folder), "*.parquet")])
    return [file.path for file in found.metadata_list]


def _records_in(path: str, record_type: type) -> Iterator[Any]:
    with FileSystems.open(path, compression_type="uncompressed") as file:
        for batch in pq.ParquetFile(file).iter_batches(1000):
            yield from (from_row(record_type, row) for row in batch.to_pylist())
