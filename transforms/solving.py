"""Solving: several independent natural-language solutions of each instruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Decide, Outcome, Reason, Verdict, keep, reject
from transforms.generation.requests import Answered, Prompted
from transforms.generation.stage import ModelStage
from transforms.pool import draw_shots, pool_from
from transforms.records import Attempt, Attempts, Problem, Seed, grow


def attempts(answered: Answered[Problem]) -> tuple[Attempts, Verdict]:
    """Returns the attempts at a problem; rejected where not one request was answered.

    A failed request is no attempt; a solution cut off at its limit is one, and cannot agree.
    """
    problem = answered.record
    responses = [response for response in answered.responses if response.error is None]
    record = grow(
        Attempts,
        problem,
        attempts=tuple(Attempt(r.text.strip(), r.finish_reason) for r in responses),
        solve_model=answered.responses[0].model,
        tokens=problem.tokens + sum(r.generated_tokens for r in responses),
    )
    if responses:
        return record, keep()
    return record, reject(Reason.REQUEST_FAILED, answered.responses[0].error or "")


@dataclass
class Solve(ModelStage):
    """PCollection[Problem] -> Outcome of Attempts: `solve.samples` solutions per instruction."""

    seeds: str
    """Folder of the verified seeds shown as examples."""

    stage: ClassVar[str] = "solve"
    reads: ClassVar[type] = Problem
    writes: ClassVar[type] = Attempts
    draws: ClassVar[bool] = False

    def expand(self, problems: PCollection) -> Outcome:
        pool = pool_from(problems.pipeline, self.seeds, self.sampling.pool)
        generated = self.generate(problems | "Prompt" >> beam.Map(self._prompt, pool=pool))
        decided = (
            generated.answered
            | "Read attempts" >> beam.Map(attempts)
            | "Decide" >> Decide(self.stage)
        )
        return Outcome(decided.kept, decided.rejected, tallies=generated.tallies)

    def _prompt(self, problem: Problem, pool: Sequence[Seed]) -> Prompted[Any]:
        sampler = self.sampling.solve
        solved = [seed for seed in pool if seed.solution is not None]
        shots = draw_shots(solved, sampler.shots, self.sampling.seed, self.stage, problem.id)
        instruction = problem.instruction
        return Prompted(problem, self.requests(sampler, instruction=instruction, shots=shots))
