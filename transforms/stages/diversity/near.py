"""Near-duplicates of any records: MinHash LSH, then one survivor per connected component."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindows
from numpy.typing import NDArray

from transforms.engine.accounting import Verdict, reject
from transforms.engine.blocks import Block as Packed
from transforms.engine.blocks import Packer, each_packed, records_of
from transforms.stages.diversity.components import ConnectedComponents, Edges
from transforms.stages.diversity.minhash import (
    Block,
    Similarity,
    index_block,
    jaccard,
    minima,
    node,
    parted,
    record_id,
    similar_pairs,
)
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.diversity.settings import DedupSettings

_BLOCK = 4096
"""Records whose entries travel together: in a few blocks rather than one by one."""
_SKETCHED = 256
"""Records sketched at once: their shingles are held meanwhile, some 25 KB a program."""


class IndexInBlocks(beam.DoFn):
    """Sketches records and deals out their entries by band.

    Args:
        order: which of two alike stays, the smaller.
        sketch: records -> one row of an array each.
        block: (nodes, their rows) -> the entries of the index.
        partitions: parts that the entries are dealt out to.
    """

    def __init__(
        self,
        order: Callable[[Any], int],
        sketch: Callable[[list[Any]], NDArray[Any]],
        block: Callable[[list[bytes], NDArray[Any]], Block],
        partitions: int,
    ) -> None:
        self._order, self._sketch, self._block = order, sketch, block
        self._partitions = partitions
        self._packer = Packer()

    def start_bundle(self) -> None:
        self._nodes: list[bytes] = []
        self._records: list[Any] = []
        self._found: list[NDArray[Any]] = []

    def process(self, record: Any) -> Iterator[tuple[int, Packed]]:
        self._nodes.append(node(self._order(record), record.id))
        self._records.append(record)
        if len(self._records) >= _SKETCHED:
            self._take_sketches()
        if len(self._nodes) >= _BLOCK:
            yield from self._entries()

    def finish_bundle(self) -> Iterator[Any]:
        entries = self._entries() if self._nodes else ()
        for entry in (*entries, *self._packer.close()):
            yield GlobalWindows.windowed_value(entry)

    def _take_sketches(self) -> None:
        if self._records:
            self._found.append(self._sketch(self._records))
            self._records = []

    def _entries(self) -> Iterator[tuple[int, Packed]]:
        self._take_sketches()
        block = self._block(self._nodes, np.concatenate(self._found))
        self.start_bundle()
        for partition, entries in parted(block, self._partitions):
            yield from self._packer.add(partition, [entries])


@dataclass
class NearDuplicates(beam.PTransform):
    """PCollection[record], or several -> PCollection[(id, Verdict)] of the records to reject.

    Records that share a band and are at least `threshold` similar are linked, and of each
    connected component the smallest (order, id) stays. Shuffles carry ids and hashes; a
    partition of the index is held in memory at a time (rows x bands x about 120 bytes, divided by
    `dedup.partitions`).

    Args:
        shingles: what a record's similarity is measured by.
        order: which of two alike stays, the smaller.
        threshold: estimated Jaccard similarity from which two are one.
    """

    shingles: Callable[[Any], Sequence[str]]
    order: Callable[[Any], int]
    threshold: float
    dedup: DedupSettings

    def expand(self, records: PCollection | tuple[PCollection, ...]) -> PCollection:
        shingles, dedup = self.shingles, self.dedup
        index = IndexInBlocks(
            self.order,
            lambda records: minima([shingles(record) for record in records], dedup.num_perm),
            lambda nodes, found: index_block(nodes, found, dedup.bands),
            dedup.partitions,
        )
        entries = each_packed(records, "Index", beam.ParDo(index))
        return entries | "Link" >> LinkEntries(self.threshold, jaccard, Sameness.NEAR_DUPLICATE)


@dataclass
class LinkEntries(beam.PTransform):
    """PCollection[(partition, packed entries)] -> PCollection[(id, Verdict)] of the records to
    reject.

    Args:
        threshold: `similarity` from which two texts of one band are one.
        similarity: of digests, row by row.
    """

    threshold: float
    similarity: Similarity
    reason: Sameness

    def expand(self, entries: PCollection) -> PCollection:
        threshold, similarity, reason = self.threshold, self.similarity, self.reason

        def compare(blocks: Any) -> Edges:
            nodes, smaller = similar_pairs(records_of(blocks), threshold, similarity)
            return list(zip(nodes.tolist(), smaller.tolist(), strict=True))

        return (
            entries
            | "Group by band" >> beam.GroupByKey()
            | "Compare" >> beam.MapTuple(lambda _, blocks: compare(blocks))
            | "Components" >> ConnectedComponents()
            | "Losers" >> beam.FlatMap(_losers, reason)
        )


def _losers(edges: Edges, reason: Sameness) -> Iterator[tuple[str, Verdict]]:
    for one, smallest in edges:
        yield record_id(one), reject(reason, f"like {record_id(smallest)}")
