"""Reversal: each program is written back as the natural-language problem that it solves.

Directly, or by way of a summary: the problem is then worded from the summary alone, by somebody who
does not see the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import content_id
from transforms.engine.records import Execution, Problem, grow, with_calls
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.pool import Pool, draw_shots, pool_from
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, calls, instruction_of, judge_response
from transforms.recipes.caco.answerability import Reading, states_input
from transforms.recipes.caco.settings import SamplingSettings


@dataclass(frozen=True)
class SummarisedProblem(Problem):
    """A problem that was worded from a summary of its program."""

    summary: str = ""
    """What the words were made of; the solver never sees it."""


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
    """PCollection[Execution] -> Outcome of Problem: one instruction per program.

    With a summary the model is asked twice: the `summary_prompt`, rendered with `program` and
    `form`, asks for the summary, and the `retell_prompt`, rendered with `summary`, for the problem.
    A summary that leaves out a value of the input is rejected.
    """

    name: str = "reverse"
    sampling: SamplingSettings
    seeds: str
    """Folder of the verified seeds shown as examples."""
    summary: Literal["none", "short", "bullets"] = "none"
    """What the problem is worded from: the program itself, a summary of a few sentences, or one of
    a line for each step."""
    summary_prompt: PromptTemplate | None = None
    """Asks for the summary of a program."""
    retell_prompt: PromptTemplate | None = None
    """Asks for the problem that a summary is of."""
    sample: Annotated[int, Field(ge=0)] = 0
    """Which sample of the prompt is taken: runs that differ in it are draws of one arm."""

    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Problem
    by_record: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "given_lost")

    def __post_init__(self) -> None:
        if self.summary == "none":
            return
        if self.summary_prompt is None or self.retell_prompt is None:
            place = f"recipe.stages.{self.name}"
            raise SettingsError(f"{place}.summary needs a summary_prompt and a retell_prompt")
        self.writes = SummarisedProblem  # type: ignore[misc]

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"pool": pool_from(records.pipeline, self.seeds, self.sampling.pool)}

    def episode(self, execution: Execution, pool: Pool) -> Steps[tuple[Problem, Verdict]]:
        if self.summary != "none":
            return (yield from self._by_summary(execution))
        sampler = self.sampling.reverse
        shots = draw_shots(pool, sampler.shots, self.run_seed, "reverse", execution.id)
        request = self.requests(sampler, self.sample, program=execution, shots=shots)[0]
        return problem(execution, (yield request), self.name)

    def _by_summary(self, execution: Execution) -> Steps[tuple[Problem, Verdict]]:
        sampler, place = self.sampling.reverse, self.sample
        asked = self.requests(
            sampler, place, self.summary_prompt, program=execution, form=self.summary
        )
        response: Response = yield asked[0]
        told, verdict = problem(execution, response, self.name)
        summary = response.text.strip()
        told = grow(SummarisedProblem, told, instruction=summary, summary=summary)
        if not verdict.kept:
            return told, verdict
        if not (states := states_input(Reading(told))).kept:
            return told, reject("given_lost", states.detail)
        asked = self.requests(sampler, place, self.retell_prompt, summary=summary)
        made, verdict = problem(execution, (yield asked[0]), self.name)
        both = with_calls(told.calls, *made.calls[len(execution.calls) :])
        return grow(SummarisedProblem, made, summary=summary, **both), verdict
