"""Reversal: each program is written back as the natural-language problem that it solves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Problem, grow, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, draw_shots, pool_from
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, calls, instruction_of, judge_response
from transforms.recipes.caco.settings import SamplingSettings


def problem(execution: Execution, response: Response, stage: str) -> tuple[Problem, Verdict]:
    """Returns the problem that a response words, and the verdict on the response."""
    text = instruction_of(response.text)
    return (
        grow(
            Problem,
            execution,
            id=content_id("problem", execution.id, text),
            instruction=text,
            **with_calls(execution.calls, *calls(stage, [response])),
        ),
        judge_response(response),
    )


@dataclass(kw_only=True)
class BackTranslate(ModelEpisode):
    """PCollection[Execution] -> Outcome of Problem: one instruction per program."""

    name: str = "reverse"
    sampling: SamplingSettings
    seeds: str
    """Folder of the verified seeds shown as examples."""

    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Problem
    reasons: ClassVar[Iterable[str]] = ResponseReason

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": pool_from(records.pipeline, self.seeds, self.sampling.pool)}

    def episode(self, execution: Execution, pool: Pool) -> Steps[tuple[Problem, Verdict]]:
        sampler = self.sampling.reverse
        shots = draw_shots(pool, sampler.shots, self.run_seed, "reverse", execution.id)
        request = self.requests(sampler, program=execution, shots=shots)[0]
        return problem(execution, (yield request), self.name)
