"""Accepted examples whose instructions say the same thing are one example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Outcome, Reason
from transforms.diversity.copies import FIRST, marked, name_copies, seeds_from
from transforms.diversity.near import NearDuplicates
from transforms.diversity.semantic import SemanticDuplicates, model_path
from transforms.diversity.shingles import shingles, words
from transforms.ids import content_id
from transforms.losers import DropLosers, LimitPerKey
from transforms.records import Example
from transforms.settings import DedupSettings
from transforms.stage import Stage


@dataclass(frozen=True)
class _Said:
    """An instruction, and what decides whether it is the one that stays."""

    id: str
    order: int
    words: tuple[str, ...]


@dataclass(kw_only=True)
class Deduplicate(Stage):
    """PCollection[Example] -> Outcome of Example: no equal and no nearly equal instructions.

    Of those alike, the one with the shortest program stays, then the one with the smallest id.
    What is equal or nearly equal to a seed's problem is a copy of it.
    With `dedup.semantic`, those left that mean the same are one as well.
    """

    name: str = "deduplicate"
    dedup: DedupSettings
    seeds: str | None = None
    """Folder of the verified seeds, whose problems are not to be copied."""

    reads: ClassVar[type] = Example
    writes: ClassVar[type] = Example

    def __post_init__(self) -> None:
        if self.dedup.semantic:
            model_path(self.dedup.semantic_model)  # what is missing is said before anything runs

    def expand(self, examples: PCollection) -> Outcome:
        ngram = self.dedup.ngram
        said = examples | "Said" >> beam.Map(
            lambda example: _Said(example.id, len(example.code), tuple(words(example.instruction)))
        )
        originals = seeds_from(examples.pipeline, self.seeds) | "Said by seeds" >> beam.Map(
            lambda seed: _Said(marked(seed), FIRST, tuple(words(seed.problem)))
        )
        compared = (said, originals) | "With seeds" >> beam.Flatten()
        equal = compared | "Find equal" >> LimitPerKey(
            key=lambda said: content_id("instruction", said.words),
            order=lambda said: said.order,
            limit=1,
            reason=Reason.DUPLICATE_INSTRUCTION,
        )
        near = compared | "Find near" >> NearDuplicates(
            shingles=lambda said: shingles(said.words, ngram),
            order=lambda said: said.order,
            threshold=self.dedup.threshold,
            dedup=self.dedup,
        )
        losers = (equal, near) | "Losers" >> beam.Flatten() | "Name copies" >> beam.Map(name_copies)
        different = examples | "Drop" >> DropLosers(self.name, losers)
        if not self.dedup.semantic:
            return Outcome(different.kept, different.rejected)
        same = different.kept | "Find same meaning" >> SemanticDuplicates(
            text=lambda example: example.instruction,
            order=lambda example: len(example.code),
            dedup=self.dedup,
        )
        meant_once = different.kept | "Drop same meaning" >> DropLosers(self.name, same)
        return Outcome(
            meant_once.kept,
            (different.rejected, meant_once.rejected) | "Rejected" >> beam.Flatten(),
        )
