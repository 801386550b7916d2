"""Rejecting by ids decided elsewhere: ids and hashes decide, one join at the end carries it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Decide, Decided, Reason, Verdict, keep, reject


def over_limit(
    group: Iterable[tuple[Any, str]], limit: int, reason: Reason
) -> Iterator[tuple[str, Verdict]]:
    """Yields (id, rejection) for all but the `limit` smallest (order, id) of a group."""
    ranked = sorted(group)
    for _, record_id in ranked[limit:]:
        yield record_id, reject(reason, f"same as {ranked[0][1]}")


@dataclass
class LimitPerKey(beam.PTransform):
    """PCollection[record] -> PCollection[(id, Verdict)] of the records over `limit` per key.

    `key` is what records share (a hash), `order` decides which stay: smallest first, then by id.
    """

    key: Callable[[Any], str]
    order: Callable[[Any], Any]
    limit: int
    reason: Reason

    def expand(self, records: PCollection) -> PCollection:
        key, order, limit, reason = self.key, self.order, self.limit, self.reason
        return (
            records
            | "Key" >> beam.Map(lambda r: (key(r), (order(r), r.id)))
            | "Group" >> beam.GroupByKey()
            | "Over limit" >> beam.FlatMapTuple(lambda _, group: over_limit(group, limit, reason))
        )


def judged(_: str, group: dict[str, Iterable[Any]]) -> Iterator[tuple[Any, Verdict]]:
    """Yields (record, its verdict): the first in the stated order of those against its id."""
    verdict = min(group["losers"], key=lambda loss: (loss.reason, loss.detail), default=keep())
    for record in group["records"]:
        yield record, verdict


@dataclass
class DropLosers(beam.PTransform):
    """Splits PCollection[record] by PCollection[(id, Verdict)] of those to reject.

    The one shuffle that moves whole records. The losers as a side input would spare it, but every
    worker would hold all of them (or look each up by a call to the runner, 0.6 ms apiece).
    """

    stage: str
    losers: PCollection

    def expand(self, records: PCollection) -> Decided:
        return (
            {"records": records | "By id" >> beam.Map(lambda r: (r.id, r)), "losers": self.losers}
            | "Join" >> beam.CoGroupByKey()
            | "Judge" >> beam.FlatMapTuple(judged)
            | "Decide" >> Decide(self.stage)
        )
