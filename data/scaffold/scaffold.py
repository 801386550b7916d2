"""scaffold: a solution to each problem, kept where it comes to the reference answer."""

from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Derived, Seed, derived
from transforms.engine.stage import check
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.grade import GradeReason, graded


@dataclass(frozen=True, kw_only=True)
class Solved(Derived):
    """A row. The text below each field is its column's meaning in the dataset card."""

    problem: str
    """The problem, as the source has it."""
    solution: str
    """What the model wrote."""
    answer: str
    """The reference answer, which the solution comes to."""


@dataclass(kw_only=True)
class Answer(ModelEpisode):
    """PCollection[Seed] -> Outcome of Solved: a right solution to each problem with an answer."""

    name: str = "answer"
    sampler: SamplerSettings
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Solved
    reasons: ClassVar[tuple[str, ...]] = (*ResponseReason, *GradeReason, "no_reference")

    def episode(self, seed: Seed) -> Steps[Solved | Verdict]:
        if seed.answer is None:
            return reject("no_reference")
        [response] = yield self.requests(self.sampler, instruction=seed.problem)[:1]
        verdict = judge_response(response)
        if verdict.kept:
            verdict = yield from graded(response.text, seed.answer)
        if not verdict.kept:
            return verdict
        made = derived(seed, "scaffold", response.text, calls=self.calls(response))
        return Solved(problem=seed.problem, solution=response.text, answer=seed.answer, **made)


@check("too_long")
def too_long(row: Solved) -> str:
    """A check says what is wrong with a row, and nothing where it has nothing against it."""
    words = len(row.solution.split())
    return f"{words} words" if words > 400 else ""
