"""Holes: a node of a program's syntax taken out of its text, and others put in its place."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

from transforms.programs.form import Unparsable, parse, solution_of

_SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return)
_MOST_STATEMENTS = 3
_FENCE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)

_Path = tuple[tuple[str, int | None], ...]
"""Fields from the root down, each with a place in it where it is a list."""


class Hole(NamedTuple):
    """A node that can be taken out."""

    kind: str
    """value (what is assigned or returned), condition, or statements: one to three."""
    start: int
    """Its first character in the code."""
    end: int
    """The character behind its last."""
    parent: _Path
    """Where the node that holds it stands in the tree."""
    field: str
    first: int | None
    """Its place in a list of nodes; None where the field holds it alone."""
    size: int
    """Nodes of the list that are in it; 1 where the field holds it alone."""


def holes(code: str) -> list[Hole]:
    """Returns the holes within the function `solution`, in the order of their places.

    Raises:
        Unparsable: the code is no program.

    >>> code = "def solution(n):\\n    if n > 2:\\n        n = 5\\n    return n"
    >>> [(hole.kind, code[hole.start : hole.end]) for hole in holes(code)]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('condition', 'n > 2'), ('statements', 'n = 5'), ('value', '5'), ('statements', 'return n'),
    ('value', 'n')]
    """
    tree = parse(code)
    solution = solution_of(tree)
    if solution is None:
        return []
    offsets = [0]
    for line in code.encode().splitlines(keepends=True):
        offsets.append(offsets[-1] + len(line))

    def place(line: int | None, column: int | None) -> int:
        return len(code.encode()[: offsets[(line or 1) - 1] + (column or 0)].decode())

    def hole(kind: str, parent: _Path, field: str, first: int | None, *nodes: Any) -> Hole:
        start = place(nodes[0].lineno, nodes[0].col_offset)
        end = place(nodes[-1].end_lineno, nodes[-1].end_col_offset)
        return Hole(kind, start, end, parent, field, first, len(nodes))

    found = []
    for path, node in _nodes(solution, (("body", tree.body.index(solution)),)):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)) and node.value:
            found.append(hole("value", path, "value", None, node.value))
        elif isinstance(node, (ast.If, ast.While, ast.IfExp)):
            found.append(hole("condition", path, "test", None, node.test))
        for field in ("body", "orelse"):
            body = getattr(node, field, None)
            statements: list[ast.stmt] = body if isinstance(body, list) else []
            for first in range(len(statements)):
                for count in range(1, _MOST_STATEMENTS + 1):
                    some = statements[first : first + count]
                    if len(some) == count and all(map(_is_simple, some)):
                        found.append(hole("statements", path, field, first, *some))
    return sorted(found, key=lambda hole: (hole.start, -hole.end))


def _is_simple(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):  # no docstring
        return not isinstance(node.value, ast.Constant)
    return isinstance(node, _SIMPLE)


def _nodes(node: ast.AST, path: _Path) -> Iterator[tuple[_Path, ast.AST]]:
    yield path, node
    for field, value in ast.iter_fields(node):
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _nodes(child, (*path, (field, place)))


def with_hole(code: str, hole: Hole, mark: str = "<hole>") -> str:
    """Returns the program's text with a mark in place of a node."""
    return code[: hole.start] + mark + code[hole.end :]


def filled(code: str, hole: Hole, text: str) -> str | None:
    """Returns the program with a text in place of a node; None where that is no program, or one
    that differs from it elsewhere, too.

    Args:
        text: a model's answer, in a fence or without one.

    >>> code = "def solution(n):\\n    return n"
    >>> hole = holes(code)[1]
    >>> filled(code, hole, "n + 1"), filled(code, hole, "n\\n    return 0")
    ('def solution(n):\\n    return n + 1', None)
    """
    made = with_hole(code, hole, _fitted(code, hole, text))
    try:
        length = _others(made, hole, None)[1] - _others(code, hole, None)[1] + hole.size
        same = length > 0 and _others(made, hole, length)[0] == _others(code, hole, hole.size)[0]
    except (Unparsable, AttributeError, IndexError):
        return None
    return made if same else None


def _fitted(code: str, hole: Hole, text: str) -> str:
    """A text as it stands in the hole: without its fence, at the statements' indentation."""
    blocks = _FENCE.findall(text)
    plain = textwrap.dedent(blocks[-1] if blocks else text).strip("\n").rstrip()
    line = code[code.rfind("\n", 0, hole.start) + 1 : hole.start]
    if hole.kind != "statements":
        return plain.strip()
    return plain.replace("\n", "\n" + " " * (len(line) if not line.strip() else 0))


def _others(code: str, hole: Hole, count: int | None) -> tuple[str, int]:
    """All of a program but the nodes of a hole, and the length of the list that they stand in (1
    where the field holds one alone).

    Args:
        count: how many nodes of a list are in the hole; None leaves all in.
    """
    tree = parse(code)
    node: Any = tree
    for field, place in hole.parent:
        node = getattr(node, field)
        node = node if place is None else node[place]
    if hole.first is None:
        setattr(node, hole.field, ast.Constant(None))
        return ast.dump(tree), 1
    nodes = getattr(node, hole.field)
    length = len(nodes)
    if count is not None:
        del nodes[hole.first : hole.first + count]
    return ast.dump(tree), length
