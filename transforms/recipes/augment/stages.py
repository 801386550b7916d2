"""`cotmill augment`: verified seeds with other numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict
from transforms.engine.blocks import Spread
from transforms.engine.ids import content_id
from transforms.engine.records import Seed, Variant
from transforms.models.episode import Episode, Steps
from transforms.recipes.augment.explanation import RedrawReason
from transforms.recipes.augment.rewrite import AugmentationSettings, jobs, plan_redraws, rewrite
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.diversity.reasons import Sameness
from transforms.text.reasoning import ReasoningReason
from transforms.text.shingles import words


@dataclass(kw_only=True)
class Augment(Episode):
    """PCollection[Seed] -> Outcome of Variant: the seeds with other numbers.

    Entered are the redraws that are judged, and the seeds that cannot be rewritten. A redraw is
    rejected where the program goes another way with it, where it is not certain what a text should
    say, or where the result makes no sense.
    """

    name: str = "augment"
    augmentation: AugmentationSettings
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Variant
    by_record: ClassVar[bool] = True
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *RedrawReason,
        ReasoningReason.FALSE_EQUATION,
        Sameness.DUPLICATE_INSTRUCTION,
    )

    def opened(self, records: PCollection) -> PCollection:
        return records | "Spread" >> Spread()

    def episode(self, seed: Seed) -> Steps[list[Any]]:
        plan = plan_redraws(seed, self.augmentation)
        if isinstance(plan, Verdict):
            return [plan]
        return rewrite(plan, (yield jobs(plan)), self.augmentation)


def same_problem(variant: Variant) -> str:
    """Equal for variants whose problems are of equal words."""
    return content_id("problem", words(variant.problem))
