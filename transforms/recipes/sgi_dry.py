"""sgi_dry: programs with the body of one function masked, which a model fills in (after the dry
experiments of SGI-Bench, arXiv 2512.16969)."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.form import Unparsable
from transforms.programs.leaves import with_leaves
from transforms.programs.masked import helpers, with_body
from transforms.programs.questions import Task, task_about
from transforms.stages.graders import runs_of_tests
from transforms.stages.pairs import UNPAIRED, several_pairs
from transforms.stages.tasks import MakeTasks

_CONSTANTS = ("0", "1", "None", "[]", "''")
"""What a function that computes nothing may give."""


@dataclass(kw_only=True)
class MaskFunction(MakeTasks):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: what the body of a function was.

    The program is run on `variants` inputs. A function is asked about where no constant in its
    place, nor its first argument, comes to the same on more than one of them.
    A program whose only function is `solution` is parted at its comments first (`with_leaves`).
    """

    name: str = "mask"
    variants: Annotated[int, Field(ge=2)] = 5
    """Inputs that an answer is run on, the program's own among them."""
    most: Annotated[int, Field(ge=1)] = 1
    """Functions of one program that are asked about, at most."""

    reasons: ClassVar[Iterable[str]] = (*UNPAIRED, "few_functions", "no_effect")

    def episode(self, seed: Seed) -> Steps[list[Task] | Verdict]:
        code = parted(seed.code or "")
        if code is None:
            return reject("few_functions", "it has one function, and no comments to part it at")
        pairs = yield from several_pairs(replace(seed, code=code), self.variants)
        if isinstance(pairs, Verdict):
            return pairs
        cases = [(pair.input, pair.output) for pair in pairs]
        tasks: list[Task] = []
        for function in sorted(helpers(code), key=lambda each: -len(ast.unparse(each))):
            if len(tasks) == self.most:
                break
            first = [each.arg for each in function.args.args[:1]]
            trivial = [*_CONSTANTS, *first]
            right = []
            for value in trivial:
                stub = with_body(code, function.name, f"return {value}")
                runs = yield from runs_of_tests(stub, cases)
                right.append(sum(run.passed for run in runs or ()))
            if max(right) > 1:
                continue
            masked = with_body(code, function.name, "...  # to be written")
            gold = {"function": function.name, "cases": cases}
            shown = {"problem": seed.problem, "code": masked, "function": function.name}
            tasks.append(task_about(seed, "fill", masked, "fills", gold, shown))
        return tasks or reject("no_effect", "each function can be a constant")


def parted(code: str) -> str | None:
    """Returns a program with functions beside `solution`; None where it has no step to be one."""
    try:
        if helpers(code):
            return code
        leaves = with_leaves(code)
    except Unparsable:
        return None
    return leaves.whole if leaves else None
