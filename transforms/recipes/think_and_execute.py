"""think_and_execute: one printing program per task, and what it prints on instances of the task.

After Think-and-Execute (arXiv 2404.02575).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import masked_input, with_input
from transforms.programs.printing import ADDRESS, printing, unsettled
from transforms.programs.questions import Question, read_literal
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.exercises import FAILED, Exercise, MakeExercises, exercise
from transforms.stages.graders import same_output
from transforms.stages.pairs import UNPAIRED, Pair, several_pairs

_MANY_DIGITS = re.compile(r"\d*\.\d{7,}")
"""A float that is arithmetic, not reasoning."""


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
        code = seed.code or ""
        pairs = yield from several_pairs(seed, self.instances)
        if isinstance(pairs, Verdict):
            return pairs
        program, runs = yield from _printed(pairs, printing(code))
        if hidden := {
            name for *_, one, other in runs for name in unsettled(one.stdout, other.stdout)
        }:
            program, runs = yield from _printed(pairs, printing(code, without=hidden))
        return [self._row(seed, program, *each) for each in runs]

    def _row(
        self, seed: Seed, program: str, pair: Pair, code: str, result: Result, again: Result
    ) -> Exercise | Verdict:
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        if not same_output(result.output or "", pair.output):
            return reject("differs_alone", f"{result.output}, not {pair.output}")
        if result.stdout != again.stdout or ADDRESS.search(result.stdout):
            return reject(Status.NONDETERMINISTIC, "it prints other lines in a second run")
        if (lines := result.stdout.count("\n")) < self.lines:
            return reject("too_short", f"{lines} lines")
        if len(result.stdout) > self.chars:
            return reject("too_long", f"{len(result.stdout)} characters")
        if digits := _MANY_DIGITS.search(result.stdout):
            return reject("many_digits", digits[0])
        described, general = json.loads(seed.metadata), masked_input(program)
        params = {
            "family": content_id("pseudocode", general),
            "problem": described.get("task_description", ""),
            "spec": described.get("input_output_spec", ""),
            "pseudocode": general,
            "instance": pair.input,
        }
        question = Question("execute", (result.stdout.strip(),), params=params, grader="lines")
        return exercise(replace(seed, code=code), question, self.prompt)


def _printed(
    pairs: list[Pair], program: str
) -> Steps[tuple[str, list[tuple[Pair, str, Result, Result]]]]:
    """Runs a program twice on each input: itself, and (pair, its code, one run, the other)."""
    codes = [with_input(program, read_literal(pair.input)) for pair in pairs]
    results: list[Result] = yield [Job(code, seed=n) for code in codes for n in (0, 1)]
    return program, list(zip(pairs, codes, results[::2], results[1::2], strict=True))
