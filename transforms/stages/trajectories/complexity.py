"""How complex a program is, by its loops, branches and operations (CodeSteer, arXiv 2502.04350), or
how simple (ORPS, arXiv 2412.15118)."""

import ast
from collections.abc import Iterator
from typing import Literal

from transforms.programs.form import parse

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
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        nodes = []
    operations = sum(isinstance(node, ast.BinOp) for node in nodes) / 4
    if counting == "letters":
        return operations + sum(code.count(word) for word in _WORDS)
    loops = sum(isinstance(node, _LOOPS) for node in nodes)
    ifs = [node for node in nodes if isinstance(node, ast.If | ast.IfExp)]
    tries = [node for node in nodes if isinstance(node, ast.Try)]
    branches = len(ifs) + sum(bool(node.orelse) for node in ifs)
    return operations + loops + branches + sum(1 + len(node.handlers) for node in tries)


def simplicity(code: str) -> float:
    """Returns how simple a program is, 0 to 1: the mean of 1 / (1 + m / typical m) over its
    characters, syntax nodes, decisions, and decisions weighted by nesting.

    >>> simplicity("a = 1") > simplicity("a = b or 1") > simplicity("a = b or (1 if c else 2)")
    True
    """
    tree = parse(code)
    decisions = list(_decisions(tree))
    measures = (
        *((len(code), 1000), (sum(1 for _ in ast.walk(tree)), 300)),
        *((len(decisions), 10), (sum(decisions), 20)),
    )
    return sum(1 / (1 + value / typical) for value, typical in measures) / len(measures)


_BRANCHES = (
    *(ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler),
    *(ast.comprehension, ast.BoolOp, ast.match_case),
)


def _decisions(node: ast.AST, depth: int = 1) -> Iterator[int]:
    """Yields the depth of nesting of each place where a program branches."""
    for child in ast.iter_child_nodes(node):
        branches = isinstance(child, _BRANCHES)
        if branches:
            yield depth
        yield from _decisions(child, depth + branches)
