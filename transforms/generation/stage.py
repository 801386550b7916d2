"""What stages that ask a model share: their settings, and the two steps to the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.generation.generate import Generate, Generated
from transforms.generation.prompts import PromptTemplate
from transforms.generation.requests import Prompted, Request
from transforms.settings import (
    Backend,
    BudgetSettings,
    LedgerSettings,
    Price,
    SamplerSettings,
    SamplingSettings,
)


@dataclass
class ModelStage(beam.PTransform):
    """A stage with a prompt: renders it for each record and has the model answer."""

    sampling: SamplingSettings
    backend: Backend
    prompt: PromptTemplate
    ledger_dir: str
    ledger: LedgerSettings
    budget: BudgetSettings
    prices: Mapping[str, Price]

    stage: ClassVar[str]

    def requests(
        self,
        sampler: SamplerSettings,
        first_sample: int = 0,
        prompt: PromptTemplate | None = None,
        **variables: Any,
    ) -> tuple[Request, ...]:
        """The requests of a prompt (the stage's own) for one record, filled in with `variables`."""
        return (prompt or self.prompt).requests(
            stage=self.stage,
            backend=self.backend,
            sampler=sampler,
            run_seed=self.sampling.seed,
            first_sample=first_sample,
            **variables,
        )

    def generate(
        self, records: PCollection, prompt: Callable[..., Prompted], **sides: Any
    ) -> Generated:
        """PCollection[record] -> what `prompt(record, **sides)` asks, answered, and its tallies."""
        return records | "Generate" >> Generate(
            self.stage,
            self.backend,
            self.ledger_dir,
            self.ledger,
            self.budget,
            self.prices,
            prompt,
            sides,
        )
