"""How complex a program is, by its loops, branches and operations (CodeSteer, arXiv 2502.04350)."""

import ast
from typing import Literal

Counting = Literal["syntax", "letters"]
_WORDS = ("for", "while", "if", "elif", "else", "try", "except")
_LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.comprehension)


def complexity(code: str, counting: Counting = "syntax") -> float:
    """Returns how complex a program is: its loops, branches and handlers of errors, and a quarter
    of its binary operations. The released code counts the letters of these words anywhere.

    >>> complexity("print('format')"), complexity("print('format')", "letters")
    (0.0, 1.0)
    """
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError):
        nodes = []
    operations = sum(isinstance(node, ast.BinOp) for node in nodes) / 4
    if counting == "letters":
        return operations + sum(code.count(word) for word in _WORDS)
    loops = sum(isinstance(node, _LOOPS) for node in nodes)
    ifs = [node for node in nodes if isinstance(node, ast.If | ast.IfExp)]
    tries = [node for node in nodes if isinstance(node, ast.Try)]
    branches = len(ifs) + sum(bool(node.orelse) for node in ifs)
    return operations + loops + branches + sum(1 + len(node.handlers) for node in tries)
