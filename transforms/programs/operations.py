"""What a program does: the operators, statements and functions it uses, and how deep they nest."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from transforms.programs.form import children
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
    operators: set[str] = set()
    called: set[str] = set()
    methods: set[str] = set()
    functions: set[str] = set()
    inner = {node.value for node in names.nodes if isinstance(node, ast.Attribute)}
    for node in names.nodes:
        if type(node) in _SYMBOLS:
            operators.add(_SYMBOLS[type(node)])
        if isinstance(node, (ast.Name, ast.Attribute)) and node not in inner:
            source = origin(node, names)
            if source is not None:
                functions.add(source)
        if isinstance(node, ast.Call):
            scope, name = names.home.get(node.func, NOWHERE)
            if scope is None and name in _BUILTINS:
                called.add(f"{name}()")
            elif isinstance(node.func, ast.Attribute) and origin(node.func, names) is None:
                methods.add(f".{node.func.attr}()")
    return Operations(
        frozenset(operators),
        frozenset(called),
        frozenset(methods),
        frozenset(functions),
        _nesting(tree),
    )


def _nesting(node: ast.AST) -> int:
    deepest = max([_nesting(child) for child in _below(node)], default=0)
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return deepest + len(node.generators)
    return deepest + isinstance(node, (ast.For, ast.AsyncFor, ast.While, ast.If))


def _below(node: ast.AST) -> list[ast.AST]:
    """The children of a node; those of an `elif` are children of the first `if`."""
    if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
        return [node.test, *node.body, *_below(node.orelse[0])]
    return children(node)
