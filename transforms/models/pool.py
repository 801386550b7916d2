"""Verified seeds as worked examples: a bounded pool, and draws that depend on ids alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.engine.ids import content_id, derived_seed
from transforms.engine.records import Seed
from transforms.engine.tables import ReadRecords


class Pool(tuple[Seed, ...]):
    """Verified seeds to draw examples from, parted once for all the records that draw."""

    @cached_property
    def solved(self) -> Pool:
        """The seeds with a worked solution."""
        return Pool(seed for seed in self if seed.solution is not None)

    @cached_property
    def by_kind(self) -> dict[str, Pool]:
        """The seeds of each kind, the kinds in order; those without one are in none."""
        return {k: Pool(seed for seed in self if seed.kind == k) for k in kinds_of(self)}

    @cached_property
    def hashes(self) -> np.ndarray:
        """64 bits of each seed's id."""
        return np.array([int(content_id("shot", seed.id)[:16], 16) for seed in self], np.uint64)


def kinds_of(seeds: Iterable[Seed]) -> list[str]:
    """The kinds of problem among seeds, each once, in order."""
    return sorted({seed.kind for seed in seeds if seed.kind is not None})


def draw_shots(pool: Pool, count: int, seed: int, *parts: object) -> tuple[Seed, ...]:
    """Draws up to `count` different seeds of `pool`, the same ones for the same seed and parts.

    Each seed's rank in a draw depends on nothing but the two (rendezvous hashing), so one seed more
    or less changes only the draws that show it: of n seeds, about `count` / n of all draws. What
    the others ask is in the ledger already.
    """
    ranks = _mixed(pool.hashes ^ np.uint64(derived_seed(seed, "shots", *parts)))
    return tuple(pool[index] for index in np.argsort(ranks, kind="stable")[:count])


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scatters 64-bit integers (the finaliser of SplitMix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))


def combined_license(seeds: Iterable[Seed]) -> str:
    """The SPDX expression over the licences of `seeds`."""
    return " AND ".join(sorted({seed.license for seed in seeds}))


def combined_source(seeds: Iterable[Seed]) -> str:
    return ", ".join(sorted({seed.source for seed in seeds}))


def lineage(seeds: Sequence[Seed]) -> dict[str, Any]:
    """Returns the fields of a record that was made from several seeds: `seed_ids`, `source` and
    `license`."""
    return {
        "seed_ids": tuple(seed.id for seed in seeds),
        "source": combined_source(seeds),
        "license": combined_license(seeds),
    }


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
    """PCollection[Seed] -> PCollection of one `Pool` of at most `size` seeds, by default of
    those that carry code."""

    size: int
    coded: bool = True
    """Whether seeds without code are left out."""

    def expand(self, seeds: PCollection) -> PCollection:
        coded = self.coded
        return (
            seeds
            | "With code" >> beam.Filter(lambda seed: seed.code is not None or not coded)
            | "Sample pool" >> beam.CombineGlobally(_SmallestHashes(self.size))
        )


def pool_from(pipeline: beam.Pipeline, folder: str, size: int) -> AsSingleton:
    """The pool of verified seeds in a segment's folder, as a side input."""
    return AsSingleton(
        pipeline | "Read seeds" >> ReadRecords(Seed, folder) | "Seed pool" >> SeedPool(size)
    )
