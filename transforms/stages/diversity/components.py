"""Connected components of a graph of pairs, in a fixed number of shuffles.

Alternating large-star and small-star steps (Kiveris et al., Connected Components in MapReduce and
Beyond, SoCC 2014). Edges travel in blocks: a few elements hold many edges.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindows

from transforms.engine.blocks import Block, Packer, records_of

Edge = tuple[bytes, bytes]
"""(node, a smaller node of the same component)."""
Edges = list[Edge]
_HELD = 100_000
"""Edges held by a bundle before they are handed on."""

ROUNDS = 5
"""Each round is two shuffles, after a contraction of what one partition holds of the graph. Five
are enough for a chain of 100 records each like the next (eight for 1,000). A component that is not
done by then keeps more than one survivor: too much is kept rather than too little."""


def contracted(edges: Iterable[Edge]) -> Edges:
    """The same components with one edge per node, to the smallest node (union-find)."""
    parent: dict[bytes, bytes] = {}

    def root(node: bytes) -> bytes:
        while (up := parent.setdefault(node, node)) != node:
            parent[node] = parent[up]
            node = up
        return node

    for one, other in edges:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return sorted((node, root(node)) for node in list(parent) if root(node) != node)


def large_star(neighbours: dict[bytes, set[bytes]]) -> Iterator[Edge]:
    """Links every larger neighbour of a node to the smallest of the node and its neighbours."""
    for node, around in neighbours.items():
        least = min(node, min(around))
        for other in around:
            if other > node:
                yield other, least


def small_star(neighbours: dict[bytes, set[bytes]]) -> Iterator[Edge]:
    """Links a node and its smaller neighbours to the smallest of them."""
    for node, around in neighbours.items():
        least = min(around)
        yield node, least
        for other in around:
            if other != least:
                yield other, least


def smallest(neighbours: dict[bytes, set[bytes]]) -> Iterator[Edge]:
    """Keeps of each node's edges the one to its smallest neighbour."""
    for node, around in neighbours.items():
        yield node, min(around)


def scatter(edges: Edges, partitions: int, both: bool) -> Iterator[tuple[int, Edges]]:
    """Yields (partition, edges) by the edges' first node; `both` turns each edge round as well."""
    parts: dict[int, Edges] = defaultdict(list)
    for one, other in edges:
        parts[zlib.crc32(one) % partitions].append((one, other))
        if both:
            parts[zlib.crc32(other) % partitions].append((other, one))
    yield from parts.items()


class _Scatter(beam.DoFn):
    """Edges -> (partition, Block of edges): what `scatter` gives of all edges of a bundle."""

    def __init__(self, partitions: int, both: bool) -> None:
        self._partitions, self._both = partitions, both
        self._packer = Packer()

    def start_bundle(self) -> None:
        self._parts: dict[int, Edges] = defaultdict(list)
        self._held = 0

    def process(self, edges: Edges) -> Iterator[tuple[int, Block]]:
        for part, some in scatter(edges, self._partitions, self._both):
            self._parts[part] += some
        self._held += len(edges)
        if self._held >= _HELD:
            yield from self._packed()

    def finish_bundle(self) -> Iterator[Any]:
        for part in (*self._packed(), *self._packer.close()):
            yield GlobalWindows.windowed_value(part)

    def _packed(self) -> Iterator[tuple[int, Block]]:
        parts = self._parts
        self.start_bundle()
        for part, edges in parts.items():
            yield from self._packer.add(part, edges)


def gather(
    edges: Iterable[Edge], step: Callable[[dict[bytes, set[bytes]]], Iterator[Edge]]
) -> Edges:
    """Applies a step to the neighbourhoods that a partition's edges make."""
    neighbours: dict[bytes, set[bytes]] = defaultdict(set)
    for one, other in edges:
        neighbours[one].add(other)
    return sorted(set(step(neighbours)))


@dataclass
class ConnectedComponents(beam.PTransform):
    """PCollection[Edges] -> PCollection[Edges]: (node, smallest node of its component).

    One edge for each node that is not itself the smallest.
    """

    partitions: int = 64
    rounds: int = ROUNDS

    def expand(self, edges: PCollection) -> PCollection:
        for number in range(1, self.rounds + 1):
            edges = (
                edges
                | f"Contract {number}" >> beam.Map(contracted)
                | f"Large star {number}" >> _step(self.partitions, large_star, both=True)
                | f"Small star {number}" >> _step(self.partitions, small_star, both=False)
            )
        return edges | "Smallest" >> _step(self.partitions, smallest, both=False)


@beam.ptransform_fn
def _step(
    edges: PCollection,
    partitions: int,
    step: Callable[[dict[bytes, set[bytes]]], Iterator[Edge]],
    both: bool,
) -> PCollection:
    return (
        edges
        | "Scatter" >> beam.ParDo(_Scatter(partitions, both))
        | "Group" >> beam.GroupByKey()
        | "Gather" >> beam.MapTuple(lambda _, blocks: gather(records_of(blocks), step))
    )
