"""Records that travel together: a shuffle of few blocks in place of one element a record.

A local runner holds every shuffle in memory about five times over, and spends some 40
microseconds an element. A block is one element, compressed; and where a pipeline runs on this
machine alone its blocks lie on disk (`spilled_to`): the runner holds where each of them is.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import uuid
import zlib
from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, BinaryIO

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindows

_GATHERED = 4096
"""Records held by a bundle before their blocks are handed on."""

_PARTITIONS = 64
"""Of what is shuffled by id or by key: a worker holds one of them at a time."""

Block = tuple[int, bytes | tuple[str, bytes]]
"""Uncompressed size, and compressed lists of records: the bytes of one list, or the file that lists
are in and where each is (offset, length and uncompressed size, 64 bits each)."""

_FOLDER: ContextVar[str | None] = ContextVar("_FOLDER", default=None)


@contextlib.contextmanager
def spilled_to(folder: str | None) -> Iterator[None]:
    """Has the blocks of the transforms built within lie on disk, in a folder that every worker
    sees; None keeps them in memory."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def pack(records: list[Any]) -> tuple[int, bytes]:
    raw = pickle.dumps(records, protocol=pickle.HIGHEST_PROTOCOL)
    return len(raw), pa.compress(raw, codec="lz4", asbytes=True)


def unpack(block: Block) -> list[Any]:
    """The records of a block, in their order. Those of a block on disk are read anew each time."""
    return list(records_of([block]))


def lists_of(block: Block) -> Iterator[list[Any]]:
    """Yields the lists that a block was packed from, one at a time."""
    size, where = block
    if isinstance(where, bytes):
        yield _unpacked(where, size)
        return
    path, places = where
    with open(path, "rb") as file:
        numbers = iter(array("q", places))
        for offset, length, full in zip(numbers, numbers, numbers, strict=True):
            file.seek(offset)
            yield _unpacked(file.read(length), full)


def _unpacked(compressed: bytes, size: int) -> list[Any]:
    return pickle.loads(pa.decompress(compressed, size, codec="lz4", asbytes=True))


def records_of(blocks: Iterable[Block]) -> Iterator[Any]:
    """Yields the records of blocks, of which one list is unpacked at a time."""
    for block in blocks:
        for records in lists_of(block):
            yield from records


def part_of(name: str) -> int:
    """The partition that an id or a key is dealt to."""
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % _PARTITIONS


class Packer:
    """Packs lists by keys, and puts them on disk where the pipeline was built to do so.

    In memory each list is a block at once. On disk all lists of a bundle and key are one, at its
    end: the runner holds a block a key, however many rows there are.

    One file a bundle: a bundle that is run again writes another, and what of the first one
    nobody refers to is deleted with the rest.
    """

    def __init__(self) -> None:
        self._folder = _FOLDER.get()
        self._file: BinaryIO | None = None
        self._places: dict[Any, array[int]] = {}

    def add(self, key: Any, records: list[Any]) -> list[tuple[Any, Block]]:
        """Packs a list; returns the block where it is handed on now."""
        size, compressed = pack(records)
        if self._folder is None:
            return [(key, (size, compressed))]
        if self._file is None:
            self._file = open(os.path.join(self._folder, uuid.uuid4().hex), "wb")  # noqa: SIM115
        places = self._places.setdefault(key, array("q"))
        places.extend((self._file.tell(), len(compressed), size))
        self._file.write(compressed)
        return []

    def close(self) -> Iterator[tuple[Any, Block]]:
        """Ends the bundle; yields the blocks that were not handed on before."""
        file, places, self._file, self._places = self._file, self._places, None, {}
        if file is not None:
            file.close()  # before a step that is fused with this one reads the blocks
            for key, of_key in places.items():
                yield key, (sum(of_key[2::3]), (file.name, of_key.tobytes()))


class PackByKey(beam.DoFn):
    """Record -> (key, Block): the records of a bundle that share a key travel together.

    For few keys only: `key` deals the records out to partitions or shards.

    Args:
        item: what is packed of a record; None for the record itself.
    """

    def __init__(
        self, key: Callable[[Any], Hashable], item: Callable[[Any], Any] | None = None
    ) -> None:
        self._key, self._item = key, item
        self._packer = Packer()

    def start_bundle(self) -> None:
        self._blocks: dict[Any, list[Any]] = {}
        self._gathered = 0

    def process(self, record: Any) -> Iterable[tuple[Any, Block]]:
        item = record if self._item is None else self._item(record)
        self._blocks.setdefault(self._key(record), []).append(item)
        self._gathered += 1
        return () if self._gathered < _GATHERED else self.packed()

    def finish_bundle(self) -> Iterator[Any]:
        for keyed in (*self.packed(), *self._packer.close()):
            yield GlobalWindows.windowed_value(keyed)

    def packed(self) -> list[tuple[Any, Block]]:
        """Packs the records that are held; returns the blocks that are handed on now."""
        blocks = self._blocks
        self.start_bundle()
        return [one for key, records in blocks.items() for one in self._packer.add(key, records)]


def each_packed(
    parts: PCollection | Iterable[PCollection], label: str, pack_records: beam.PTransform
) -> PCollection:
    """Packs the records of one or of several PCollections, and returns all of their blocks."""
    parts = [parts] if isinstance(parts, PCollection) else list(parts)
    if len(parts) == 1:
        return parts[0] | label >> pack_records
    packed = [part | f"{label} {number}" >> pack_records for number, part in enumerate(parts)]
    return packed | f"{label}, all" >> beam.Flatten()


class Spread(beam.PTransform):
    """PCollection[record] -> the same, dealt out among the workers; and where a local runner has
    to keep it for later, it keeps blocks that are on disk."""

    def expand(self, records: PCollection) -> PCollection:
        return (
            records
            | "In blocks" >> beam.ParDo(PackByKey(lambda record: part_of(record.id)))
            | "Deal" >> beam.Reshuffle()
            | "One by one" >> beam.FlatMapTuple(lambda _, block: records_of([block]))
        )


@dataclass
class Together(beam.PTransform):
    """Tuple of PCollection[record] -> one PCollection of them all.

    Beam's Flatten, but that a local runner, which holds in memory what it flattens, holds blocks
    that are on disk.

    Args:
        pipeline: needed where there may be no PCollection.
    """

    pipeline: beam.Pipeline | None = None

    def expand(self, parts: tuple[PCollection, ...]) -> PCollection:
        if len(parts) == 1:
            return parts[0]
        if _FOLDER.get() is None:
            return parts | "Flatten" >> beam.Flatten(pipeline=self.pipeline)
        packed = [
            part | f"In blocks {number}" >> beam.ParDo(PackByKey(lambda record: 0))
            for number, part in enumerate(parts)
        ]
        return (
            packed
            | "Flatten" >> beam.Flatten(pipeline=self.pipeline)
            | "Records" >> beam.FlatMapTuple(lambda _, block: records_of([block]))
        )
