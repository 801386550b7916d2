"""Questions about a piece of a program by itself: statements or loops, run from variables given.

After CodeSense (arXiv 2506.00750). What is asked can be computed without the rest of the run, and
each question carries the program that does so.
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from transforms.programs.facts import Trace, is_plain
from transforms.programs.form import nodes_of
from transforms.programs.questions.asking import Question
from transforms.programs.questions.lines import (
    is_literal,
    literal_of,
    literals,
    statements,
    stored,
    tree_of,
)
from transforms.programs.questions.runs import Run, moments, runs_of

_LONGEST = 3
"""Statements of a block, at most."""
_MOST_GIVEN = 400
"""Characters of the variables that a question states, at most."""


def asked_of_statements(code: str, trace: Trace) -> list[Question]:
    """Asks for what a statement assigns, given the variables that it reads.

    Raises:
        CutTrace: the trace is not whole. Unparsable: the code is no program.
    """
    return _asked(code, trace, "statement", 1)


def asked_of_blocks(code: str, trace: Trace) -> list[Question]:
    """Asks for a variable after two or three statements in a row, or one that holds others, given
    the variables that they read. Raises as `asked_of_statements` does."""
    return _asked(code, trace, "block", _LONGEST)


def _asked(code: str, trace: Trace, kind: str, longest: int) -> list[Question]:
    tree, whole, frames = tree_of(code), statements(code), moments(trace)
    prelude, known = _definitions(code, tree)

    def asked(block: Sequence[ast.stmt]) -> Question | None:
        first, last = block[0].lineno, block[-1].end_lineno or 0
        is_compound = len(block) == 1 and hasattr(block[0], "body")
        if (kind == "block") != (len(block) > 1 or is_compound) or first not in whole:
            return None
        repeats = isinstance(block[0], (ast.For, ast.While))
        runs = [run for run in runs_of(frames, first, last, repeats=repeats) if run.is_short]
        if not runs:
            return None
        run = runs[len(runs) // 2]
        given = _given(block, run, known)
        variable = None if given is None else _variable(block, run)
        if given is None or variable is None:
            return None
        text = textwrap.dedent("\n".join(code.split("\n")[first - 1 : last]))
        if text.startswith("elif"):
            return None
        alone = [*prelude, *(f"{name} = {value}" for name, value in given.items()), text]
        params = {"last_line": last, "text": text, "given": given}
        program = "\n".join([*alone, f"output = repr({variable})"])
        golds = literals([run.after[variable]])
        return Question(kind, golds, first, variable, params, alone=program)

    questions: dict[int, Question] = {}
    for blocks in _blocks(tree, longest):
        if question := next(filter(None, map(asked, blocks)), None):
            questions[question.params["last_line"]] = question
    return list(questions.values())


def _definitions(code: str, tree: ast.Module) -> tuple[list[str], set[str]]:
    """Returns the imports, definitions and constants of a program, and the names that they bind."""
    lines, texts, names = code.split("\n"), [], set(_BUILTINS)
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound = [node.name]
        elif isinstance(node, ast.Assign) and is_literal(node.value):
            bound = [target.id for target in node.targets if isinstance(target, ast.Name)]
            bound = [name for name in bound if name not in ("input", "output")]
        else:
            continue
        if bound:
            texts.append("\n".join(lines[_first(node) - 1 : node.end_lineno]))
            names.update(bound)
    return texts, names


def _first(node: ast.stmt) -> int:
    return min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])


_BUILTINS = frozenset(dir(builtins))
_NOT_ALONE = (
    ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Delete,
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Import, ast.ImportFrom,
    ast.With, ast.Try,
)  # fmt: skip
"""What a piece may not hold: it leaves the piece, or outlives it."""


def _blocks(tree: ast.Module, longest: int) -> Iterator[list[Sequence[ast.stmt]]]:
    """Yields the runs of up to `longest` statements of each body below a function: those that end
    together, the longest first."""
    scopes = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    for node in (each for scope in scopes for each in nodes_of(scope)):
        if isinstance(node, ast.ClassDef):
            continue
        for part in ("body", "orelse"):
            body = getattr(node, part, [])
            alone = [_stands_alone(each) for each in body] if isinstance(body, list) else []
            for end in range(1, len(alone) + 1):
                blocks: list[Sequence[ast.stmt]] = []
                for start in range(end - 1, max(-1, end - longest - 1), -1):
                    if not alone[start]:
                        break
                    if not _is_text(body[start]):
                        blocks.insert(0, body[start:end])
                yield blocks


def _stands_alone(statement: ast.stmt) -> bool:
    loops = 0
    for node in nodes_of(statement):
        if isinstance(node, _NOT_ALONE):
            return False
        loops += isinstance(node, (ast.For, ast.While))
        if isinstance(node, (ast.Break, ast.Continue)) and not loops:
            return False
    return True


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _given(block: Sequence[ast.stmt], run: Run, known: set[str]) -> dict[str, str] | None:
    """Returns the variables that a block names, as literals; None where they cannot be stated."""
    nodes = [node for statement in block for node in nodes_of(statement)]
    inner = {
        name.id
        for node in nodes
        if isinstance(node, ast.comprehension)
        for name in nodes_of(node.target)
        if isinstance(name, ast.Name)
    }
    assigned = {name for statement in block for name, _ in stored(statement)}
    changed = {node.target for node in nodes if isinstance(node, ast.AugAssign)}
    read = dict.fromkeys(
        node.id
        for node in nodes
        if isinstance(node, ast.Name) and (isinstance(node.ctx, ast.Load) or node in changed)
    )
    given: dict[str, str] = {}
    for name in read:
        if name in run.before:
            if not is_plain(run.before[name]):
                return None
            given[name] = literal_of(run.before[name])
        elif name not in known | inner | assigned:
            return None
    return given if given and sum(map(len, given.values())) <= _MOST_GIVEN else None


def _variable(block: Sequence[ast.stmt], run: Run) -> str | None:
    """Returns the last variable that a block changes to a value that does not show; one that a loop
    runs over only where there is no other."""
    loops = [n for each in block for n in nodes_of(each) if isinstance(n, ast.For)]
    run_over = {n.id for loop in loops for n in nodes_of(loop.target) if isinstance(n, ast.Name)}
    changed = list(_changed(block, run))
    return next((name for name in changed if name not in run_over), next(iter(changed), None))


def _changed(block: Sequence[ast.stmt], run: Run) -> Iterator[str]:
    for statement in reversed(block):
        for name, expression in reversed([*_called_on(statement), *stored(statement)]):
            shows = isinstance(expression, ast.Name) or is_literal(expression)
            if shows or name not in run.after or not literals([run.after[name]]):
                continue
            if name not in run.before or literals([run.before[name]]) != literals(
                [run.after[name]]
            ):
                yield name


def _called_on(statement: ast.stmt) -> Iterator[tuple[str, Any]]:
    """Yields the variables whose method a statement calls, or an item of which it sets."""
    for node in nodes_of(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.value, ast.Name):
            yield node.value.id, None
