"""Records whose texts say the same thing are one: accepted rows by their instruction, say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.blocks import Together
from transforms.engine.ids import text_id
from transforms.engine.losers import DropLosers, LimitPerKey
from transforms.engine.outcomes import Outcome
from transforms.engine.stage import AnyRecord, Stage
from transforms.stages.diversity.copies import FIRST, marked, name_copies, seeds_from
from transforms.stages.diversity.near import NearDuplicates
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.diversity.semantic import SemanticDuplicates, model_path
from transforms.stages.diversity.settings import DedupSettings
from transforms.text.shingles import shingles, words


@dataclass(frozen=True)
class _Said:
    """An instruction, and what decides whether it is the one that stays."""

    id: str
    order: int
    words: list[str]
    wording: str
    """Hash of the words."""


def _said(record_id: str, order: int, text: str) -> _Said:
    said = words(text)
    return _Said(record_id, order, said, text_id(" ".join(said)))


@dataclass(kw_only=True)
class Deduplicate(Stage):
    """PCollection[record] -> Outcome of the same: no equal and no nearly equal texts.

    Of those alike, the one with the shortest program stays, then the one with the smallest id.
    What is equal or nearly equal to a seed's problem is a copy of it.
    With `dedup.semantic`, those left that mean the same are one as well.
    """

    name: str = "deduplicate"
    dedup: DedupSettings
    text: str = "instruction"
    """The record's field that is compared."""
    code: str | None = "code"
    """The field whose length decides which of two alike stays (null: the id alone decides)."""
    seeds: str | None = None
    """Folder of the verified seeds, whose problems are not to be copied."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("text", "code")
    reasons: ClassVar[Iterable[str]] = (
        Sameness.COPY_OF_SEED,
        Sameness.DUPLICATE_INSTRUCTION,
        Sameness.NEAR_DUPLICATE,
        Sameness.SEMANTIC_DUPLICATE,
    )

    def __post_init__(self) -> None:
        if self.dedup.semantic:
            model_path(self.dedup.semantic_model)  # what is missing is said before anything runs

    def _order(self, record: Any) -> int:
        return len(getattr(record, self.code)) if self.code else 0

    def expand(self, records: PCollection) -> Outcome:
        ngram, text, order = self.dedup.ngram, self.text, self._order
        said = records | "Said" >> beam.Map(
            lambda record: _said(record.id, order(record), getattr(record, text))
        )
        originals = seeds_from(records.pipeline, self.seeds) | "Said by seeds" >> beam.Map(
            lambda seed: _said(marked(seed), FIRST, seed.problem)
        )
        compared = (said, originals)
        equal = compared | "Find equal" >> LimitPerKey(
            key=lambda said: said.wording,
            order=lambda said: said.order,
            limit=1,
            reason=Sameness.DUPLICATE_INSTRUCTION,
        )
        near = compared | "Find near" >> NearDuplicates(
            shingles=lambda said: shingles(said.words, ngram),
            order=lambda said: said.order,
            threshold=self.dedup.threshold,
            dedup=self.dedup,
        )
        losers = (
            equal | "Name equal copies" >> beam.Map(name_copies),
            near | "Name near copies" >> beam.Map(name_copies),
        )
        different = records | "Drop" >> DropLosers(self.name, losers)
        if not self.dedup.semantic:
            return Outcome(different.kept, different.rejected)
        same = different.kept | "Find same meaning" >> SemanticDuplicates(
            text=lambda record: getattr(record, text), order=order, dedup=self.dedup
        )
        meant_once = different.kept | "Drop same meaning" >> DropLosers(self.name, same)
        return Outcome(
            meant_once.kept, (different.rejected, meant_once.rejected) | "Rejected" >> Together()
        )
