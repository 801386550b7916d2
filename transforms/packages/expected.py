"""Tests without what they expect: values that they compare are noted, and compared elsewhere.

A suite is the claim of code that shares its process. Of a test that compares what the package gives
with a value this takes the value away: what remains calls the package as the test does, and hands
on what it gives. The value that is expected never enters the process.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence

NOTE = "__noted__"
"""The builtin that tests hand values to (`in_sandbox`): (test, value)."""

_EQUAL = ("assertEqual", "assertIs", "assertListEqual", "assertTupleEqual", "assertSetEqual",
          "assertDictEqual", "assertMultiLineEqual", "assertSequenceEqual")  # fmt: skip
_Function = (ast.FunctionDef, ast.AsyncFunctionDef)
_BINDING = (
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.For, ast.withitem),
    *(*_Function, ast.ClassDef),
)
_PURE = {"dict", "frozenset", "len", "list", "range", "reversed", "set", "sorted", "sum", "tuple"}
"""Builtins that a value which is no longer read may call."""


def stripped(
    path: str, source: str, tests: Collection[str], package: Collection[str]
) -> str | None:
    """Returns a file of tests with some of them alone, without what they expect; None where none of
    them compares a value that can be noted, or the file does not parse.

    Args:
        tests: names of functions.
        package: top-level names that the package's modules are imported by.

    >>> source = "from p import f\\ndef test_f():\\n    assert f(2) == 4\\n"
    >>> print(stripped("test_a.py", source, ["test_f"], ["p"]))
    from p import f
    <BLANKLINE>
    def test_f():
        __noted__('test_a.py::test_f', f(2))
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    reach = _reaching(tree, package)
    for holder in ast.walk(tree):
        if isinstance(holder, (ast.Module, ast.ClassDef)):
            holder.body = [each for each in holder.body if _stays(each, tests)]
            for each in holder.body:
                if isinstance(each, _Function) and each.name in tests:
                    _Strip(f"{path}::{each.name}", reach).generic_visit(each)
                    _without_dead(each, each)
            holder.body = [each for each in holder.body if _hides(each)]
    _without_dead(tree, tree)
    _filled(tree)
    text = ast.unparse(tree)
    return text if f"{NOTE}(" in text else None


def _stays(node: ast.stmt, tests: Collection[str]) -> bool:
    is_test = isinstance(node, _Function) and node.name.startswith("test")
    return not is_test or node.name in tests  # type: ignore[attr-defined]


def _reaching(tree: ast.Module, package: Collection[str]) -> set[str]:
    """Returns the names of a file that may stand for something of the package or made by it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                own = [each for each in names if each.name.partition(".")[0] in package]
                found.update((each.asname or each.name).partition(".")[0] for each in own)
            case ast.ImportFrom(module=module, names=names, level=level):
                if level or (module or "").partition(".")[0] in package:
                    found.update(each.asname or each.name for each in names)
    while True:
        before = len(found)
        for node in ast.walk(tree):
            if isinstance(node, _BINDING) and _names(node, ast.Load) & found:
                found |= _bound(node)
        if len(found) == before:
            return found


def _bound(node: ast.AST) -> set[str]:
    """The names that a statement binds, those within a function it defines left out."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _names(target)}
        case ast.withitem(optional_vars=target):
            return _names(target) if target else set()
    return _names(node.target)  # type: ignore[attr-defined]


def _names(node: ast.AST, context: type[ast.expr_context] = ast.expr_context) -> set[str]:
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in names if isinstance(each.ctx, context)}


class _Strip(ast.NodeTransformer):
    """Turns assertions of a test into notes of what is compared."""

    def __init__(self, test: str, reach: set[str]) -> None:
        self.test, self.reach = test, reach

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        return list(self._noted(node.test))

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        match node.value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), args=args):
                if name in _EQUAL and len(args) >= 2:
                    return list(self._compared(args[0], args[1]))
                if name.startswith("assert") and "Raises" not in name and "Warns" not in name:
                    return [ast.Expr(each) for each in args if self._reaches(each)]
        return node

    def visit_With(self, node: ast.With) -> ast.stmt:
        self.generic_visit(node)
        match node.items:
            case [ast.withitem(context_expr=ast.Call(func=function))]:
                name = ast.unparse(function)
                if name in ("pytest.raises", "raises", "self.assertRaises"):
                    return self._raised(node.body)
        return node

    def _raised(self, body: list[ast.stmt]) -> ast.stmt:
        kind = ast.parse("type(__raised__).__name__", mode="eval").body
        handler = ast.ExceptHandler(
            ast.Name("Exception", ast.Load()), "__raised__", [self._note(kind)]
        )
        return ast.Try(body, [handler], [self._note(ast.Constant("nothing"))], [])

    def _noted(self, test: ast.expr) -> Iterator[ast.stmt]:
        match test:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
                yield from self._compared(left, right)
            case ast.BoolOp(op=ast.And(), values=values):
                for value in values:
                    yield from self._noted(value)
            case _:
                yield ast.Expr(test)

    def _compared(self, one: ast.expr, other: ast.expr) -> Iterator[ast.stmt]:
        """Notes of two values those that the package has a part in."""
        chosen = [each for each in (one, other) if self._reaches(each)]
        yield from map(self._note, chosen or [e for e in (one, other) if not _is_literal(e)])

    def _reaches(self, node: ast.expr) -> bool:
        return bool(_names(node) & self.reach)

    def _note(self, value: ast.expr) -> ast.stmt:
        return ast.Expr(ast.Call(ast.Name(NOTE, ast.Load()), [ast.Constant(self.test), value], []))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _without_dead(node: ast.AST, scope: ast.AST) -> None:
    """Removes assignments to names that a scope does not read: what a test expected."""
    while True:
        read, before = _names(scope, ast.Load), ast.dump(node)
        for holder in ast.walk(node):
            for name in ("body", "orelse", "finalbody"):
                held = getattr(holder, name, None)
                if isinstance(held, list) and not isinstance(holder, ast.ClassDef):
                    setattr(holder, name, [each for each in held if not _is_dead(each, read)])
        if ast.dump(node) == before:
            return


def _is_dead(node: ast.stmt, read: set[str]) -> bool:
    match node:
        case ast.Assign(targets=targets, value=value):
            calls = [each.func for each in ast.walk(value) if isinstance(each, ast.Call)]
            pure = all(isinstance(each, ast.Name) and each.id in _PURE for each in calls)
            plain = all(isinstance(target, (ast.Name, ast.Tuple)) for target in targets)
            return pure and plain and not any(_names(target) & read for target in targets)
    return False


def _hides(node: ast.stmt) -> bool:
    """Takes the parameters that a test no longer reads out of its decorators; False where they are
    not written out there, so that they cannot be taken."""
    if not isinstance(node, _Function):
        return True
    read = {name for each in node.body for name in _names(each, ast.Load)}
    for decorator in node.decorator_list:
        match decorator:
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[named, given, *_]):
                names = _parameters(named)
                unread = [place for place, name in enumerate(names) if name not in read]
                decorator.keywords = []
                if unread and not _hidden(given, unread, len(names)):
                    return False
    return True


def _parameters(named: ast.expr) -> Sequence[str]:
    try:
        value = ast.literal_eval(named)
    except ValueError:
        return ()
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else list(value)


def _hidden(given: ast.expr, places: Iterable[int], number: int) -> bool:
    if not isinstance(given, (ast.List, ast.Tuple)):
        return False
    for row in given.elts:
        items = row.args if isinstance(row, ast.Call) else getattr(row, "elts", None)
        if items is None or len(items) != number or number == 1:
            return False
        for place in places:
            items[place] = ast.Constant(None)
    return True


def _filled(tree: ast.AST) -> None:
    """Gives a statement to bodies that have none, and places to new nodes."""
    for node in ast.walk(tree):
        if getattr(node, "body", None) == []:
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
    ast.fix_missing_locations(tree)
