"""Components by shuffles are those of a union-find, on any number of workers."""

import random

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.stages.diversity.components import (
    ROUNDS,
    ConnectedComponents,
    contracted,
    gather,
    large_star,
    scatter,
    small_star,
    smallest,
)

NODES = st.integers(0, 40).map(lambda n: f"{n:05d}".encode())
EDGES = st.lists(st.tuples(NODES, NODES).filter(lambda e: e[0] != e[1]), max_size=60)


def by_search(edges):
    """(node, smallest node of its component), found by walking the graph."""
    around = {}
    for one, other in edges:
        around.setdefault(one, set()).add(other)
        around.setdefault(other, set()).add(one)
    found, seen = [], set()
    for start in sorted(around):
        todo = [start] if start not in seen else []
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += around[node]
                if node != start:
                    found.append((node, start))
    return sorted(found)


def by_rounds(edges, partitions, rounds):
    """What the transform does, without Beam."""

    def step(blocks, function, both):
        parts = {}
        for block in blocks:
            for number, part in scatter(block, partitions, both):
                parts.setdefault(number, []).extend(part)
        return [gather(parts[number], function) for number in sorted(parts)]

    blocks = [edges[start::3] for start in range(3)]
    for _ in range(rounds):
        blocks = [contracted(block) for block in blocks]
        blocks = step(blocks, large_star, both=True)
        blocks = step(blocks, small_star, both=False)
    return sorted(edge for block in step(blocks, smallest, both=False) for edge in block)


@given(EDGES)
def test_a_contraction_keeps_the_components(edges):
    assert contracted(edges) == by_search(edges)


@given(EDGES, st.integers(1, 9))
def test_components_are_those_that_a_walk_finds(edges, partitions):
    canonical = [(max(edge), min(edge)) for edge in edges]
    assert by_rounds(canonical, partitions, ROUNDS) == by_search(edges)


def test_a_chain_of_a_hundred_is_one_component():
    names = [f"{n:05d}".encode() for n in range(100)]
    random.Random(0).shuffle(names)
    edges = [(max(pair), min(pair)) for pair in zip(names, names[1:], strict=False)]
    assert by_rounds(edges, 64, ROUNDS) == by_search(edges)


def test_too_few_rounds_keep_too_much_and_never_nothing():
    names = [f"{n:05d}".encode() for n in range(1000)]
    random.Random(0).shuffle(names)
    edges = [(max(pair), min(pair)) for pair in zip(names, names[1:], strict=False)]
    found = by_rounds(edges, 64, 1)
    assert set(dict(found)) < set(dict(by_search(edges)))


@pytest.mark.parametrize("workers", [1, 2])
def test_components_on_workers(workers):
    edges = [(b"b", b"a"), (b"c", b"b"), (b"d", b"c"), (b"z", b"y")]
    with TestPipeline(**on_workers(workers)) as pipeline:
        found = (
            pipeline
            | beam.Create([[edge] for edge in edges])
            | ConnectedComponents(partitions=4)
            | beam.FlatMap(lambda block: block)
        )
        assert_that(found, equal_to([(b"b", b"a"), (b"c", b"a"), (b"d", b"a"), (b"z", b"y")]))
