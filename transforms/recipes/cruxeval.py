"""cruxeval: programs that can be run in one's head. After CRUXEval (arXiv 2401.03065).

`rows` reads the benchmark's own file as seeds.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from transforms import check
from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.engine.stage import Same
from transforms.models.episode import Episode, Steps
from transforms.programs.calls import program_of_call
from transforms.programs.facts import Trace
from transforms.programs.form import assigned, code_lines, literal_input, parse, solution_of
from transforms.programs.questions import Question, asked_of_output
from transforms.programs.questions.lines import literals
from transforms.sandbox.jobs import Job, Result, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.exercises import FAILED

_WORDS = {"import", "builtins", "globals", "locals", "open", "exec", "eval", "hash", "set"}
_LINES = range(2, 14)
"""Lines of a function. The paper says 3 to 13; 96 of its 800 functions have two."""


@check("not_simple")
def simple(seed: Seed) -> str:
    """Refuses a program whose function is not 2 to 13 lines, or that uses what is left out."""
    tree = parse(seed.code or "")
    function = solution_of(tree)
    if function is None or literal_input(tree) is None:
        return "no solution, or no literal input"
    if code_lines(ast.unparse(function)) not in _LINES:
        return f"a function of {code_lines(ast.unparse(function))} lines"
    for node in ast.walk(tree):
        word = getattr(node, "id", "") or getattr(node, "attr", "")
        if isinstance(node, (ast.Import, ast.ImportFrom)) or word in _WORDS:
            return word or "import"
        if isinstance(getattr(node, "op", None), ast.Div) or _is_float(node):
            return "floats"
    return ""


def _is_float(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (float, complex))


_WATCH = """
import operator as _operator
_hard = []
def _seen(name, left, right):
    numbers = (int, float, complex)
    if isinstance(left, numbers) and isinstance(right, numbers):
        if float in (type(left), type(right)) or (
            right > 1 if name == "pow" else abs(left) > 3 < abs(right)
        ):
            _hard.append(f"{left!r} {name} {right!r}")
    elif name == "mod":  # of texts: a format
        pass
    elif hasattr(left, "__len__") and hasattr(right, "__len__") and len(left) > 3 < len(right):
        _hard.append(f"{name} of long sequences")
    return right
def _apply(name, left, right):
    return getattr(_operator, name)(left, _seen(name, left, right))
"""
_OPERATORS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitAnd: "and_",
    ast.BitOr: "or_", ast.BitXor: "xor",
}  # fmt: skip


class _Watched(ast.NodeTransformer):
    """Has each operator look at its operands."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = _OPERATORS.get(type(node.op))
        if name is None:
            return node
        arguments = [ast.Constant(name), node.left, node.right]
        return ast.Call(ast.Name("_apply", ast.Load()), arguments, [])

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        arguments = [ast.Constant(_OPERATORS.get(type(node.op), "add")), target, node.value]
        node.value = ast.Call(ast.Name("_seen", ast.Load()), arguments, [])
        return node


def watched(code: str) -> str:
    """Returns a program that runs `code` and whose output is its first operation that is hard to do
    in one's head; None where it has none.

    Hard are operations on numbers that are both beyond 3 or that are no integers, powers above 1,
    and operators on two sequences that are both longer than 3.
    """
    tree = ast.fix_missing_locations(_Watched().visit(parse(code)))
    return f"{_WATCH}{ast.unparse(tree)}\noutput = _hard[0] if _hard else None\n"


@dataclass(kw_only=True)
class Easy(Episode):
    """PCollection[Seed] (verified, with code) -> Outcome of the same: no operation of the run is
    hard to do in one's head."""

    name: str = "easy"
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Same
    reasons: ClassVar[Iterable[str]] = (*FAILED, "hard_operation")

    def episode(self, seed: Seed) -> Steps[Seed | Verdict]:
        result: Result = yield Job(watched(seed.code or ""))
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        hard = json.loads(result.output or "null")
        return reject("hard_operation", str(hard)) if hard is not None else seed


def asked_of_input(code: str, trace: Trace) -> list[Question]:
    """Asks for an input that makes the program give its output; the run's own is one."""
    golds, output = literals([literal_input(parse(code))]), asked_of_output(code, trace)
    if not golds or not output:
        return []
    line, params = assigned(parse(code), "input")[0].lineno, {"output": output[0].golds[0]}
    return [Question("input", golds, line, params=params, grader="witness")]


def rows(path: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of CRUXEval's file whose arguments can be written as JSON, as seeds' columns.

    For `source=function`. The function `f` becomes `solution`, its arguments the input by name;
    those that call themselves are left out.
    """
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if code := program_of_call(row["code"], row["input"]):
            yield {"problem": row["id"], "code": code, "license": "MIT"}
