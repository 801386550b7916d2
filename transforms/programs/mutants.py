"""Mutants: a program with one operator or number changed, the rest of its text as it was."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from transforms.engine.ids import content_id
from transforms.programs.form import Unparsable, assigned, parse

_SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
"""Operator -> the one that takes its place, which binds as strongly."""


_MOST_TEXT = 1_000_000
"""Characters that the mutants of a program have together, at most: each is a text of its own."""


class Mutant(NamedTuple):
    """A program that differs from another in one place."""

    code: str
    line: int
    """Number of the changed line."""


def mutants(code: str) -> list[Mutant]:
    """Returns the mutants of a program, in the order of their places.

    A place is an operator or an integer anywhere but in the value of `input`; operators within
    f-strings are left alone. Whether a mutant behaves otherwise only its run can tell. A long
    program has those of its first places.

    Raises:
        Unparsable: the code is no program.

    >>> [mutant.code for mutant in mutants("output = input['n'] < 3")]
    ["output = input['n'] <= 3", "output = input['n'] < 4"]
    """
    tree = parse(code)
    source = code.encode()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in islice(_places(tree), _MOST_TEXT // max(len(source), 1)):
        assert node.end_lineno is not None and node.end_col_offset is not None
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        for changed in _changed(node):
            text = (source[:begin] + ast.unparse(changed).encode() + source[end:]).decode()
            if _is(text, tree, node, changed):
                found.append(Mutant(text, node.lineno))
    return sorted(found, key=lambda mutant: mutant.line)


def _places(tree: ast.Module) -> Iterator[ast.expr | ast.stmt]:
    """Yields the nodes that may change, those of one line."""
    left_out: set[ast.AST] = set()
    for value in assigned(tree, "input"):
        left_out |= set(ast.walk(value))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out |= set(ast.walk(node))
    for node in ast.walk(tree):
        kinds = (ast.BinOp, ast.AugAssign, ast.Compare, ast.BoolOp, ast.Constant)
        if isinstance(node, kinds) and node not in left_out and node.lineno == node.end_lineno:
            yield node


def _changed(node: ast.expr | ast.stmt) -> Iterator[ast.expr | ast.stmt]:
    """Yields the node with one change of its own, not of what stands within it."""
    new = copy.deepcopy(node)
    match new:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            new.value = number + 1
            yield new
        case ast.Compare(ops=[op]) if type(op) in _SWAPS:
            new.ops = [_SWAPS[type(op)]()]  # type: ignore[list-item]
            yield new
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in _SWAPS:
            new.op = _SWAPS[type(op)]()  # type: ignore[assignment]
            yield new


def _is(text: str, tree: ast.Module, node: ast.AST, changed: ast.AST) -> bool:
    """Whether a text is the program with `changed` in place of `node`, and nothing else."""
    try:
        made = ast.dump(parse(text))
    except Unparsable:
        return False
    before = ast.dump(node)
    saved = dict(vars(node))
    try:
        vars(node).update(vars(changed))
        return made == ast.dump(tree) and before != ast.dump(node)
    finally:
        vars(node).update(saved)


def drawn_mutants(seed_id: str, code: str) -> list[str]:
    """Returns the code of a program's mutants, in an order drawn by the id of its seed."""
    codes = (mutant.code for mutant in mutants(code))
    return sorted(codes, key=lambda code: content_id("mutant", seed_id, code))
