"""Questions about what a program does, with answers from its trace; no model is needed.

Each function takes the program and its trace and returns every question of its kind that has a
definite answer; which of them are asked is the recipe's choice.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from transforms.programs.facts import (
    Trace,
    coverage,
    final_values,
    is_plain,
    next_lines,
    values_after,
)
from transforms.programs.form import parse
from transforms.programs.questions.answers import strict

_MOST_CHARS = 300
"""Longest answer that is asked for."""


@dataclass(frozen=True)
class Question:
    """What is asked about one run of a program, and the answers that are right."""

    kind: str
    """`covered` (does the line run: True or False), `next_line` (number of the line that runs next
    in the same frame, -1 where none does), `state` (value of the variable after the line),
    `final_value` (of the variable at the end) or `output`."""
    golds: tuple[str, ...]
    """Python literals. A line that ran several times has an answer for each; any of them counts."""
    line: int | None = None
    """The line asked about; None where the question is about the whole run."""
    variable: str | None = None
    """The variable asked for; None where it is about none."""

    def is_right(self, answer: str) -> bool:
        """Whether an answer is one of the golds, as `strict` compares."""
        return any(strict(answer, gold) for gold in self.golds)


def asked_of_coverage(code: str, trace: Trace) -> list[Question]:
    """Asks of each line that holds one whole statement whether it runs.

    Raises:
        CutTrace: the trace is not whole. Unparsable: the code is no program.
    """
    covered = coverage(trace)
    lines = _statements(code)
    return [Question("covered", (repr(line in covered),), line) for line in lines]


def asked_of_next_line(code: str, trace: Trace) -> list[Question]:
    """Asks of each line that ran which runs next. Raises as `asked_of_coverage` does."""
    questions = []
    for line in _statements(code):
        if golds := next_lines(trace, line):
            questions.append(Question("next_line", tuple(map(repr, golds)), line))
    return questions


def asked_of_state(code: str, trace: Trace) -> list[Question]:
    """Asks for what a variable holds after the line that assigns it; raises as the above.

    Left out are lines that assign a literal, which shows, and those of which a value is no
    literal or too long.
    """
    questions = []
    for line, statement in _statements(code).items():
        if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            continue
        for name, expression in _stores(statement):
            golds = _literals(values_after(trace, line, name))
            if golds and not _is_literal(expression):
                questions.append(Question("state", golds, line, name))
    return questions


def asked_of_final_values(code: str, trace: Trace) -> list[Question]:
    """Asks for what the program's variables hold at the end; raises as the above.

    Left out are variables that hold the one literal that they ever get, and values that are no
    literal or too long; so are `input`, which shows, and `output`, which is asked for apart.
    """
    stores: defaultdict[str, list[ast.expr | None]] = defaultdict(list)
    for name, expression in _stores(parse(code)):
        stores[name].append(expression)
    questions = []
    for name, value in final_values(trace).items():
        golds = _literals([value])
        if not golds or name not in stores or name in ("input", "output"):
            continue
        if len(stores[name]) > 1 or not _is_literal(stores[name][0], golds[0]):
            questions.append(Question("final_value", golds, variable=name))
    return questions


def asked_of_output(code: str, trace: Trace) -> list[Question]:
    """Asks for the program's `output`; nothing where that is no literal or too long.

    The code is not looked at. Raises CutTrace where the trace is not whole.
    """
    values = final_values(trace)
    golds = _literals([values["output"]]) if "output" in values else ()
    return [Question("output", golds)] if golds else []


def _literals(values: list[Any]) -> tuple[str, ...]:
    """Returns each value once, as a literal; none where one of them cannot be asked for."""
    if not all(map(is_plain, values)):
        return ()
    texts = tuple(dict.fromkeys(map(repr, values)))
    return texts if all(len(text) <= _MOST_CHARS for text in texts) else ()


def _statements(code: str) -> dict[int, ast.stmt]:
    """Returns the statements that have a line of their own, by line, where it shows in a trace.

    A compound statement counts by its header. Declarations, text that stands alone and decorated
    definitions run no line of their own.
    """
    by_line: dict[int, ast.stmt] = {}
    shared: set[int] = set()
    for node in ast.walk(parse(code)):
        if not isinstance(node, ast.stmt):
            continue
        if node.lineno in by_line:
            shared.add(node.lineno)
        by_line.setdefault(node.lineno, node)
        if not _shows(node):
            shared.add(node.lineno)
    return {line: by_line[line] for line in sorted(by_line.keys() - shared)}


def _shows(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Global, ast.Nonlocal)) or getattr(node, "decorator_list", None):
        return False
    if isinstance(node, ast.AnnAssign) and node.value is None:
        return False
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return False
    body: list[ast.AST] = [*getattr(node, "body", []), *getattr(node, "cases", [])]
    if not body:
        return node.end_lineno == node.lineno
    first = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
    header = [
        part.end_lineno or 0
        for part in ast.iter_child_nodes(node)
        if isinstance(part, ast.expr) and part.lineno < first.lineno  # type: ignore[attr-defined]
    ]
    return first.lineno > node.lineno and all(end == node.lineno for end in header)  # type: ignore[attr-defined]


def _stores(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yields the variables that a statement of a frame sets, those inside of it too.

    With each comes the expression that is assigned to it alone; None where it gets its value in
    another way, such as from a loop.
    """
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
        return
    alone: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        alone = node.targets
    elif isinstance(node, ast.AnnAssign):
        alone = [node.target]
    for target in alone:
        if isinstance(target, ast.Name):
            yield target.id, node.value  # type: ignore[attr-defined]
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.Name):
            if isinstance(part.ctx, ast.Store) and part not in alone:
                yield part.id, None
        else:
            yield from _stores(part)


def _is_literal(expression: ast.expr | None, gold: str | None = None) -> bool:
    """Whether an expression is a literal, of the gold value where one is given."""
    try:
        value = ast.literal_eval(expression or "")
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return gold is None or repr(value) == gold
