"""Obfuscated programs: the same in all they do, harder to read."""

from __future__ import annotations

import ast
import builtins
from typing import Any

from transforms.programs.form import Unparsable, parse, solution_of

_WRAPPER = """
def carried(function):
    def carrier(*args, **kwargs):
        kept = [function(*args, **kwargs)]
        return kept.pop()
    return carrier
"""


def obfuscated(code: str) -> str:
    """Returns a program with needless parts and names that say nothing, without comments.

    `solution` stands behind a decorator, local variables are numbered, integers become sums and
    what is returned takes a detour. That it does the same is for its run to prove.

    Raises:
        Unparsable: the code is no program, or defines no `solution`.
    """
    tree = parse(code)
    solution = solution_of(tree)
    if solution is None:
        raise Unparsable("the program defines no solution")
    names = {name: f"v{number}" for number, name in enumerate(_free_to_change(tree), start=1)}
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            _Obfuscate(names).visit(statement)
    solution.decorator_list.append(ast.Name("carried", ast.Load()))
    tree.body[tree.body.index(solution) : tree.body.index(solution)] = ast.parse(_WRAPPER).body
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _free_to_change(tree: ast.Module) -> list[str]:
    """Variables of functions whose names stand for nothing else in the program."""
    taken = {*dir(builtins), "carried", "carrier", "kept"}
    inside: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            taken.add(node.name)
        elif isinstance(node, ast.arg):
            taken.add(node.arg)
        elif isinstance(node, ast.alias):
            taken.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            taken |= {*node.names}
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
            taken.add(node.name or "")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            inside[node.id] = None
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef):
            taken |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return [name for name in inside if name not in taken]


class _Obfuscate(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if type(node.value) is not int:
            return node
        added = ast.BinOp(ast.Constant(node.value + 7), ast.Sub(), ast.Constant(7))
        return added

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        """Changes names alone: a format may not hold a sum."""
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                part.id = self._names.get(part.id, part.id)
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.MatchValue:
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        self.generic_visit(node)
        if node.value is None:
            return [node]
        found = ast.Assign([ast.Name("answer_", ast.Store())], node.value)
        detour = ast.IfExp(ast.Constant(True), ast.Name("answer_", ast.Load()), ast.Constant(None))
        return [found, ast.Return(detour)]
