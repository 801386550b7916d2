"""Programs that compute the same are few: near copies one, of a structure a stated number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.ids import text_id
from transforms.engine.losers import DropLosers, JudgeLosers, LimitPerKey
from transforms.engine.outcomes import Outcome
from transforms.engine.stage import AnyRecord, Stage
from transforms.programs import fingerprint
from transforms.programs.source import source_of
from transforms.stages.diversity.copies import FIRST, marked, name_copies, seeds_from
from transforms.stages.diversity.near import NearDuplicates
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.diversity.settings import DedupSettings
from transforms.text.shingles import shingles


@dataclass(frozen=True)
class _Likeness:
    """What decides whether a program is a duplicate, without the program."""

    id: str
    chars: int
    tokens: str
    """Hash of the program's tokens."""
    structure: str
    shingles: tuple[str, ...]


def _likeness(record_id: str, order: int, code: str, ngram: int) -> _Likeness:
    tokens = source_of(code).tokens
    return _Likeness(
        record_id,
        order,
        text_id("\0".join(tokens)),
        fingerprint(code),
        tuple(shingles(tokens, ngram)),
    )


@dataclass(frozen=True)
class _Structure:
    id: str
    chars: int
    structure: str


@dataclass(kw_only=True)
class DeduplicatePrograms(Stage):
    """PCollection[record] -> Outcome of the same: no near copy of a program, few of a structure.

    Programs of equal tokens (layout and comments aside) are one; of those nearly equal, and of
    those with one structure (`dedup.max_per_fingerprint`), the shortest stay, then those with the
    smallest id. What is equal or nearly equal to a seed's program is a copy of it.

    Equal programs are alike to the same others, so looking for near ones among all of them finds
    what looking among those that stay would. Structures are counted among those that stay.
    """

    name: str = "structure"
    dedup: DedupSettings
    code: str = "code"
    """The record's field that holds the program."""
    seeds: str | None = None
    """Folder of the verified seeds, whose programs are not to be copied."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("code",)
    reasons: ClassVar[Iterable[str]] = (
        Sameness.COPY_OF_SEED,
        Sameness.DUPLICATE_PROGRAM,
        Sameness.FINGERPRINT_FULL,
        Sameness.NEAR_DUPLICATE,
    )

    def expand(self, records: PCollection) -> Outcome:
        ngram, field = self.dedup.code_ngram, self.code

        def likeness(record: Any) -> _Likeness:
            code = getattr(record, field)
            return _likeness(record.id, len(code), code, ngram)

        likenesses = records | "Likeness" >> beam.Map(likeness)
        originals = (
            seeds_from(records.pipeline, self.seeds)
            | "With code" >> beam.Filter(lambda seed: seed.code is not None)
            | "Likeness of seeds"
            >> beam.Map(lambda seed: _likeness(marked(seed), FIRST, seed.code, ngram))
        )
        compared = (likenesses, originals)
        equal = compared | "Find equal" >> LimitPerKey(
            key=lambda likeness: likeness.tokens,
            order=lambda likeness: likeness.chars,
            limit=1,
            reason=Sameness.DUPLICATE_PROGRAM,
        )
        near = compared | "Find near" >> NearDuplicates(
            shingles=lambda likeness: likeness.shingles,
            order=lambda likeness: likeness.chars,
            threshold=self.dedup.code_threshold,
            dedup=self.dedup,
        )
        alike = (
            equal | "Name equal copies" >> beam.Map(name_copies),
            near | "Name near copies" >> beam.Map(name_copies),
        )
        unlike = (
            likenesses
            | "Structure" >> beam.Map(lambda one: _Structure(one.id, one.chars, one.structure))
            | "Judge structures" >> JudgeLosers(alike)
            | "Unlike" >> beam.FlatMapTuple(lambda one, verdict: [one] if verdict.kept else [])
        )
        same = unlike | "Find same structure" >> LimitPerKey(
            key=lambda one: one.structure,
            order=lambda one: one.chars,
            limit=self.dedup.max_per_fingerprint,
            reason=Sameness.FINGERPRINT_FULL,
        )
        different = records | "Drop" >> DropLosers(self.name, (*alike, same))
        return Outcome(different.kept, different.rejected)
