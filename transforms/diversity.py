"""Diversity: accepted examples whose instructions say the same thing are one example."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from rensa import RMinHash

from transforms.accounting import Outcome, Reason, Verdict, reject
from transforms.ids import content_id
from transforms.losers import DropLosers, LimitPerKey
from transforms.records import Example
from transforms.settings import DedupSettings

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words and numbers of a text, in lower case."""
    return _WORD.findall(text.lower())


def shingles(text: str, ngram: int) -> list[str]:
    """The word n-grams of a text; a text shorter than one n-gram is one shingle."""
    tokens = words(text)
    return [
        " ".join(tokens[start : start + ngram]) for start in range(max(1, len(tokens) - ngram + 1))
    ]


@dataclass(frozen=True)
class Sketch:
    """What deduplication carries of an example: no text, only its place and its MinHash."""

    order: int
    """Length of the program: of two alike the shorter stays."""
    id: str
    digest: tuple[int, ...]
    """Shape (num_perm,): the MinHash of the instruction's word n-grams."""


def sketch(example: Example, settings: DedupSettings) -> Sketch:
    minhash = RMinHash(num_perm=settings.num_perm, seed=0)
    minhash.update(shingles(example.instruction, settings.ngram))
    return Sketch(len(example.code), example.id, tuple(minhash.digest()))


def similarity(one: Sketch, other: Sketch) -> float:
    """The estimated Jaccard similarity: share of the permutations with equal minima."""
    equal = sum(a == b for a, b in zip(one.digest, other.digest, strict=True))
    return equal / len(one.digest)


def bands(item: Sketch, count: int) -> Iterator[tuple[str, Sketch]]:
    """Yields (key, sketch) for each band; sketches that share a key are compared.

    With b bands of r rows, two texts of similarity s meet with probability 1 - (1 - s^r)^b: half
    of the pairs at about s = (1/b)^(1/r), which is 0.71 for 16 bands of 8.
    """
    rows = len(item.digest) // count
    for band in range(count):
        yield content_id("band", band, item.digest[band * rows : (band + 1) * rows]), item


def near_duplicates(group: Iterable[Sketch], threshold: float) -> Iterator[tuple[str, str]]:
    """Yields (id, id of the smaller one it is like) for a band's group.

    An example goes where any smaller (order, id) is like it, whether or not that one stays: the
    outcome depends on the set alone, not on who comes first.
    """
    ranked = sorted(group, key=lambda item: (item.order, item.id))
    for index, item in enumerate(ranked):
        for smaller in ranked[:index]:
            if similarity(smaller, item) >= threshold:
                yield item.id, smaller.id
                break


@dataclass
class Deduplicate(beam.PTransform):
    """PCollection[Example] -> Outcome of Example: no equal and no nearly equal instructions.

    Shuffles carry ids and sketches. Near-duplicates are found by MinHash LSH (Broder 1997; Leskovec
    et al., Mining of Massive Datasets, ch. 3).
    """

    dedup: DedupSettings

    stage: ClassVar[str] = "deduplicate"
    reads: ClassVar[type] = Example
    writes: ClassVar[type] = Example
    draws: ClassVar[bool] = False

    def expand(self, examples: PCollection) -> Outcome:
        settings = self.dedup
        equal = examples | "Find equal" >> LimitPerKey(
            key=lambda example: content_id("instruction", words(example.instruction)),
            order=lambda example: len(example.code),
            limit=1,
            reason=Reason.DUPLICATE_INSTRUCTION,
        )
        unequal = examples | "Drop equal" >> DropLosers(self.stage, equal)
        near = (
            unequal.kept
            | "Sketch" >> beam.Map(sketch, settings)
            | "Bands" >> beam.FlatMap(bands, settings.bands)
            | "Group by band" >> beam.GroupByKey()
            | "Compare"
            >> beam.FlatMapTuple(lambda _, group: near_duplicates(group, settings.threshold))
            | "First of each" >> beam.CombinePerKey(min)
            | "Verdict" >> beam.MapTuple(_near_verdict)
        )
        different = unequal.kept | "Drop near" >> DropLosers(self.stage, near)
        return Outcome(
            different.kept, (unequal.rejected, different.rejected) | "Rejected" >> beam.Flatten()
        )


def _near_verdict(record_id: str, like: str) -> tuple[str, Verdict]:
    return record_id, reject(Reason.NEAR_DUPLICATE, f"like {like}")
