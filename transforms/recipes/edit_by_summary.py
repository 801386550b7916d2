"""edit_by_summary: programs changed after an instruction, or after a summary that was edited (after
arXiv 2508.01523 and arXiv 2510.04494)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, unanswered
from transforms.models.settings import SamplerSettings
from transforms.programs.form import parse, solution_of
from transforms.programs.mutants import drawn_mutants
from transforms.programs.questions import Task, task_about
from transforms.stages.graders import runs_of_tests
from transforms.stages.pairs import UNPAIRED, several_pairs
from transforms.stages.tasks import MakeTasks
from transforms.text.answers import SMALL_NUMBERS


@dataclass(kw_only=True)
class DescribeEdits(MakeTasks, ModelEpisode):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: the change from a mutant of a
    program to the program, told in two ways, a task each: by an instruction, and by the summaries
    of both. Their ids of a program are the same.

    The `prompt` asks for a summary, rendered with `program`, `form` and `detail`; the
    `instruction_prompt`, rendered with `old` and `new`, for the instruction. The tests are pairs of
    the program, on some of which the mutant is wrong. `shown` says which numbers of the program the
    new summary `omits`.
    """

    name: str = "describe"
    sampler: SamplerSettings
    instruction_prompt: PromptTemplate
    form: Literal["prose", "bullets"] = "prose"
    """How a summary is written."""
    detail: Literal["low", "medium", "high"] = "medium"
    """How much a summary says."""
    tests: Annotated[int, Field(ge=2)] = 6
    """Inputs that an edited program is run on."""
    candidates: Annotated[int, Field(ge=1)] = 10
    """Mutants that are run until one is wrong and ends well."""

    reasons: ClassVar[Iterable[str]] = (*ResponseReason, *UNPAIRED, "no_change", "same_summary")

    def episode(self, seed: Seed) -> Steps[list[Task] | Verdict]:
        pairs = yield from several_pairs(seed, self.tests)
        if isinstance(pairs, Verdict):
            return pairs
        new, cases = seed.code or "", [(pair.input, pair.output) for pair in pairs]
        old = yield from self.changed(seed, cases)
        if old is None:
            return reject("no_change", "every mutant gives the same, or fails")
        words: dict[str, Any] = {"form": self.form, "detail": self.detail}
        ask = partial(self.requests, self.sampler, samples=1)
        responses: list[Response] = yield [
            *ask(program=old, **words),
            *ask(program=new, **words),
            *ask(prompt=self.instruction_prompt, old=old, new=new),
        ]
        if lost := unanswered(responses):
            return lost
        before, after, instruction = (response.text.strip() for response in responses)
        if before == after:
            return reject("same_summary", after[:200])
        told: dict[str, dict[str, Any]] = {
            "direct": {"instruction": instruction},
            "summary": {"before": before, "after": after, **words, "omits": omits(new, after)},
        }
        made = self.calls(*responses)
        nothing = {"instruction": "", "before": "", "after": ""}
        return [
            task_about(seed, way, old, "tests", cases, {**nothing, **shown}, made)
            for way, shown in told.items()
        ]

    def changed(self, seed: Seed, cases: list[tuple[str, str]]) -> Steps[str | None]:
        """Returns the first mutant that ends well on all inputs and is wrong on some."""
        for code in drawn_mutants(seed.id, seed.code or "")[: self.candidates]:
            runs = yield from runs_of_tests(code, cases)
            if runs and all(run.ended_well for run in runs) and not all(r.passed for r in runs):
                return code
        return None


def omits(code: str, summary: str) -> list[str]:
    """Returns the numbers of a program's `solution` that a summary does not state, 0 and 1 aside.

    >>> omits("def solution(n):\\n    return n * 12 + 40", "It adds 40 to a dozen times n.")
    ['12']
    """
    solution = solution_of(parse(code))
    words = re.findall(r"[0-9]+(?:\.[0-9]+)?|[a-z]+", summary.lower().replace(",", ""))
    stated = {float(word) for word in words if word[0].isdigit()}
    stated |= {float(SMALL_NUMBERS[word]) for word in words if word in SMALL_NUMBERS}
    found = [
        node.value
        for node in ast.walk(solution or ast.Module([], []))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, (int, float))
        and not isinstance(node.value, bool)
    ]
    missing = {str(each) for each in found if abs(each) > 1 and float(each) not in stated}
    return sorted(missing)
