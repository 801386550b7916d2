"""What of a program can be asked about: lines of one statement, what they store, and literals."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from transforms.programs.facts import is_plain
from transforms.programs.form import children, nodes_of, parse

_MOST_CHARS = 300
"""Longest answer that is asked for."""
_MOST_DIGITS = 6
"""Significant digits of a float that is asked for, at most: more are arithmetic, not execution."""
_LARGEST = 10**9
"""Integers that are asked for are smaller."""


def literals(values: list[Any]) -> tuple[str, ...]:
    """Returns each value once, as a literal; none where one of them cannot be asked for: it is no
    literal, too long, or holds a number of many digits."""
    if not all(is_plain(value) and not _has_long_number(value) for value in values):
        return ()
    texts = tuple(dict.fromkeys(literal_of(value) for value in values))
    return texts if all(len(text) <= _MOST_CHARS for text in texts) else ()


def _has_long_number(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) >= _LARGEST
    if isinstance(value, float):
        return float(f"{value:.{_MOST_DIGITS}g}") != value
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return isinstance(value, (list, tuple, set)) and any(map(_has_long_number, value))


def literal_of(value: Any, leaf: Callable[[Any], str] = repr) -> str:
    """Returns the repr of a value, with the members of sets in an order of their own.

    Args:
        leaf: writes what is no list, tuple, set or dict.

    Raises:
        RecursionError: the value holds itself.

    >>> literal_of([{"b", "a"}, {1: set()}, (2,)])
    "[{'a', 'b'}, {1: set()}, (2,)]"
    """
    if isinstance(value, set) and value:
        return f"{{{', '.join(sorted(literal_of(item, leaf) for item in value))}}}"
    if isinstance(value, dict):
        pairs = (f"{literal_of(k, leaf)}: {literal_of(v, leaf)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        items = ", ".join(literal_of(item, leaf) for item in value)
        if isinstance(value, list):
            return f"[{items}]"
        return f"({items}{',' * (len(value) == 1)})"
    return leaf(value)


@lru_cache(maxsize=8)
def tree_of(code: str) -> ast.Module:
    """Returns the syntax tree of a program, which several questions look at and none changes.

    Raises:
        Unparsable: the code is no program.
    """
    return parse(code)


@lru_cache(maxsize=8)
def statements(code: str) -> dict[int, ast.stmt]:
    """Returns the statements that have a line of their own, by line, where it shows in a trace.

    A compound statement counts by its header. Declarations, text that stands alone and decorated
    definitions run no line of their own.
    """
    by_line: dict[int, ast.stmt] = {}
    shared: set[int] = set()
    for node in nodes_of(tree_of(code)):
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
        for part in children(node)
        if isinstance(part, ast.expr) and part.lineno < first.lineno  # type: ignore[attr-defined]
    ]
    return first.lineno > node.lineno and all(end == node.lineno for end in header)  # type: ignore[attr-defined]


def stored(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
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
    for part in children(node):
        if isinstance(part, ast.Name):
            if isinstance(part.ctx, ast.Store) and part not in alone:
                yield part.id, None
        else:
            yield from stored(part)


def is_literal(expression: ast.expr | None, gold: str | None = None) -> bool:
    """Whether an expression is a literal, of the gold value where one is given."""
    try:
        value = ast.literal_eval(expression or "")
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return gold is None or repr(value) == gold


_LONG_FLOAT = re.compile(r"(?:(?<!\d)\d+)?\.\d{7,}")


def computed_digits(text: str, code: str) -> str | None:
    """Returns a float of over six decimals that stands in a text and not in the program: its digits
    are arithmetic, not execution. None where there is none.

    >>> computed_digits("a = 0.123456789, b = 0.246913578", "a = 0.123456789; b = 2 * a")
    '0.246913578'
    """
    return next((float_ for float_ in _LONG_FLOAT.findall(text) if float_ not in code), None)
