"""Programs composed of others' functions, and programs that count their own steps.

After STEPWISE-CODEX-Bench (arXiv 2508.05193).
"""

from __future__ import annotations

import ast
import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from transforms.programs.form import literal_input, nodes_of, parse, solution_of

COUNTER = "run_steps"


@dataclass(frozen=True)
class Unit:
    """A function of a verified program, and the arguments that it was verified with."""

    imports: tuple[str, ...]
    function: ast.FunctionDef
    given: dict[str, Any]

    @property
    def numbers(self) -> list[str]:
        """The arguments that may be computed: integers of at least 2."""
        return [name for name, value in self.given.items() if type(value) is int and value > 1]


def unit_of(code: str) -> Unit | None:
    """Returns the function of a program that is imports, `input`, `solution` and `output` alone.

    None for any other program, and for one without an integer to compute.
    """
    tree = parse(code)
    given, function = literal_input(tree), solution_of(tree)
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    if given is None or function is None or len(tree.body) != len(imports) + 3:
        return None
    unit = Unit(tuple(map(ast.unparse, imports)), function, given)
    return unit if unit.numbers and COUNTER not in code else None


def has_branches(unit: Unit) -> bool:
    """Whether the number of steps of a function may depend on its arguments."""
    return any(isinstance(node, (ast.If, ast.For, ast.While)) for node in nodes_of(unit.function))


def compose(units: Sequence[Unit], rng: random.Random) -> str:
    """Returns a unified program that sends a number through the functions: one after the other, one
    of two, or one several times."""
    functions = [
        _named(unit.function, f"step_{number}") for number, unit in enumerate(units, start=1)
    ]
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
    head = sorted({line for unit in units for line in unit.imports})
    start = f'input = {{"start": {rng.randint(3, 40)}}}'
    parts = [*functions, f"def solution(start):\n{body}", "output = solution(**input)\n"]
    return "\n\n".join(["\n".join([*head, start]), *parts])


def staged(code: str) -> str:
    """Returns a composed program whose `output` is the list of all values that `x` has in it, from
    the input to what the program gives."""
    tree = parse(code)
    solution = solution_of(tree)
    assert solution is not None
    _Noting().visit(solution)
    solution.body.insert(0, *ast.parse("noted = []").body)
    solution.body[-1] = ast.parse("return noted").body[0]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class _Noting(ast.NodeTransformer):
    """Notes `x` after each assignment."""

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            return [node, *ast.parse("noted.append(x)").body]
        return super().generic_visit(node)


@lru_cache(maxsize=10_000)  # a unit is drawn many times
def _named(function: ast.FunctionDef, name: str) -> str:
    function = deepcopy(function)
    for node in nodes_of(function):
        if isinstance(node, ast.Name) and node.id == "solution":
            node.id = name
    function.name = name
    return ast.unparse(function)


def _call(unit: Unit, name: str, rng: random.Random) -> str:
    """Returns a call with one argument computed from `x`, of about the size that it was."""
    computed = rng.choice(unit.numbers)
    value = unit.given[computed]
    least = (value + 1) // 2
    arguments = {key: repr(each) for key, each in unit.given.items()}
    arguments[computed] = f"{least} + x % {value}"
    return f"{name}({', '.join(f'{key}={each}' for key, each in arguments.items())})"


class _Counting(ast.NodeTransformer):
    """Counts before each simple statement within a function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.body.insert(0, ast.Global([COUNTER]))
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, (ast.Module, ast.ClassDef)):
            return node
        for part in ("body", "orelse", "finalbody"):
            body = getattr(node, part, None)
            if isinstance(body, list):
                setattr(node, part, [each for item in body for each in _counted(item)])
        return node


def _counted(statement: ast.stmt) -> list[ast.stmt]:
    simple = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr, ast.Delete)
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    if not isinstance(statement, simple) or is_text:
        return [statement]
    return [*ast.parse(f"{COUNTER} += 1").body, statement]


def counted(code: str) -> str:
    """Returns a program that counts in `run_steps` each assignment, return and call statement of
    its functions, just before it runs."""
    tree = _Counting().visit(parse(code))
    tree.body.insert(_after_imports(tree), *ast.parse(f"{COUNTER} = 0").body)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _after_imports(tree: ast.Module) -> int:
    imports = [isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree.body]
    return imports.index(False) if False in imports else len(imports)


def counting_lines(code: str) -> set[int]:
    """Returns the lines of a counted program that count."""
    return {
        node.lineno
        for node in nodes_of(parse(code))
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) == COUNTER
    }
