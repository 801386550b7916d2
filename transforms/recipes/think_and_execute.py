"""think_and_execute: one printing program per task, and what it prints on instances of the task.

After Think-and-Execute (arXiv 2404.02575).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.programs import masked_input, with_input
from transforms.programs.printing import ADDRESS, printing, unsettled
from transforms.programs.questions import Question, read_literal
from transforms.programs.questions.lines import computed_digits
from transforms.sandbox.jobs import Status
from transforms.stages.exercises import FAILED, Exercise, MakeExercises, exercise
from transforms.stages.graders import same_output
from transforms.stages.pairs import UNPAIRED, Pair, several_pairs
from transforms.stages.together import Ran, run_together


@dataclass(kw_only=True)
class PrintSteps(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: the lines that a program
    prints on an instance, for several instances of each program."""

    name: str = "print"
    instances: Annotated[int, Field(ge=2)] = 4
    """Instances of each task, at most; two at least."""
    lines: Annotated[int, Field(ge=1)] = 3
    """Lines printed on an instance, at least; the last one is the answer."""
    chars: Annotated[int, Field(ge=1)] = 2000
    """Characters printed on an instance, at most."""

    reasons: ClassVar[Iterable[str]] = (
        *UNPAIRED, *FAILED, "too_short", "too_long", "many_digits", "differs_alone",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise | Verdict]]:
        pairs = yield from several_pairs(seed, self.instances)
        if isinstance(pairs, Verdict):
            return pairs
        hidden: set[str] = set()
        for _ in range(2):
            program = printing(seed.code or "", without=hidden)
            codes = [with_input(program, read_literal(pair.input)) for pair in pairs]
            one, other = yield from side_by_side(run_together(codes, seed=n) for n in (0, 1))
            if isinstance(one, Verdict):
                return one
            if isinstance(other, Verdict):
                return other
            runs = list(zip(pairs, codes, one, other, strict=True))
            for *_, ran, again in runs:
                hidden |= unsettled(ran.printed, again.printed)
            if not hidden:
                break
        return [self._row(seed, program, *each) for each in runs]

    def _row(
        self, seed: Seed, program: str, pair: Pair, code: str, ran: Ran, again: Ran
    ) -> Exercise | Verdict:
        if ran.error is not None:
            return reject(Status.RUNTIME_ERROR, ran.error)
        if not same_output(json.dumps(ran.output), pair.output):
            return reject("differs_alone", f"{ran.output}, not {pair.output}")
        if ran.printed != again.printed or ADDRESS.search(ran.printed):
            return reject(Status.NONDETERMINISTIC, "it prints other lines in a second run")
        if (lines := ran.printed.count("\n")) < self.lines:
            return reject("too_short", f"{lines} lines")
        if len(ran.printed) > self.chars:
            return reject("too_long", f"{len(ran.printed)} characters")
        if digits := computed_digits(ran.printed, code):
            return reject("many_digits", digits)
        described, general = json.loads(seed.metadata), masked_input(program)
        params = {
            "family": content_id("pseudocode", general),
            "problem": described.get("task_description", ""),
            "spec": described.get("input_output_spec", ""),
            "pseudocode": general,
            "instance": pair.input,
        }
        question = Question("execute", (ran.printed.strip(),), params=params, grader="lines")
        return exercise(replace(seed, code=code), question, self.prompt)
