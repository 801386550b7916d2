"""What a program does: the operators, statements and functions it uses, and how deep they nest."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from typing import Any

from transforms.programs.form import FIELDS, children
from transforms.programs.names import NOWHERE, Names, origin

_SYMBOLS: dict[type[ast.AST], str] = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"},
    **{ast.Pow: "**", ast.MatMult: "@", ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&"},
    **{ast.BitOr: "|", ast.BitXor: "^", ast.Invert: "~", ast.Eq: "==", ast.NotEq: "!="},
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in", ast.NotIn: "not in"},
    **{ast.Is: "is", ast.IsNot: "is not", ast.And: "and", ast.Or: "or", ast.Not: "not"},
    **{ast.For: "for", ast.While: "while", ast.If: "if", ast.IfExp: "if else", ast.Match: "match"},
    **{ast.ListComp: "list comprehension", ast.SetComp: "set comprehension"},
    **{ast.DictComp: "dict comprehension", ast.GeneratorExp: "generator expression"},
    **{ast.Lambda: "lambda", ast.Try: "try", ast.Raise: "raise", ast.Assert: "assert"},
    **{ast.With: "with", ast.ClassDef: "class", ast.Slice: "slice", ast.JoinedStr: "f-string"},
    **{ast.Yield: "yield", ast.Break: "break", ast.Continue: "continue", ast.Starred: "unpacking"},
}
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Operations:
    """What one program uses, each named once."""

    operators: frozenset[str]
    """Operators and statements by their symbols, such as `//` or `while`."""
    builtins: frozenset[str]
    """Builtin functions called, such as `sum()`."""
    methods: frozenset[str]
    """Methods called, such as `.append()`."""
    functions: frozenset[str]
    """What it takes from modules, such as `math.gcd`."""
    nesting: int
    """Deepest nesting of loops, ifs and comprehensions; 0 where there is none."""

    @property
    def all(self) -> frozenset[str]:
        return self.operators | self.builtins | self.methods | self.functions

    @property
    def libraries(self) -> frozenset[str]:
        """The modules that `functions` come from, such as `math`."""
        return frozenset(name.partition(".")[0] for name in self.functions)


def operations(tree: ast.Module, names: Names | None = None) -> Operations:
    """Finds what a program uses. An import that nothing uses does not count."""
    names = names or Names(tree)
    called: set[str] = set()
    methods: set[str] = set()
    inner = {node.value for node in names.of(ast.Attribute)}
    whole = (node for node in names.of(ast.Name, ast.Attribute) if node not in inner)
    functions = {source for node in whole if (source := origin(node, names)) is not None}
    for node in names.of(ast.Call):
        scope, name = names.home.get(node.func, NOWHERE)
        if scope is None and name in _BUILTINS:
            called.add(f"{name}()")
        elif isinstance(node.func, ast.Attribute) and origin(node.func, names) is None:
            methods.add(f".{node.func.attr}()")
    return Operations(
        frozenset(_SYMBOLS[kind] for kind in names.by_type if kind in _SYMBOLS),
        frozenset(called),
        frozenset(methods),
        frozenset(functions),
        _nesting(tree) if names.by_type.keys() & _NESTED else 0,
    )


_COMPREHENSIONS = frozenset({ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp})
_BLOCKS = frozenset({ast.For, ast.AsyncFor, ast.While, ast.If})
_NESTED = _COMPREHENSIONS | _BLOCKS


def _nesting(tree: ast.AST) -> int:
    deepest = 0
    # nodes, and how deep what is around them nests
    waiting: list[tuple[Any, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if type(node) in _COMPREHENSIONS:
            depth += len(node.generators)
        elif type(node) in _BLOCKS:
            depth += 1
        deepest = max(deepest, depth)
        waiting += [(child, depth) for child in _below(node) if FIELDS[type(child)]]
    return deepest


def _below(node: ast.AST) -> list[ast.AST]:
    """The children of a node; those of an `elif` are children of the first `if`."""
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        return [node.test, *node.body, *_below(node.orelse[0])]
    return children(node)
