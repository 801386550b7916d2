"""Records as Parquet: one Arrow schema per record type, and sharded, ordered, atomic files."""

from __future__ import annotations

import ast
import dataclasses
import glob
import inspect
import json
import pickle
import re
import textwrap
import types
import typing
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, islice, pairwise, zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.pvalue import AsSingleton, PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from transforms.engine.blocks import Block, PackByKey, Packer, lists_of, pack, records_of
from transforms.engine.files import FileSystems, new_file
from transforms.engine.ids import content_id
from transforms.engine.plain import as_plain, columns_of
from transforms.images.blobs import Blobs
from transforms.images.rows import holds_pictures, image_rows, image_schema, size_of

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


def from_row(cls: type, row: dict[str, Any]) -> Any:
    """Returns the record of type `cls` that `as_plain` made `row` from."""
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
        # None where a row had a class with fewer fields: a turn without pictures
        return lambda values: tuple(inner(value) for value in values or ())
    if dataclasses.is_dataclass(annotation):
        return lambda row: from_row(typing.cast(type, annotation), row)
    return _same


def _same(value: Any) -> Any:
    return value


def write_table(
    path: str, rows: Iterable[Any], cls: type, compression: str, blobs: str = ""
) -> int:
    """Writes records to one Parquet file, atomically; returns how many.

    A reader never sees half a file, and a retried bundle replaces a file by an equal one.

    Args:
        blobs: folder of the records' pictures, whose bytes then have a column of their own; empty
            leaves the bytes where they are.
    """
    schema = arrow_schema(cls)
    batches: Iterator[pa.RecordBatch]
    if blobs and holds_pictures(cls):
        schema = image_schema(schema)
        shown = image_rows(rows, Blobs(blobs))
        batches = (pa.RecordBatch.from_pylist(batch, schema) for batch in shown)
    else:
        columns = (columns_of(batch, cls) for batch in batched(rows, 1000))
        batches = (pa.RecordBatch.from_pydict(each, schema) for each in columns)
    count = 0
    with (
        new_file(path) as new,
        pq.ParquetWriter(new.file, schema, compression=compression) as writer,
    ):
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
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


_BUCKETS = 128
"""What rows are packed by, before it is known how many there are: a shard is a range of these, or,
of more rows than that allows, a part of one."""
_SHARD_BYTES = 128 << 20
"""Of pickled rows, in a shard at most, about."""

_GATHERED_BYTES = 4 << 20
"""Of pickled rows, held by a bundle before they are packed: rejects, which hold whole records, come
so slowly that a large run would hold thousands of each stage."""

_Packed = tuple[str, bytes]
"""A row: its id, and the row pickled."""


@dataclass(frozen=True)
class Size:
    """How much there is of something."""

    rows: int = 0
    bytes: int = 0

    @staticmethod
    def of(sizes: Iterable[Size]) -> Size:
        """The sum."""
        rows = total = 0
        for size in sizes:
            rows, total = rows + size.rows, total + size.bytes
        return Size(rows, total)

    def shards(self, least: int, rows_per_shard: int) -> int:
        """How many files hold it, with no more than about so many rows in each."""
        return max(least, -(-self.rows // rows_per_shard), -(-self.bytes // _SHARD_BYTES))


def _hash(record_id: str) -> int:
    """32 bits that decide on a row's shard."""
    return int(content_id("shard", record_id)[:8], 16)


@dataclass(frozen=True)
class Shards:
    """A folder of Parquet files."""

    record_type: type
    folder: str
    prefix: str
    """What the names of its files begin with."""
    least: int = 1
    """Files, at least."""
    blobs: str = ""
    """Folder of the records' pictures, where the files are to hold the bytes; or empty."""

    @property
    def with_pictures(self) -> bool:
        return bool(self.blobs) and holds_pictures(self.record_type)


_Sizes = dict[int, Size]
"""Of folders, by their numbers; a folder that gets no row may be missing."""


def _summed(sizes: Iterable[_Sizes]) -> _Sizes:
    by_folder: dict[int, list[Size]] = {}
    for each in sizes:
        for number, size in each.items():
            by_folder.setdefault(number, []).append(size)
    return {number: Size.of(each) for number, each in by_folder.items()}


class _PackRows(beam.DoFn):
    """Record -> ((folder, bucket), Block of packed rows), and the sizes of those of a bundle."""

    def __init__(self, number: int, with_pictures: bool) -> None:
        self._number, self._with_pictures = number, with_pictures
        self._pack = PackByKey(lambda row: (number, _hash(row[0]) * _BUCKETS >> 32))

    def start_bundle(self) -> None:
        self._rows = self._bytes = self._held = 0
        self._pack.start_bundle()

    def process(self, record: Any) -> Iterable[tuple[tuple[int, int], Block]]:
        pickled = pickle.dumps(record, protocol=pickle.HIGHEST_PROTOCOL)
        self._rows += 1
        self._held += len(pickled)
        self._bytes += len(pickled) + (size_of(record) if self._with_pictures else 0)
        packed = self._pack.process((record.id, pickled))
        if self._held < _GATHERED_BYTES:
            return packed
        self._held = 0
        return [*packed, *self._pack.packed()]

    def finish_bundle(self) -> Iterator[Any]:
        yield from self._pack.finish_bundle()
        sizes = {self._number: Size(self._rows, self._bytes)}
        yield TaggedOutput("sizes", GlobalWindows.windowed_value(sizes))


@dataclass(frozen=True)
class _Plan:
    """Which files there are, once it is known how much is written to each folder."""

    folders: tuple[Shards, ...]
    rows_per_shard: int

    def shards(self, number: int, sizes: _Sizes) -> int:
        least = self.folders[number].least
        return sizes.get(number, Size()).shards(least, self.rows_per_shard)

    def empty(self, sizes: _Sizes) -> list[tuple[tuple[int, int], Block]]:
        """Each shard once without a row: an empty one has to be written too."""
        return [
            ((number, shard), pack([]))
            for number in range(len(self.folders))
            for shard in range(self.shards(number, sizes))
        ]


class _AssignShard(beam.DoFn):
    """((folder, bucket), Block) -> ((folder, shard), Block)."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._packer = Packer()

    def process(
        self, element: tuple[tuple[int, int], Block], sizes: _Sizes
    ) -> Iterator[tuple[tuple[int, int], Block]]:
        (number, bucket), block = element
        shards = self._plan.shards(number, sizes)
        if shards <= _BUCKETS:
            yield (number, bucket * shards // _BUCKETS), block
            return
        for packed in lists_of(block):
            parts: dict[int, list[_Packed]] = {}
            for row in packed:
                parts.setdefault(_hash(row[0]) * shards >> 32, []).append(row)
            for shard, rows in parts.items():
                yield from self._packer.add((number, shard), rows)

    def finish_bundle(self) -> Iterator[Any]:
        for assigned in self._packer.close():
            yield GlobalWindows.windowed_value(assigned)


_HELD_BYTES = 16 << 20
"""Of a shard's pickled rows, in memory at a time, about."""


def in_order(blocks: Iterable[Block]) -> Iterator[Any]:
    """Yields the records of blocks of packed rows by id; those of one id, by their content.

    Goes through the blocks once for each `_HELD_BYTES` of them and holds a range of the ids at a
    time. One record is unpickled at a time.
    """
    passes = 1 + sum(size for size, _ in blocks) // _HELD_BYTES
    ids = sorted(record_id for record_id, _ in records_of(blocks)) if passes > 1 else []
    firsts = ["", *(ids[len(ids) * number // passes] for number in range(1, passes))]
    for first, following in zip_longest(firsts, firsts[1:]):
        rows: Iterable[_Packed] = records_of(blocks)
        if passes > 1:
            rows = (r for r in rows if first <= r[0] and (following is None or r[0] < following))
        for _, same in groupby(sorted(rows, key=itemgetter(0)), key=itemgetter(0)):
            records = [pickle.loads(pickled) for _, pickled in same]
            if len(records) > 1:
                records.sort(key=lambda record: json.dumps(as_plain(record), sort_keys=True))
            yield from records


class _WriteShard(beam.DoFn):
    """((folder, shard), its Blocks) -> (path, rows) of the file."""

    def __init__(self, plan: _Plan, compression: str) -> None:
        self._plan, self._compression = plan, compression

    def process(
        self, element: tuple[tuple[int, int], Iterable[Block]], sizes: _Sizes
    ) -> Iterator[tuple[str, int]]:
        (number, shard), blocks = element
        to = self._plan.folders[number]
        path = shard_path(to.folder, to.prefix, shard, self._plan.shards(number, sizes))
        yield path, write_table(path, in_order(blocks), to.record_type, self._compression, to.blobs)


@dataclass
class WriteFolders(beam.PTransform):
    """Tuple of PCollections of records with an `id` -> PCollection[(path, rows)] of the shards
    written, all of them in the same few steps: of a small pipeline each step costs more than rows.

    As `WriteRecords`, to several folders.

    Args:
        folders: of each PCollection the one that it goes to, which may be that of others too.
    """

    folders: tuple[Shards, ...]
    compression: str = "zstd"
    rows_per_shard: int = 100_000

    def expand(self, parts: tuple[PCollection, ...]) -> PCollection:
        different = tuple(dict.fromkeys(self.folders))
        plan = _Plan(different, self.rows_per_shard)
        packed = [
            part
            | f"Pack rows {count}"
            >> beam.ParDo(_PackRows(different.index(folder), folder.with_pictures)).with_outputs(
                "sizes", main="rows"
            )
            for count, (part, folder) in enumerate(zip(parts, self.folders, strict=True))
        ]
        sizes = AsSingleton(
            [each["sizes"] for each in packed]
            | "Sizes" >> beam.Flatten()
            | "Size" >> beam.CombineGlobally(_summed).without_defaults(),
            default_value={},
        )
        keyed = (
            [each["rows"] for each in packed]
            | "Rows" >> beam.Flatten()
            | "Assign shard" >> beam.ParDo(_AssignShard(plan), sizes)
        )
        every = (
            parts[0].pipeline
            | "Once" >> beam.Create([None])
            | "Name shards" >> beam.FlatMap(lambda _, sizes: plan.empty(sizes), sizes)
        )
        return (
            (keyed, every)
            | "With every shard" >> beam.Flatten()
            | "Group by shard" >> beam.GroupByKey()
            | "Write shard" >> beam.ParDo(_WriteShard(plan, self.compression), sizes)
        )


@dataclass
class WriteRecords(beam.PTransform):
    """PCollection[record with an `id`], or several -> PCollection[(path, rows)] of the shards
    written.

    A record's shard is decided by its id and a shard is sorted, so the files are the same for
    every order of arrival and number of workers. Every shard is written, an empty one too.

    Args:
        shards: files at least; there are more where one would have more than about
            `rows_per_shard` rows, or 128 MiB of them.
        blobs: folder of their pictures, where the files are to hold the bytes; or empty.
    """

    record_type: type
    folder: str
    prefix: str
    shards: int
    compression: str = "zstd"
    rows_per_shard: int = 100_000
    blobs: str = ""

    def expand(self, records: PCollection | tuple[PCollection, ...]) -> PCollection:
        parts = (records,) if isinstance(records, PCollection) else tuple(records)
        folder = Shards(self.record_type, self.folder, self.prefix, self.shards, self.blobs)
        return parts | "Write" >> WriteFolders(
            (folder,) * len(parts), self.compression, self.rows_per_shard
        )


_IN_PROGRESS = weakref.WeakKeyDictionary[beam.Pipeline, dict[str, PCollection]]()
"""Pipeline -> folders that it writes itself, and the rows that it writes there."""


def hand_on(folder: str, rows: PCollection) -> None:
    """Has `ReadRecords` of a folder, in the pipeline that writes it, take these rows instead: the
    files are not there yet."""
    _IN_PROGRESS.setdefault(rows.pipeline, {})[folder] = rows


@dataclass
class ReadRecords(beam.PTransform):
    """PBegin -> PCollection[record], from all Parquet files of a folder, each read by one worker;
    or from some of their row groups.

    Beam's ReadFromParquet would look at the files in a worker that knows nothing of ours yet, so
    in one that Beam gave no options, not of the stores either.

    The rows of a folder that the same pipeline writes are those that it writes (`hand_on`).
    """

    record_type: type
    folder: str
    groups: tuple[RowGroup, ...] = ()
    """Those that are read; none stand for the whole folder."""

    def expand(self, begin: Any) -> PCollection:
        if (rows := _IN_PROGRESS.get(begin.pipeline, {}).get(self.folder)) is not None:
            return rows | "Of this job" >> beam.Map(_same)
        if self.groups:
            files = begin | "Groups" >> beam.Create(pieces(self.groups), reshuffle=False)
        else:
            files = (
                begin
                | "Folder" >> beam.Create([self.folder], reshuffle=False)
                | "Files" >> beam.FlatMap(_parquet_files)
            )
        return (
            files
            | "Spread" >> beam.Reshuffle()
            | "Records" >> beam.FlatMap(_records_in, self.record_type)
        )


def _parquet_files(folder: str) -> list[tuple[str, None]]:
    (found,) = FileSystems.match([FileSystems.join(glob.escape(folder), "*.parquet")])
    return [(file.path, None) for file in found.metadata_list]


def _records_in(piece: tuple[str, list[int] | None], record_type: type) -> Iterator[Any]:
    path, groups = piece
    with FileSystems.open(path, compression_type="uncompressed") as file:
        for batch in pq.ParquetFile(file).iter_batches(1000, row_groups=groups):
            yield from _records_of(batch, record_type)


def _records_of(batch: pa.RecordBatch, record_type: type) -> Iterator[Any]:
    """Yields the records of a batch as unpickling makes them: what a field's own checks refuse was
    never written."""
    converters = _converters(record_type)
    columns = [_column(batch.column(name), convert) for name, convert in converters]
    names = [name for name, _ in converters]
    for values in zip(*columns, strict=True):
        record: Any = object.__new__(record_type)
        record.__dict__.update(zip(names, values, strict=True))
        yield record


def _column(column: pa.Array, convert: Callable[[Any], Any]) -> list[Any]:
    """The values of a column, as the records hold them."""
    if pa.types.is_string(column.type):  # at a fifth of the time that to_pylist takes
        return column.to_numpy(zero_copy_only=False).tolist()
    values = column.to_pylist()
    return values if convert is _same else [convert(value) for value in values]


class RowGroup(NamedTuple):
    """A row group of a Parquet file."""

    path: str
    number: int
    rows: int


def row_groups(paths: Iterable[str]) -> list[RowGroup]:
    """The row groups of Parquet files, in order."""
    found = []
    for path in paths:
        with FileSystems.open(path, compression_type="uncompressed") as source:
            footer = pq.ParquetFile(source).metadata
            groups = range(footer.num_row_groups)
            found += [RowGroup(path, each, footer.row_group(each).num_rows) for each in groups]
    return found


_PIECE = 5_000
"""Rows of a file that a worker reads at once, about, where a part of a folder is read: many more
pieces than workers, or some of these would have nothing to do."""


def pieces(groups: Iterable[RowGroup]) -> list[tuple[str, list[int]]]:
    """Deals row groups out: (file, numbers of some of its groups)."""
    dealt: list[tuple[str, list[int]]] = []
    room = 0
    for path, number, rows in groups:
        if room <= 0 or dealt[-1][0] != path:
            dealt.append((path, []))
            room = _PIECE
        dealt[-1][1].append(number)
        room -= rows
    return dealt


def split_groups(groups: Sequence[RowGroup], most: int) -> list[tuple[RowGroup, ...]]:
    """Splits row groups, in their order, into parts of about as many rows each, and no more than
    about `most`.

    >>> [len(part) for part in split_groups([RowGroup("a", number, 10) for number in range(5)], 20)]
    [2, 2, 1]
    """
    total = sum(group.rows for group in groups)
    count = max(1, -(-total // most))
    split: list[list[RowGroup]] = [[] for _ in range(count)]
    before = 0
    for group in groups:
        split[min(before * count // max(1, total), count - 1)].append(group)
        before += group.rows
    return [tuple(part) for part in split if part]
