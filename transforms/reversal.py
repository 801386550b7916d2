"""Reversal: each program is written back as the natural-language problem that it solves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Decide, Outcome, Verdict
from transforms.generation.requests import Answered, Prompted
from transforms.generation.stage import ModelStage
from transforms.ids import content_id
from transforms.pool import Pool, draw_shots, pool_from
from transforms.records import Execution, Problem, grow
from transforms.responses import instruction_of, judge_response


def problem(answered: Answered[Execution]) -> tuple[Problem, Verdict]:
    """Returns the problem that a response words, and the verdict on the response."""
    response = answered.responses[0]
    verdict = judge_response(response)
    text = instruction_of(response.text)
    execution = answered.record
    return (
        grow(
            Problem,
            execution,
            id=content_id("problem", execution.id, text),
            instruction=text,
            reverse_model=response.model,
            tokens=execution.tokens + response.generated_tokens,
        ),
        verdict,
    )


@dataclass
class BackTranslate(ModelStage):
    """PCollection[Execution] -> Outcome of Problem: one instruction per program."""

    seeds: str
    """Folder of the verified seeds shown as examples."""

    stage: ClassVar[str] = "reverse"
    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Problem
    draws: ClassVar[bool] = False

    def expand(self, executions: PCollection) -> Outcome:
        pool = pool_from(executions.pipeline, self.seeds, self.sampling.pool)
        generated = self.generate(executions, self._prompt, pool=pool)
        decided = (
            generated.answered
            | "Read instruction" >> beam.Map(problem)
            | "Decide" >> Decide(self.stage)
        )
        return decided._replace(tallies=generated.tallies)

    def _prompt(self, execution: Execution, pool: Pool) -> Prompted[Any]:
        sampler = self.sampling.reverse
        shots = draw_shots(pool, sampler.shots, self.sampling.seed, self.stage, execution.id)
        return Prompted(execution, self.requests(sampler, program=execution, shots=shots))
