"""Programs with the body of one function masked, and filled in again from an answer."""

from __future__ import annotations

import ast

from transforms.programs.form import parse


def helpers(code: str) -> list[ast.FunctionDef]:
    """Returns the functions at the top of a program, `solution` left out."""
    functions = [node for node in parse(code).body if isinstance(node, ast.FunctionDef)]
    return [function for function in functions if function.name != "solution"]


def with_body(code: str, name: str, body: str) -> str:
    """Returns a program in which a function has another body; its header and docstring stay, and
    so does every other character.

    >>> print(with_body('def f(x):\\n    "Doubles."\\n    y = x\\n    return 2 * y\\n', "f", "..."))
    def f(x):
        "Doubles."
        ...
    <BLANKLINE>
    """
    [function] = [each for each in helpers(code) if each.name == name]
    documented = ast.get_docstring(function) is not None
    start = function.body[int(documented)] if len(function.body) > documented else None
    lines = code.split("\n")
    first = (start.lineno if start else (function.end_lineno or 0) + 1) - 1
    lines[first : function.end_lineno] = [" " * function.body[0].col_offset + body]
    return "\n".join(lines)


def filled(code: str, name: str, answer: str) -> str | None:
    """Returns a program with a function of its own replaced by that of an answer, and with the
    answer's imports and further functions; None where the answer has no such function.

    What else the answer does at its top, and its versions of the program's other functions, are
    left out.

    Raises:
        Unparsable: the answer is no program.
    """
    tree = parse(answer)
    [masked] = [each for each in helpers(code) if each.name == name]
    own = {
        each.name for each in parse(code).body if isinstance(each, (ast.FunctionDef, ast.ClassDef))
    }
    kept: list[ast.stmt] = []
    for node in tree.body:
        named = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        if isinstance(node, (ast.Import, ast.ImportFrom)) or (
            named and (node.name == name or node.name not in own)  # type: ignore[attr-defined]
        ):
            kept.append(node)
    if not any(isinstance(node, ast.FunctionDef) and node.name == name for node in kept):
        return None
    lines = code.split("\n")
    first = min([masked.lineno, *(each.lineno for each in masked.decorator_list)]) - 1
    lines[first : masked.end_lineno] = [ast.unparse(node) for node in kept]
    return "\n".join(lines)
