"""Leaf functions: a program whose steps are calls of functions that its comments describe.

The layout is that of CoGEX (arXiv 2405.16337).
"""

from __future__ import annotations

import ast
from collections import Counter
from itertools import takewhile
from symtable import SymbolTable, symtable
from typing import Any, NamedTuple

from transforms.programs.facts import Trace, call_tree
from transforms.programs.form import parse, solution_of

_LEAF = "find_"
"""Begins the name of a leaf function; the name of what it gives follows."""


class Leaves(NamedTuple):
    """A program whose `solution` calls leaf functions, and returns a dict of what they give."""

    stubs: str
    """The program with leaf functions that are a name, parameters and a docstring."""
    whole: str
    """The same with their bodies."""
    names: tuple[str, ...]
    """What the leaf functions give, in their order: names of variables, or `answer`."""


def with_leaves(code: str) -> Leaves | None:
    """Returns a program in which each commented assignment of `solution` is a leaf function.

    `name = value` becomes `name = find_name(...)`, and the comment above it the docstring. What
    is returned becomes the dict's `answer`, by a leaf function too where it has a comment. None
    where `solution` does not return once, at its end, or a name that is needed is taken.

    Raises:
        Unparsable: the code is no program.
    """
    tree, lines = parse(code), code.split("\n")
    solution = solution_of(tree)
    last = solution.body[-1] if solution else None
    if solution is None or not isinstance(last, ast.Return) or last.value is None or _LEAF in code:
        return None
    nodes = list(ast.walk(solution))
    named = [_name(node) for node in nodes]
    bound = Counter(name for name in named if name is not None)
    if "answer" in bound or sum(isinstance(node, (ast.Return, ast.Yield)) for node in nodes) > 1:
        return None
    functions: list[ast.FunctionDef] = []
    for statement in solution.body:
        name = "answer" if isinstance(statement, ast.Return) else _target(statement)
        comment = _comment_above(lines, statement.lineno)
        if name is None or bound[name] > 1 or not comment:
            continue
        assert isinstance(statement, (ast.Assign, ast.Return)) and statement.value is not None
        free = _globals(symtable(f"lambda: ({ast.unparse(statement.value)})", "<leaf>", "eval"))
        parameters = [each for each in bound if each in free]
        if isinstance(statement.value, ast.Name) or not parameters:  # nothing is computed
            continue
        call = f"{_LEAF}{name}({', '.join(parameters)})"
        [function] = ast.parse(f"def {call}:\n    {comment!r}\n    return ...").body
        assert isinstance(function, ast.FunctionDef)
        function.body[1] = ast.Return(statement.value)
        functions.append(function)
        statement.value = ast.parse(call, mode="eval").body
    if not functions:
        return None
    names = tuple(function.name.removeprefix(_LEAF) for function in functions)
    pairs = [f"{name!r}: {name}" for name in names if name != "answer"]
    pairs.append(f"'answer': {ast.unparse(last.value)}")
    last.value = ast.parse("{" + ", ".join(pairs) + "}", mode="eval").body
    place = tree.body.index(solution)
    tree.body[place:place] = functions
    whole = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    for function in functions:
        del function.body[1]
    return Leaves(ast.unparse(tree) + "\n", whole, names)


def returned_by_leaves(trace: Trace) -> dict[str, Any]:
    """Returns what the leaf functions of a run gave, by the names of `Leaves.names`."""
    program = call_tree(trace)
    calls = [leaf for call in (program.calls if program else ()) for leaf in call.calls]
    return {call.function.removeprefix(_LEAF): call.returned for call in calls}


def _name(node: ast.AST) -> str | None:
    """The name that a node binds; None for other nodes."""
    if isinstance(node, ast.arg):
        return node.arg
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None


def _target(statement: ast.stmt) -> str | None:
    """The one name that a statement assigns a value to; None for other statements."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return None


def _comment_above(lines: list[str], line: int) -> str:
    """The text of the comment lines directly above a line, counted from 1; empty for none."""
    above = takewhile(lambda text: text.strip().startswith("#"), reversed(lines[: line - 1]))
    return " ".join(text.strip(" \t#") for text in reversed(list(above)))


def _globals(table: SymbolTable) -> set[str]:
    """The names that an expression takes from outside of it."""
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return own.union(*map(_globals, table.get_children()))
