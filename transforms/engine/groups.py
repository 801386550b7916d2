"""A stage of groups: records that share a field's value, and a pure function of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict
from transforms.engine.blocks import Block, PackByKey, part_of, records_of
from transforms.engine.ids import canonical_json
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.stage import AnyRecord, Stage

_HELD_BYTES = 64 << 20
"""Bytes of pickled records whose groups are held at a time, about."""


def groups(blocks: Iterable[Block], key: Callable[[Any], str]) -> Iterator[list[Any]]:
    """Yields the records of each key, in the order of their ids.

    Goes through the blocks once for each `_HELD_BYTES` of them, and holds the groups of some keys
    at a time.
    """
    passes = 1 + sum(size for size, _ in blocks) // _HELD_BYTES
    for number in range(passes):
        held: dict[str, list[Any]] = {}
        for record in records_of(blocks):
            name = key(record)
            # its lower bits dealt the key to this partition (`part_of`)
            if zlib.crc32(name.encode("utf-8", "surrogatepass")) // 64 % passes == number:
                held.setdefault(name, []).append(record)
        for name in sorted(held):
            yield sorted(held[name], key=lambda record: record.id)


@dataclass(kw_only=True)
class GroupMap(Stage):
    """PCollection[record] -> Outcome of what `of` makes of each group of them.

    A group is all records with the same value of the field `by`; it has to fit into memory.
    """

    by: str = "seed_ids"
    """The records' field that those of a group share; by default the problem."""

    of: ClassVar[Callable[..., Iterable[tuple[Any, Verdict]]]]
    """list of records, in the order of their ids -> (record, Verdict) of each that enters."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("by",)

    def expand(self, records: PCollection) -> Outcome:
        by, of = self.by, self.of

        def key(record: Any) -> str:
            return canonical_json(getattr(record, by))

        judged = (
            records
            | "In blocks" >> beam.ParDo(PackByKey(lambda record: part_of(key(record))))
            | "Group" >> beam.GroupByKey()
            | "Each group" >> beam.FlatMapTuple(lambda _, blocks: groups(blocks, key))
            | "Decide on groups" >> beam.FlatMap(of)
        )
        outcome: Outcome = judged | "Decide" >> Decide(self.name)
        return outcome._replace(entered=judged) if self.creates_records else outcome
