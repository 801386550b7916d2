"""A function and a call of it, as a program in the unified form."""

from __future__ import annotations

import ast
import json
from typing import Any

from transforms.programs.form import Unparsable, parse


def program_of_call(code: str, arguments: str) -> str | None:
    """Returns the program that calls the function `f` of `code`, there named `solution`.

    None where there is no such function, where it calls itself, or where an argument is no literal
    that JSON keeps, or has no name.

    Args:
        arguments: as they stand in the call, such as `1, b=[2]`.

    >>> print(program_of_call("def f(a, b):\\n    return a + b", "1, b=2"))
    input = {'a': 1, 'b': 2}
    <BLANKLINE>
    def solution(a, b):
        return a + b
    <BLANKLINE>
    output = solution(**input)
    <BLANKLINE>
    """
    try:
        tree, [call] = parse(code), parse(f"f({arguments})").body
    except (Unparsable, ValueError):
        return None
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "f"]
    if len(functions) != 1 or _calls_f(tree) or not isinstance(call, ast.Expr):
        return None
    given = _named_arguments(functions[0], call.value)
    if not given or not _is_json(given):
        return None
    functions[0].name = "solution"
    return f"input = {given!r}\n\n{ast.unparse(tree)}\n\noutput = solution(**input)\n"


def _calls_f(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Name) and node.id == "f" for node in ast.walk(tree))


def _named_arguments(function: ast.FunctionDef, call: ast.expr) -> dict[str, Any]:
    """Returns the arguments of a call of `f` by name; empty where one is no literal or has none."""
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        return {}
    names = [argument.arg for argument in function.args.args]
    named = [*zip(names, call.args, strict=False), *((n.arg, n.value) for n in call.keywords)]
    try:
        given = {str(name): ast.literal_eval(value) for name, value in named}
    except (ValueError, TypeError):
        return {}
    return given if len(given) == len(call.args) + len(call.keywords) else {}


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except TypeError:
        return False
