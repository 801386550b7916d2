"""Programs composed of others' functions, and programs that count their own steps.

After STEPWISE-CODEX-Bench (arXiv 2508.05193).
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from transforms.programs.form import is_name, literal_input, nodes_of, parse, solution_of

COUNTER = "run_steps"
_NAME = "\0"
"""In place of a unit's name: no text of a program has it."""


@dataclass(frozen=True)
class Unit:
    """A function of a verified program, and the arguments that it was verified with."""

    imports: tuple[str, ...]
    text: str
    """With a mark in place of its name."""
    counting: str
    """The same, with its steps counted."""
    branches: bool
    """Whether the number of its steps may depend on its arguments."""
    given: dict[str, Any]

    @property
    def numbers(self) -> list[str]:
        """The arguments that may be computed: integers of at least 2."""
        return [name for name, value in self.given.items() if type(value) is int and value > 1]


class Composed(NamedTuple):
    """A composed program, in three forms of one text."""

    plain: str
    counting: str
    """It counts its steps in `run_steps`."""
    staged: str
    """Its `output` is a list: `run_steps`, and all values that `x` has, from the input to what the
    program gives. The count goes on where `solution` is called again."""


def unit_of(code: str) -> Unit | None:
    """Returns the function of a program that is imports, `input`, `solution` and `output` alone.

    None for any other program, and for one without an integer to compute.
    """
    tree = parse(code)
    given, function = literal_input(tree), solution_of(tree)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    if given is None or function is None or len(tree.body) != len(imports) + 3 or COUNTER in code:
        return None
    nodes = nodes_of(function)
    for node in nodes:
        if isinstance(node, ast.Name) and node.id == "solution":
            node.id = _NAME
    function.name = _NAME
    branches = any(isinstance(node, (ast.If, ast.For, ast.While)) for node in nodes)
    text = ast.unparse(function)
    unit = Unit(tuple(map(ast.unparse, imports)), text, counted(function), branches, given)
    return unit if unit.numbers else None


def compose(units: Sequence[Unit], rng: random.Random) -> Composed:
    """Returns a unified program that sends a number through the functions: one after the other, one
    of two, or one several times."""
    lines, number = [], 0
    while number < len(units):
        form = rng.choice(["chain", "select", "loop"])
        if form == "select" and number + 1 < len(units):
            one, other = (_call(units[n], f"step_{n + 1}", rng) for n in (number, number + 1))
            lines += ["if x % 2 == 0:", f"    x = {one}", "else:", f"    x = {other}"]
            number += 2
            continue
        call = _call(units[number], f"step_{number + 1}", rng)
        if form == "loop":
            lines += [f"for turn in range({rng.randint(2, 3)}):", f"    x += {call}"]
        else:
            lines.append(f"x {rng.choice(('=', '+='))} {call}")
        number += 1
    body = "\n".join(f"    {line}" for line in ["x = start", *lines, "return x"])
    solution = f"def solution(start):\n{body}"
    start = rng.randint(3, 40)
    head = sorted({line for unit in units for line in unit.imports})
    plain = "\n".join([*head, f'input = {{"start": {start}}}'])
    counting = "\n".join([*head, f"{COUNTER} = 0", f"input = {{'start': {start}}}"])
    counting = "\n\n".join([counting, *_named(unit.counting for unit in units)])
    steps = counted(tree := parse(solution))
    end = "output = solution(**input)\n"
    return Composed(
        "\n\n".join([plain, *_named(unit.text for unit in units), solution, end]),
        f"{counting}\n\n{steps}\n{end}",
        f"{counting}\n\n{_staged(tree)}\n{end}",
    )


def _named(texts: Iterable[str]) -> list[str]:
    return [text.replace(_NAME, f"step_{number}") for number, text in enumerate(texts, start=1)]


def _staged(tree: ast.Module) -> str:
    """Has a counted `solution` return its steps and the values of `x`."""
    solution = solution_of(tree)
    assert solution is not None
    _Noting().visit(solution)
    solution.body.insert(0, *ast.parse("noted = []").body)
    solution.body[-1] = ast.parse(f"return [{COUNTER}, *noted]").body[0]
    return ast.unparse(tree)


class _Noting(ast.NodeTransformer):
    """Notes `x` after each assignment to it."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            stored = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
            return [node, *ast.parse("noted.append(x)").body] if is_name(stored, "x") else node
        return super().generic_visit(node)


def _call(unit: Unit, name: str, rng: random.Random) -> str:
    """Returns a call with one argument computed from `x`, of about the size that it was."""
    computed = rng.choice(unit.numbers)
    value = unit.given[computed]
    least = (value + 1) // 2
    arguments = {key: repr(each) for key, each in unit.given.items()}
    arguments[computed] = f"{least} + x % {value}"
    return f"{name}({', '.join(f'{key}={each}' for key, each in arguments.items())})"


def counted(tree: ast.Module | ast.FunctionDef) -> str:
    """Returns the text of a tree, which is changed, that counts in `run_steps` each assignment,
    return and call statement of its functions, just before it runs; the counter has to be there."""
    _count(tree)
    return ast.unparse(tree)


def _count(node: ast.AST) -> None:
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, part, [])
        for each in inner:
            _count(each)
        if inner and not isinstance(node, (ast.Module, ast.ClassDef)):
            setattr(node, part, [each for item in inner for each in _counted(item)])
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        node.body.insert(0, ast.Global([COUNTER]))


[_COUNT] = ast.parse(f"{COUNTER} += 1").body
_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr, ast.Delete)


def _counted(statement: ast.stmt) -> list[ast.stmt]:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return [statement] if is_text or not isinstance(statement, _SIMPLE) else [_COUNT, statement]


def counting_lines(code: str) -> set[int]:
    """Returns the lines of a composed program that count."""
    lines = enumerate(code.split("\n"), start=1)
    return {number for number, line in lines if line.strip() == f"{COUNTER} += 1"}
