"""Rejecting by ids decided elsewhere: ids and hashes decide, one join at the end carries it out."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.blocks import Block, PackByKey, unpack
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.stage import AnyRecord, Named, Same, Stage

_PARTITIONS = 64
"""Parts of the join between records and the ids of losers: one part's ids are held at a time."""


def over_limit(
    group: Iterable[tuple[Any, str]], limit: int, reason: str
) -> Iterator[tuple[str, Verdict]]:
    """Yields (id, rejection) for all but the `limit` smallest (order, id) of a group.

    Goes through the group twice and holds `limit` of it: a group may be larger than memory.
    """
    stay = heapq.nsmallest(limit, group)
    for ranked in group:
        if ranked > stay[-1]:
            yield ranked[1], reject(reason, f"same as {stay[0][1]}")


@dataclass
class LimitPerKey(beam.PTransform):
    """PCollection[record] -> PCollection[(id, Verdict)] of the records over `limit` per key.

    `key` is what records share (a hash), `order` decides which stay: smallest first, then by id.
    """

    key: Callable[[Any], str]
    order: Callable[[Any], Any]
    limit: int
    reason: str

    def expand(self, records: PCollection) -> PCollection:
        key, order, limit, reason = self.key, self.order, self.limit, self.reason
        return (
            records
            | "Key" >> beam.Map(lambda r: (key(r), (order(r), r.id)))
            | "Group" >> beam.GroupByKey()
            | "Over limit" >> beam.FlatMapTuple(lambda _, group: over_limit(group, limit, reason))
        )


@dataclass(kw_only=True)
class Limit(Stage):
    """PCollection[record] -> Outcome of the same: at most `keep` records of each key."""

    key: Named
    """record -> what records share, a text."""
    order: Named | None = None
    """Which stay: smallest first, then by id (None: by id alone)."""
    keep: Annotated[int, Field(ge=1)] = 1
    reason: str
    """Of the rejects."""

    reads: ClassVar[type] = AnyRecord
    writes: ClassVar[type] = Same

    def rejects_for(self) -> tuple[str, ...]:
        return (self.reason,)

    def expand(self, records: PCollection) -> Outcome:
        losers = records | "Find" >> LimitPerKey(
            self.key, self.order or (lambda record: 0), self.keep, self.reason
        )
        return records | "Drop" >> DropLosers(self.name, losers)


def judged(
    blocks: Iterable[Block], losers: Iterable[tuple[str, Verdict]]
) -> Iterator[tuple[Any, Verdict]]:
    """Yields (record, its verdict): the first by reason, then detail, of those against its id."""
    verdicts: dict[str, Verdict] = {}
    for record_id, verdict in losers:
        verdicts[record_id] = min(verdict, verdicts.get(record_id, verdict), key=_rank)
    for block in blocks:
        for record in unpack(block):
            yield record, verdicts.get(record.id, keep())


def _rank(verdict: Verdict) -> tuple[str, str]:
    return str(verdict.reason), verdict.detail


def part_of(record_id: str) -> int:
    """Returns the partition that a record's id is dealt to."""
    return zlib.crc32(record_id.encode()) % _PARTITIONS


@dataclass
class JudgeLosers(beam.PTransform):
    """PCollection[record] -> PCollection[(record, Verdict)], by PCollection[(id, Verdict)] of those
    to reject.

    The one shuffle that moves whole records, in blocks. The losers as a side input would spare
    it, but every worker would hold all of them (or ask the runner for each, 0.6 ms apiece).
    """

    losers: PCollection

    def expand(self, records: PCollection) -> PCollection:
        blocks = records | "In blocks" >> beam.ParDo(PackByKey(lambda record: part_of(record.id)))
        losers = self.losers | "By part" >> beam.Map(lambda loser: (part_of(loser[0]), loser))
        return (
            {"blocks": blocks, "losers": losers}
            | "Join" >> beam.CoGroupByKey()
            | "Judge" >> beam.FlatMapTuple(lambda _, part: judged(part["blocks"], part["losers"]))
        )


@dataclass
class DropLosers(beam.PTransform):
    """Splits PCollection[record] by PCollection[(id, Verdict)] of those to reject."""

    stage: str
    losers: PCollection

    def expand(self, records: PCollection) -> Outcome:
        return records | "Judge" >> JudgeLosers(self.losers) | "Decide" >> Decide(self.stage)
