"""Programs from which one definition is gone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from transforms.programs.form import children, code_lines, nodes_of, parse
from transforms.programs.questions.lines import is_literal

_LINES = 5
"""Lines of a function that is taken out, at most."""
_GUESSED = frozenset(map(repr, (None, True, False, 0, 1, 2, 10, 100, 0.0, 1.0, "", " ", ",", "\n")))
"""Constants that a statement may have alone."""
_COMPUTING = (
    ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.Subscript, ast.JoinedStr,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda,
)  # fmt: skip


def without_definitions(code: str) -> Iterator[tuple[str, str]]:
    """Yields (name, program without the statement that defines it) for each name that is defined
    once: assignments within functions, and short helper functions.

    Left out are statements with a number or text that stands nowhere else, which nobody can guess,
    and those that anybody can: imports, and assignments that compute nothing.

    Raises:
        Unparsable: the code is no program.
    """
    lines, tree = code.split("\n"), parse(code)
    stored = Counter(
        node.arg if isinstance(node, ast.arg) else node.id
        for node in nodes_of(tree)
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    )
    everywhere = Counter(_constants(tree))
    for node in nodes_of(tree):
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
    if isinstance(node, ast.FunctionDef) and node.name != "solution" and not node.decorator_list:
        return node.name if code_lines(ast.unparse(node)) <= _LINES else None
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if node.col_offset:
            return name if _computes(value) else None
    return None


def _computes(value: ast.expr) -> bool:
    """Whether an expression is more than a literal, a name, or a call without arguments."""
    if is_literal(value):
        return False
    return any(
        isinstance(node, _COMPUTING)
        or (isinstance(node, ast.Call) and (node.args or node.keywords))
        for node in nodes_of(value)
    )


def _constants(node: ast.AST) -> Iterator[str]:
    """Yields the numbers and texts of a piece of syntax, docstrings not."""
    for each in nodes_of(node):
        for part in children(each):
            if isinstance(part, ast.Constant) and not isinstance(each, ast.Expr):
                yield repr(part.value)
