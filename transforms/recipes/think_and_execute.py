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
        *UNPAIRED, *FAILED, "too_short", "too_long", "many_digits", "differs_alone", "implausible",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise | Verdict]]:
        inputs = yield from several_inputs(seed, self.instances, likely=True)
        if isinstance(inputs, Verdict):
            return inputs
        instances = [*filter(is_small, [inputs.own, *inputs.drawn])][: 2 * self.instances]
        program, limit = printing(seed.code or ""), inputs.cpu_seconds
        known: list[tuple[dict[str, Any], Any]] = []
        one: list[Ran] = []
        for some in (instances[: self.instances], instances[self.instances :]):
            if len(known) == self.instances:  # most programs run on each input
                break
            both = [with_input(code, each) for code in (seed.code or "", program) for each in some]
            ran = yield from run_together(both, 0, limit)
            if isinstance(ran, Verdict):
                return ran
            for given, plain, printed in zip(some, ran, ran[len(some) :], strict=False):
                if plain.error is None and is_small(plain.output):
                    known.append((given, plain.output))
                    one.append(printed)
        known, one = known[: self.instances], one[: self.instances]
        if len(known) < 2:
            return reject("few_pairs", f"{len(known)} inputs that the program runs on")
        codes = [with_input(program, given) for given, _ in known]
        again = yield from run_together(codes, 1, limit)
        if isinstance(again, Verdict):
            return again
        if hidden := _unsettled(one, again):
            program = printing(seed.code or "", without=hidden)
            codes = [with_input(program, given) for given, _ in known]
            first, second = yield from side_by_side(run_together(codes, n, limit) for n in (0, 1))
            if isinstance(first, Verdict):
                return first
            if isinstance(second, Verdict):
                return second
            one, again = first, second
        is_drawn = "input_generator" not in json.loads(seed.metadata)
        own = one[0].printed if is_drawn and known[0][0] == inputs.own else ""
        runs = zip(known, codes, one, again, strict=True)
        return [self._row(seed, program, own, run) for run in runs]

    def _row(self, seed: Seed, program: str, own: str, run: tuple[Any, ...]) -> Exercise | Verdict:
        """The row of a run; `own` is what is printed on the own input, where others are like it."""
        (given, output), code, ran, again = run  # two runs of the program that prints
        if len(ran.printed) > self.chars:
            return reject("too_long", f"{len(ran.printed)} characters")
        if ran.error is not None:
            return reject(Status.RUNTIME_ERROR, ran.error)
        if not same_output(json.dumps(ran.output), json.dumps(output)):
            return reject("differs_alone", f"{ran.output}, not {output}")
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


def _unsettled(one: list[Ran], again: list[Ran]) -> set[str]:
    """The variables that two runs of a printing program on the same instances show otherwise."""
    runs = zip(one, again, strict=True)
    return {name for ran, other in runs for name in unsettled(ran.printed, other.printed)}
