"""Rejecting by ids decided elsewhere: a shuffle carries ids and hashes, never whole records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsDict, PCollection

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


@dataclass
class DropLosers(beam.PTransform):
    """Splits PCollection[record] by PCollection[(id, Verdict)] of those to reject."""

    stage: str
    losers: PCollection

    def expand(self, records: PCollection) -> Decided:
        return (
            records
            | "Look up"
            >> beam.Map(
                lambda record, losers: (record, losers.get(record.id, keep())),
                losers=AsDict(self.losers),
            )
            | "Decide" >> Decide(self.stage)
        )
