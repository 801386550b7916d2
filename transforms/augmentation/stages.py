"""The stages of `cotmill augment`: verified seeds with other numbers, each row verified again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Decide, Outcome, Reason, Verdict
from transforms.augmentation.rewrite import Judged, Plan, jobs, plan_redraws, rewrite
from transforms.diversity.shingles import words
from transforms.execution.execute import InSandbox
from transforms.execution.sandbox import Job, Result
from transforms.ids import content_id
from transforms.losers import DropLosers, LimitPerKey
from transforms.records import Seed, Variant
from transforms.settings import AugmentationSettings, SandboxSettings
from transforms.unify import ValidateSeeds


@dataclass
class Augment(beam.PTransform):
    """PCollection[Seed] -> Outcome of Variant: the seeds with other numbers.

    Entered are the redraws that are judged, and the seeds that cannot be rewritten. A redraw is
    rejected where the program goes another way with it, where it is not certain what a text should
    say, or where the result makes no sense.
    """

    augmentation: AugmentationSettings
    sandbox: SandboxSettings

    stage: ClassVar[str] = "augment"
    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Variant
    draws: ClassVar[bool] = True

    def expand(self, seeds: PCollection) -> Outcome:
        settings = self.augmentation

        def draw(seed: Seed) -> tuple[Seed, Plan | Verdict]:
            return seed, plan_redraws(seed, settings)

        def plan(item: tuple[Seed, Plan | Verdict]) -> list[Job]:
            return jobs(item[1]) if isinstance(item[1], Plan) else []

        def judge(item: tuple[Seed, Plan | Verdict], results: list[Result]) -> list[Judged]:
            seed, made = item
            if isinstance(made, Verdict):
                return [(seed, made)]
            return rewrite(made, results, settings)

        judged = (
            seeds
            | "Spread" >> beam.Reshuffle()
            | "Draw inputs" >> beam.Map(draw)
            | "Run" >> InSandbox(self.sandbox, plan, judge, self.stage)
            | "Each" >> beam.FlatMap(lambda items: items)
        )
        decided = judged | "Decide" >> Decide(self.stage)
        return Outcome(decided.kept, decided.rejected, entered=judged)


@dataclass
class VerifyVariants(ValidateSeeds):
    """PCollection[Variant] -> Outcome of Variant: those whose program, run as it stands, gives
    their answer.
    """

    stage: ClassVar[str] = "verify"
    reads: ClassVar[type] = Variant
    writes: ClassVar[type] = Variant


@dataclass
class DistinctVariants(beam.PTransform):
    """PCollection[Variant] -> Outcome of Variant: one of equal problems, by smallest id."""

    stage: ClassVar[str] = "distinct"
    reads: ClassVar[type] = Variant
    writes: ClassVar[type] = Variant
    draws: ClassVar[bool] = False

    def expand(self, variants: PCollection) -> Outcome:
        losers = variants | "Find equal" >> LimitPerKey(
            key=lambda variant: content_id("problem", words(variant.problem)),
            order=lambda variant: 0,
            limit=1,
            reason=Reason.DUPLICATE_INSTRUCTION,
        )
        decided = variants | "Drop" >> DropLosers(self.stage, losers)
        return Outcome(decided.kept, decided.rejected)
