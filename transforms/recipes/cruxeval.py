"""cruxeval: programs that can be run in one's head. After CRUXEval (arXiv 2401.03065)."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms import check
from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.programs.form import code_lines, literal_input, parse, solution_of
from transforms.programs.hard_operations import watched
from transforms.sandbox.jobs import Job, Result, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.exercises import FAILED

_WORDS = {"import", "builtins", "globals", "locals", "open", "exec", "eval", "hash", "set"}
_LINES = range(2, 14)
"""Lines of a function. The paper says 3 to 13; 96 of its 800 functions have two."""


@check("not_simple")
def simple(seed: Seed) -> str:
    """Refuses a program with a function that is not 2 to 13 lines, or with what is left out."""
    tree = parse(seed.code or "")
    if solution_of(tree) is None or literal_input(tree) is None:
        return "no solution, or no literal input"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and code_lines(ast.unparse(node)) not in _LINES:
            return f"a function of {code_lines(ast.unparse(node))} lines"
        word = getattr(node, "id", "") or getattr(node, "attr", "")
        if isinstance(node, (ast.Import, ast.ImportFrom)) or word in _WORDS:
            return word or "import"
        is_float = isinstance(getattr(node, "value", None), (float, complex))
        if is_float or isinstance(getattr(node, "op", None), ast.Div):
            return "floats"
    return ""


@dataclass(kw_only=True)
class Easy(Episode):
    """PCollection[Seed] (verified, with code) -> Outcome of the same: no operation of the run is
    hard to do in one's head, and the output is more than a copy of the input."""

    name: str = "easy"
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    reasons: ClassVar[Iterable[str]] = (*FAILED, "hard_operation", "copied_input")

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        result: Result = yield Job(watched(seed.code or ""))
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        hard = json.loads(result.output or "null")
        if hard is not None:
            return reject("hard_operation", str(hard))
        given = literal_input(parse(seed.code or "")) or {}
        output = json.loads(seed.output or "null")
        parts = [*output.values()] if isinstance(output, dict) else output
        copied = output in given.values() or parts == [*given.values()]
        return reject("copied_input") if copied else seed
