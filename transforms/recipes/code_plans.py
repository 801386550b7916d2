"""code_plans: plans in the form of code, never run, and solutions in words that follow them.

After CodePlan (arXiv 2409.12452).
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.engine.stage import Map
from transforms.programs.form import Unparsable, parse, solution_of
from transforms.programs.questions import Task, task_about
from transforms.stages.pairs import UNFIT, is_small, unfit


@dataclass(kw_only=True)
class SketchPlans(Map):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: a problem with the plan of its
    program, which the answer has to come out of."""

    name: str = "sketch"
    least: Annotated[int, Field(ge=1)] = 3
    """Steps of a plan, at least."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*UNFIT, "few_steps", "not_small")

    def of(self, seed: Seed) -> Task | Verdict:
        if (verdict := unfit(seed)) is not None:
            return verdict
        plan = sketch(seed.code or "")
        if plan is None or plan.count("\n") < self.least:
            return reject("few_steps")
        value = json.loads(seed.output or "null")
        if not is_small(value):
            return reject("not_small", f"{seed.output}"[:200])
        shown = {"problem": seed.problem, "plan": plan}
        return task_about(seed, "plan", seed.code or "", "tolerant", [repr(value)], shown)


def sketch(code: str) -> str | None:
    """Returns the plan of a program: `solution` with its comments, names, loops and conditions, and
    `...` in place of what each step computes. None where it has no `solution`.

    >>> print(sketch("def solution(n):\\n    # twice\\n    m = 2 * n\\n    return m - 1"))
    def solution(n):
        # twice
        m = ...  # from n
        return ...  # from m
    """
    try:
        solution = solution_of(parse(code))
    except Unparsable:
        return None
    if solution is None:
        return None
    lines = code.split("\n")
    made: dict[int, tuple[int, str]] = {}
    for node in ast.walk(solution):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            indent = " " * node.col_offset
            made[node.lineno] = (node.end_lineno or node.lineno, indent + _step(node))
    shown, line = [], solution.lineno
    while line <= (solution.end_lineno or 0):
        end, text = made.get(line, (line, lines[line - 1]))
        if text.strip():
            shown.append(text.rstrip())
        line = end + 1
    return "\n".join(shown)


def _step(node: ast.stmt) -> str:
    """A statement without what it computes."""
    value = getattr(node, "value", None)
    names = dict.fromkeys(
        each.id
        for each in ast.walk(value or ast.Module([], []))
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    )
    source = f"  # from {', '.join(names)}" if names else ""
    match node:
        case ast.Return():
            return f"return ...{source}"
        case ast.Assign(targets=targets):
            return f"{' = '.join(map(ast.unparse, targets))} = ...{source}"
        case ast.AugAssign(target=target):
            return f"{ast.unparse(target)} = ...{source}"
        case ast.Expr():
            return f"...{source}"
    return ast.unparse(node)
