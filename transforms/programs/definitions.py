"""Programs from which one definition is gone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from transforms.programs.form import parse


def without_definitions(code: str) -> Iterator[tuple[str, str]]:
    """Yields (name, program without the statement that defines it) for each name that is defined
    once: assignments within functions, helper functions and imports.

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
    for node in ast.walk(tree):
        name = _defined(node)
        if name is None or stored[name] > 1:  # without one of several it may run on for ever
            continue
        assert isinstance(node, ast.stmt)
        indent = lines[node.lineno - 1][: node.col_offset]
        rest = [*lines[: node.lineno - 1], f"{indent}...  # gone", *lines[node.end_lineno :]]
        yield name, "\n".join(rest)


def _defined(node: ast.AST) -> str | None:
    if isinstance(node, ast.Assign) and node.col_offset and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.FunctionDef) and node.name != "solution" and not node.decorator_list:
        return node.name
    if isinstance(node, (ast.Import, ast.ImportFrom)) and len(node.names) == 1:
        return (node.names[0].asname or node.names[0].name).partition(".")[0]
    return None
