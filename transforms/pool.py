"""Verified seeds as worked examples: a bounded pool, and draws that depend on ids alone."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.ids import content_id, derived_seed
from transforms.records import Seed
from transforms.tables import ReadRecords


class Pool(tuple[Seed, ...]):
    """Verified seeds to draw examples from, parted once for all the records that draw."""

    @cached_property
    def solved(self) -> tuple[Seed, ...]:
        """The seeds with a worked solution."""
        return tuple(seed for seed in self if seed.solution is not None)

    @cached_property
    def by_kind(self) -> dict[str, tuple[Seed, ...]]:
        """The seeds of each kind, the kinds in order; those without one are in none."""
        return {k: tuple(seed for seed in self if seed.kind == k) for k in kinds_of(self)}


def kinds_of(seeds: Iterable[Seed]) -> list[str]:
    """The kinds of problem among seeds, each once, in order."""
    return sorted({seed.kind for seed in seeds if seed.kind is not None})


def draw_shots(pool: Sequence[Seed], count: int, seed: int, *parts: object) -> tuple[Seed, ...]:
    """Draws up to `count` different seeds of `pool`, the same ones for the same seed and parts."""
    if count == 0:
        return ()
    chosen = random.Random(derived_seed(seed, "shots", *parts))
    return tuple(chosen.sample(pool, min(count, len(pool))))


def combined_license(seeds: Iterable[Seed]) -> str:
    """The SPDX expression over the licences of `seeds`."""
    return " AND ".join(sorted({seed.license for seed in seeds}))


def combined_source(seeds: Iterable[Seed]) -> str:
    return ", ".join(sorted({seed.source for seed in seeds}))


class _SmallestHashes(beam.CombineFn):
    """Keeps the `size` seeds whose ids hash smallest: a uniform sample for any order of arrival."""

    def __init__(self, size: int) -> None:
        self._size = size

    def create_accumulator(self) -> list[Seed]:
        return []

    def add_input(self, held: list[Seed], seed: Seed) -> list[Seed]:
        held.append(seed)
        return self._cut(held) if len(held) >= 2 * self._size else held

    def merge_accumulators(self, parts: Iterable[list[Seed]]) -> list[Seed]:
        return self._cut([seed for part in parts for seed in part])

    def extract_output(self, held: list[Seed]) -> Pool:
        return Pool(sorted(self._cut(held), key=lambda seed: seed.id))

    def _cut(self, held: list[Seed]) -> list[Seed]:
        return sorted(held, key=lambda seed: content_id("pool", seed.id))[: self._size]


@dataclass
class SeedPool(beam.PTransform):
    """PCollection[Seed] -> PCollection of one `Pool` of at most `size` seeds that carry code."""

    size: int

    def expand(self, seeds: PCollection) -> PCollection:
        return (
            seeds
            | "With code" >> beam.Filter(lambda seed: seed.code is not None)
            | "Sample pool" >> beam.CombineGlobally(_SmallestHashes(self.size))
        )


def pool_from(pipeline: beam.Pipeline, folder: str, size: int) -> AsSingleton:
    """The pool of verified seeds in a segment's folder, as a side input."""
    return AsSingleton(
        pipeline | "Read seeds" >> ReadRecords(Seed, folder) | "Seed pool" >> SeedPool(size)
    )
