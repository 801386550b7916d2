"""Bugs: a function of a module changed in one place, or emptied; the rest of the text as it was.

After the operators of SWE-smith (arXiv 2504.21798): comparisons, operators, constants, statements
and conditions; and its functions whose body is to be written anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from transforms.engine.ids import content_id
from transforms.packages.package import Files
from transforms.packages.patches import text_of


class Operator(StrEnum):
    """What is done to a function: a closed set."""

    COMPARE = "compare"
    """A comparison weakened or negated."""
    OPERATOR = "operator"
    """and/or or an arithmetic operator exchanged."""
    CONSTANT = "constant"
    """An integer raised by 1, or True and False exchanged."""
    REMOVE = "remove"
    """An assignment or a call removed."""
    CONDITION = "condition"
    """The condition of an if or while negated."""
    BLANK = "blank"
    """The body of a public function of four lines or more emptied."""


class Site(NamedTuple):
    """A place of a module, and the text that makes it a bug."""

    path: str
    function: str
    """Name of the function, after its class's and a dot where it has one."""
    operator: Operator
    line: int
    start: int
    """First byte that is replaced."""
    end: int
    text: str

    def applied(self, source: str) -> str:
        """Returns the module with the bug."""
        data = source.encode(errors="surrogateescape")
        new = self.text.encode(errors="surrogateescape")
        return (data[: self.start] + new + data[self.end :]).decode(errors="surrogateescape")


_COMPARE: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"),
}  # fmt: skip
_BINARY: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"), ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"), ast.Mod: ("%", "*"),
}  # fmt: skip
_BLANK_LINES = 4


def sites(path: str, source: str, operators: Iterable[Operator] = tuple(Operator)) -> list[Site]:
    """Returns the places of a module where a bug can be made, in order; none where it does not
    parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    text, wanted, found = _Text(source), set(operators), []
    for function, name in _functions(tree):
        for operator, node, new in _changes(text, function, name):
            if operator in wanted:
                start, end = text.span(node)
                site = Site(path, name, operator, node.lineno, start, end, new)
                if _parses(site.applied(source)):
                    found.append(site)
    return sorted(set(found), key=lambda site: (site.start, site.end, site.operator, site.text))


def stubbed(source: str, only: str | None = None) -> str:
    """Returns a module whose functions and methods have their docstring and no body.

    Args:
        only: the one function that is emptied, by its name (`Site.function`); None empties all.

    >>> print(stubbed("def f(x):\\n    return x + 1\\n"), end="")
    def f(x):
        raise NotImplementedError
    """
    text = _Text(source)
    data = text.data
    for function, name in reversed(list(_functions(ast.parse(source)))):
        body = function.body[_has_docstring(function) :]
        if body and only in (None, name):
            start = text.at(body[0].lineno, body[0].col_offset)
            if decorators := getattr(body[0], "decorator_list", None):
                start = text.at(decorators[0].lineno, decorators[0].col_offset - 1)
            end = text.span(body[-1])[1]
            data = data[:start] + b"raise NotImplementedError" + data[end:]
    return data.decode(errors="surrogateescape")


def in_place(module: str, function: str | None, written: str) -> str | None:
    """Returns a module with a function of it written anew, or the text where it is the whole
    module; None where the text does not parse, or is not that one function.

    Args:
        function: a function of the module, by its name; None is the whole module. Decorators stay
            where none is written.
    """
    try:
        tree, whole = ast.parse(written), ast.parse(module)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if function is None:
        return f"{written.rstrip()}\n"
    match tree.body:
        case [ast.FunctionDef(name=name, decorator_list=decorators)] if name == function:
            text = _Text(module)
            node = next(each for each, own in _functions(whole) if own == name)
            first = min(
                each.lineno for each in (node, *(node.decorator_list if decorators else ()))
            )
            start = text.at(first, 0)
            data = text.data[:start] + written.rstrip().encode() + text.data[text.span(node)[1] :]
            return data.decode(errors="surrogateescape")
    return None


def _has_docstring(function: ast.FunctionDef) -> bool:
    return ast.get_docstring(function, clean=False) is not None


def emptied(files: Files, paths: Iterable[str], digest: str) -> list[Site]:
    """Returns the places where a top-level function is emptied, in an order drawn by `digest`."""
    found = [
        site
        for path in paths
        for site in sites(path, text_of(files, path), [Operator.BLANK])
        if "." not in site.function
    ]
    return drawn(found, digest, 1)


def drawn(found: Iterable[Site], key: str, per_function: int) -> list[Site]:
    """Returns sites in an order drawn by `key`: of each function at most so many, each by another
    operator."""
    counts: dict[tuple[str, str], set[Operator]] = {}
    kept = []
    for site in sorted(found, key=lambda site: content_id("site", key, *map(str, site))):
        taken = counts.setdefault((site.path, site.function), set())
        if site.operator not in taken and len(taken) < per_function:
            taken.add(site.operator)
            kept.append(site)
    return kept


class _Text:
    """A module's bytes, by the parser's lines and columns."""

    def __init__(self, source: str) -> None:
        self.data = source.encode(errors="surrogateescape")
        self.starts = [0]
        for line in self.data.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.at(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self.at(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.data[start:end].decode(errors="surrogateescape")

    def exchanged(self, whole: ast.AST, left: ast.AST, right: ast.AST, old: str, new: str) -> str:
        """The text of a node with the operator between two of its parts exchanged."""
        start, end = self.span(whole)
        begin, stop = self.span(left)[1], self.span(right)[0]
        between = self.data[begin:stop].decode(errors="surrogateescape")
        pattern = rf"\b{old}\b".replace(" ", r"\s+") if old[0].isalpha() else re.escape(old)
        middle = re.sub(pattern, new, between, count=1)
        before, after = (self.data[a:b].decode(errors="surrogateescape")
                         for a, b in ((start, begin), (stop, end)))  # fmt: skip
        return before + middle + after


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yields the functions of a module and the methods of its classes, with their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node, node.name
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield inner, f"{node.name}.{inner.name}"


def _changes(
    text: _Text, function: ast.FunctionDef, name: str
) -> Iterator[tuple[Operator, ast.expr | ast.stmt, str]]:
    body = [
        node
        for node in function.body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    left_out = {
        below
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, (ast.JoinedStr, ast.Raise))
        for below in ast.walk(node)
    }
    for statement in body:
        for node in ast.walk(statement):
            if node not in left_out:
                yield from _change(text, node)
    assert function.end_lineno is not None
    public = not any(part.startswith("_") for part in name.split("."))
    if public and body and function.end_lineno - body[0].lineno + 1 >= _BLANK_LINES:
        whole = ast.copy_location(ast.Pass(), body[0])
        whole.end_lineno, whole.end_col_offset = body[-1].end_lineno, body[-1].end_col_offset
        yield Operator.BLANK, whole, "raise NotImplementedError"


def _change(text: _Text, node: ast.AST) -> Iterator[tuple[Operator, ast.expr | ast.stmt, str]]:
    """Yields the changes of a node, not of what stands within it."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            pair = _COMPARE[type(op)]
            yield Operator.COMPARE, node, text.exchanged(node, left, right, *pair)
        case ast.BoolOp(op=op, values=[left, right]):
            pair = ("and", "or") if isinstance(op, ast.And) else ("or", "and")
            yield Operator.OPERATOR, node, text.exchanged(node, left, right, *pair)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            if not any(isinstance(each, ast.Constant) and isinstance(each.value, str)
                       for each in (left, right)):  # fmt: skip
                pair = _BINARY[type(op)]
                yield Operator.OPERATOR, node, text.exchanged(node, left, right, *pair)
        case ast.AugAssign(target=left, op=op, value=right) if type(op) in _BINARY:
            pair = _BINARY[type(op)]
            yield Operator.OPERATOR, node, text.exchanged(node, left, right, *pair)
        case ast.Constant(value=bool() as value):
            yield Operator.CONSTANT, node, repr(not value)
        case ast.Constant(value=int() as number):
            yield Operator.CONSTANT, node, repr(number + 1)
        case ast.If(test=test) | ast.While(test=test):
            yield Operator.CONDITION, test, f"not ({text.of(test)})"
    match node:
        case ast.Assign() | ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield Operator.REMOVE, node, "pass"


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
