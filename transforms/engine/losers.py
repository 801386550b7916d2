"""Rejects records by id: others emit (id, Verdict), and one join applies these to the records."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.blocks import Block, PackByKey, each_packed, part_of, records_of
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.stage import AnyRecord, Named, Stage

Claim = tuple[str, Any, str]
"""(key, order, id): of the records of one key those stay that come first by order, then by id."""


def over_limit(blocks: Iterable[Block], limit: int, reason: str) -> Iterator[tuple[str, Verdict]]:
    """Yields (id, rejection) of all but the first `limit` of the claims on each key.

    Goes through the blocks of claims twice, and holds `limit` of each key.
    """
    stay: dict[str, list[tuple[Any, str]]] = {}
    for key, order, record_id in records_of(blocks):
        first = stay.setdefault(key, [])
        if len(first) < limit or (order, record_id) < first[-1]:
            bisect.insort(first, (order, record_id))
            del first[limit:]
    for key, order, record_id in records_of(blocks):
        if (order, record_id) > stay[key][-1]:
            yield record_id, reject(reason, f"same as {stay[key][0][1]}")


@dataclass
class LimitPerKey(beam.PTransform):
    """PCollection[record], or several -> PCollection[(id, Verdict)] of those over `limit` per key.

    `key` is what records share (a hash), `order` decides which stay: smallest first, then by id.
    The shuffle moves claims, not records.
    """

    key: Callable[[Any], str]
    order: Callable[[Any], Any]
    limit: int
    reason: str

    def expand(self, records: PCollection | tuple[PCollection, ...]) -> PCollection:
        key, order, limit, reason = self.key, self.order, self.limit, self.reason

        def claim(record: Any) -> Claim:
            return key(record), order(record), record.id

        pack = PackByKey(lambda record: part_of(key(record)), claim)
        return (
            each_packed(records, "Claims", beam.ParDo(pack))
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

    def rejects_for(self) -> tuple[str, ...]:
        return (self.reason,)

    def expand(self, records: PCollection) -> Outcome:
        losers = records | "Find" >> LimitPerKey(
            self.key, self.order or (lambda record: 0), self.keep, self.reason
        )
        return records | "Drop" >> DropLosers(self.name, losers)


def judged(blocks: Iterable[Block], losers: Iterable[Block]) -> Iterator[tuple[Any, Verdict]]:
    """Yields (record, its verdict): the first by reason, then detail, of those against its id.

    Args:
        losers: blocks of (id, Verdict).
    """
    verdicts: dict[str, Verdict] = {}
    for record_id, verdict in records_of(losers):
        verdicts[record_id] = min(verdict, verdicts.get(record_id, verdict), key=_rank)
    for record in records_of(blocks):
        yield record, verdicts.get(record.id, keep())


def _rank(verdict: Verdict) -> tuple[str, str]:
    return str(verdict.reason), verdict.detail


@dataclass
class JudgeLosers(beam.PTransform):
    """PCollection[record] -> PCollection[(record, Verdict)], by PCollection[(id, Verdict)] of those
    to reject, or by several.

    The one shuffle that moves whole records, in blocks. The losers as a side input would spare
    it, but every worker would hold all of them (or ask the runner for each, 0.6 ms apiece).
    """

    losers: PCollection | tuple[PCollection, ...]

    def expand(self, records: PCollection) -> PCollection:
        blocks = records | "In blocks" >> beam.ParDo(PackByKey(lambda record: part_of(record.id)))
        losers = each_packed(
            self.losers, "Losers", beam.ParDo(PackByKey(lambda loser: part_of(loser[0])))
        )
        return (
            {"blocks": blocks, "losers": losers}
            | "Join" >> beam.CoGroupByKey()
            | "Judge" >> beam.FlatMapTuple(lambda _, part: judged(part["blocks"], part["losers"]))
        )


@dataclass
class DropLosers(beam.PTransform):
    """Splits PCollection[record] by PCollection[(id, Verdict)] of those to reject, or several."""

    stage: str
    losers: PCollection | tuple[PCollection, ...]

    def expand(self, records: PCollection) -> Outcome:
        return records | "Judge" >> JudgeLosers(self.losers) | "Decide" >> Decide(self.stage)
