"""think_and_execute: one printing program per task, and what it prints on instances of the task.

After Think-and-Execute (arXiv 2404.02575).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.programs import masked_input, with_input
from transforms.programs.printing import ADDRESS, implausible, printing, unsettled
from transforms.programs.questions import Question
from transforms.programs.questions.lines import computed_digits
from transforms.sandbox.jobs import Status
from transforms.stages.exercises import FAILED, Exercise, MakeExercises, exercise
from transforms.stages.graders import same_output
from transforms.stages.pairs import UNPAIRED, is_small, several_inputs
from transforms.stages.together import run_together


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
        *UNPAIRED, *FAILED, "too_short", "too_long", "many_digits", "differs_alone", "implausible",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise | Verdict]]:
        inputs = yield from several_inputs(seed, self.instances, likely=True)
        if isinstance(inputs, Verdict):
            return inputs
        instances = [*filter(is_small, [inputs.own, *inputs.drawn])][: 2 * self.instances]
        plain = [with_input(seed.code or "", each) for each in instances]
        hidden: set[str] = set()
        for _ in range(2):
            program = printing(seed.code or "", without=hidden)
            codes = [with_input(program, each) for each in instances]
            one, other = yield from side_by_side(
                run_together(plain + codes, n, inputs.cpu_seconds) for n in (0, 1)
            )
            if isinstance(one, Verdict):
                return one
            if isinstance(other, Verdict):
                return other
            count = len(plain)
            ran = zip(instances, codes, one[:count], one[count:], other[count:], strict=True)
            runs = [each for each in ran if each[2].error is None and is_small(each[2].output)]
            runs = runs[: self.instances]
            hidden |= {name for run in runs for name in unsettled(run[3].printed, run[4].printed)}
            if not hidden:
                break
        if len(runs) < 2:
            return reject("few_pairs", f"{len(runs)} inputs that the program runs on")
        is_drawn = "input_generator" not in json.loads(seed.metadata)
        own = runs[0][3].printed if is_drawn and runs[0][0] == inputs.own else ""
        return [self._row(seed, program, own, run) for run in runs]

    def _row(self, seed: Seed, program: str, own: str, run: tuple[Any, ...]) -> Exercise | Verdict:
        """The row of a run; `own` is what is printed on the own input, where others are like it."""
        given, code, plain, ran, again = run  # two runs of the program that prints
        if len(ran.printed) > self.chars:
            return reject("too_long", f"{len(ran.printed)} characters")
        if ran.error is not None:
            return reject(Status.RUNTIME_ERROR, ran.error)
        if not same_output(json.dumps(ran.output), json.dumps(plain.output)):
            return reject("differs_alone", f"{ran.output}, not {plain.output}")
        if ran.printed != again.printed or ADDRESS.search(ran.printed):
            return reject(Status.NONDETERMINISTIC, "it prints other lines in a second run")
        if (lines := ran.printed.count("\n")) < self.lines:
            return reject("too_short", f"{lines} lines")
        if digits := computed_digits(ran.printed, code):
            return reject("many_digits", digits)
        if own and (line := implausible(ran.printed, own)):
            return reject("implausible", line)
        described, general = json.loads(seed.metadata), masked_input(program)
        params = {
            "family": content_id("pseudocode", general),
            "problem": described.get("task_description", ""),
            "spec": described.get("input_output_spec", ""),
            "pseudocode": general,
            "instance": repr(given),
        }
        question = Question("execute", (ran.printed.strip(),), params=params, grader="lines")
        return exercise(replace(seed, code=code), question, self.prompt)
