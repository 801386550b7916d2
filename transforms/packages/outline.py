"""A package's interface as text: signatures, docstrings, constants, and no body of a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection

from transforms.packages.package import Files, is_test, modules
from transforms.packages.patches import text_of


def interface(files: Files) -> dict[str, str]:
    """Returns the outline of each module that has one, with the private names that tests use."""
    tests = (text_of(files, path) for path in files if is_test(path) and path.endswith(".py"))
    used = {name for text in tests for name in re.findall(r"\w+", text)}
    return {path: outline(text_of(files, path), used) for path in modules(files)}


def outline(source: str, used: Collection[str] = ()) -> str:
    """Returns what a module offers: its docstring, imports of its own package, public constants,
    and the signatures and docstrings of public functions, classes and methods.

    Args:
        used: private names that are shown, too.

    >>> print(outline("def f(x: int = 1):\\n    'Adds 1.'\\n    return x + 1\\ndef _g(): pass\\n"))
    def f(x: int=1):
        \"\"\"Adds 1.\"\"\"
    """
    tree = ast.parse(source)
    tree.body = _shown(tree.body, used)
    return ast.unparse(tree)


def _shown(body: list[ast.stmt], used: Collection[str]) -> list[ast.stmt]:
    kept: list[ast.stmt] = []
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if _is_public(
                name, used
            ):
                document = node.body[:1] if ast.get_docstring(node, clean=False) else []
                node.body = document or [ast.Expr(ast.Constant(...))]
                kept.append(node)
            case ast.ClassDef(name=name) if _is_public(name, used):
                node.body = _shown(node.body, used) or [ast.Expr(ast.Constant(...))]
                kept.append(node)
            case ast.Assign(targets=[ast.Name(id=name)]) if _is_public(name, used):
                kept.append(node if _is_literal(node.value) else _unknown(name))
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_public(name, used):
                node.value = node.value if node.value and _is_literal(node.value) else None
                kept.append(node)
            case ast.ImportFrom(level=level) if level:
                kept.append(node)
            case ast.Expr(value=ast.Constant(value=str())) if node is body[0]:
                kept.append(node)
    return kept


def _is_public(name: str, used: Collection[str]) -> bool:
    return name in used or not name.startswith("_") or name.endswith("__")


def _unknown(name: str) -> ast.stmt:
    return ast.parse(f"{name} = ...").body[0]


def _is_literal(node: ast.expr) -> bool:
    return not any(isinstance(each, (ast.Call, ast.Lambda, ast.BinOp)) for each in ast.walk(node))


def function_text(source: str, name: str) -> str:
    """Returns the text of a function of a module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return ast.get_source_segment(source, node) or ""
    return ""
