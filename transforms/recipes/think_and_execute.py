"""think_and_execute: one printing program per task, and what it prints on instances of the task.

After Think-and-Execute (arXiv 2404.02575).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, NamedTuple

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
from transforms.stages.together import Ran, run_together


class Instance(NamedTuple):
    """An input of a program, and what runs on it came to."""

    given: dict[str, Any]
    code: str
    """The program that prints, with the input."""
    plain: Ran
    """The program as it is."""
    ran: Ran
    again: Ran
    """The one that prints, under two hash seeds."""


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
        code, tried = seed.code or "", [inputs.own, *inputs.drawn][: 2 * self.instances]
        instances = [each for each in tried if is_small(each)]
        hidden: set[str] = set()
        for _ in range(2):
            program = printing(code, without=hidden)
            codes = [with_input(program, each) for each in instances]
            plain = [with_input(code, each) for each in instances]
            one, other = yield from side_by_side(
                run_together(each, seed=number, cpu_seconds=inputs.cpu_seconds)
                for number, each in enumerate([plain + codes, codes])
            )
            if isinstance(one, Verdict):
                return one
            if isinstance(other, Verdict):
                return other
            outputs, printed = one[: len(plain)], one[len(plain) :]
            runs = [
                Instance(*each)
                for each in zip(instances, codes, outputs, printed, other, strict=True)
                if each[2].error is None and is_small(each[2].output)
            ][: self.instances]
            for run in runs:
                hidden |= unsettled(run.ran.printed, run.again.printed)
            if not hidden:
                break
        if len(runs) < 2:
            return reject("few_pairs", f"{len(runs)} inputs that the program runs on")
        is_drawn = "input_generator" not in json.loads(seed.metadata)
        own = runs[0] if is_drawn and runs[0].given == inputs.own else None
        return [self._row(seed, program, each, own) for each in runs]

    def _row(
        self, seed: Seed, program: str, instance: Instance, own: Instance | None
    ) -> Exercise | Verdict:
        given, code, plain, ran, again = instance
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
        if own is not None and (line := implausible(ran.printed, own.ran.printed)):
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
