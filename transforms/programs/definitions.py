"""Programs from which one definition is gone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from transforms.programs.form import code_lines, parse

_LINES = 5
"""Lines of a function that is taken out, at most."""
_GUESSED = frozenset(map(repr, (None, True, False, 0, 1, 2, 10, 100, 0.0, 1.0, "", " ", ",", "\n")))
"""Constants that a statement may have alone."""


def without_definitions(code: str) -> Iterator[tuple[str, str]]:
    """Yields (name, program without the statement that defines it) for each name that is defined
    once: assignments within functions, short helper functions and imports.

    Left out are statements with a number or text that stands nowhere else, which nobody can guess.

    Raises:
        Unparsable: the code is no program.
    """
    lines, tree = code.split("\n"), parse(code)
    stored = Counter(
        node.arg if isinstance(node, ast.arg) else node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    )
    everywhere = Counter(_constants(tree))
    for node in ast.walk(tree):
        name = _defined(node)
        if name is None or stored[name] > 1:  # without one of several it may run on for ever
            continue
        if set(_constants(node)) - (everywhere - Counter(_constants(node))).keys() - _GUESSED:
            continue
        assert isinstance(node, ast.stmt)
        indent = lines[node.lineno - 1][: node.col_offset]
        rest = [*lines[: node.lineno - 1], f"{indent}...  # gone", *lines[node.end_lineno :]]
        yield name, "\n".join(rest)


def _defined(node: ast.AST) -> str | None:
    if isinstance(node, ast.Assign) and node.col_offset and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.FunctionDef) and node.name != "solution" and not node.decorator_list:
        return node.name if code_lines(ast.unparse(node)) <= _LINES else None
    if isinstance(node, (ast.Import, ast.ImportFrom)) and len(node.names) == 1:
        return (node.names[0].asname or node.names[0].name).partition(".")[0]
    return None


def _constants(node: ast.AST) -> Iterator[str]:
    """Yields the numbers and texts of a piece of syntax, docstrings not."""
    for each in ast.walk(node):
        for part in ast.iter_child_nodes(each):
            if isinstance(part, ast.Constant) and not isinstance(each, ast.Expr):
                yield repr(part.value)
