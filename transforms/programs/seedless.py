"""Programs that no seed can touch: their text shows that each run of them gives the same.

A result can follow the hash seed, a random seed, the clock, the machine or a place in memory. What
leads to these in Python is much, and what a calculation needs is little, so the list is of what a
program may use: numbers, texts, lists and dicts, the pure functions of builtins and of `math`, and
its own. Sets are left out, as the order of their texts follows the hash seed. The text of a
function, an iterator or a view may show an address, or a view become a set: so these may be called
or gone through where they stand, and are never a value.
"""

from __future__ import annotations

import ast
import builtins
import math
from itertools import chain

from transforms.programs.form import Unparsable, is_name
from transforms.programs.names import Names
from transforms.programs.source import Source
from transforms.text.words import word_set

_NODES = frozenset(
    {
        *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Expr, ast.Pass),
        *(ast.Import, ast.ImportFrom, ast.alias, ast.Global, ast.Nonlocal),
        *(ast.Assign, ast.AugAssign, ast.AnnAssign, ast.NamedExpr, ast.Delete),
        *(ast.If, ast.For, ast.While, ast.Break, ast.Continue, ast.IfExp, ast.Lambda),
        *(ast.Try, ast.ExceptHandler, ast.Raise, ast.Assert),
        *(ast.Constant, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Starred),
        *(ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp),
        *(ast.comprehension, ast.Call, ast.keyword, ast.JoinedStr, ast.FormattedValue),
        *(ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.Compare),
        *ast.boolop.__subclasses__(),
        *ast.operator.__subclasses__(),
        *ast.unaryop.__subclasses__(),
        *ast.cmpop.__subclasses__(),
    }
)
_LAZY = word_set("enumerate filter map reversed zip")
_GO_THROUGH = word_set("all any dict len list max min sorted sum tuple")
"""Go through their first argument at once, and keep nothing of it but its items."""
_TYPES = word_set("bool dict float int list str tuple")
_FUNCTIONS = _LAZY | _GO_THROUGH - _TYPES
_FUNCTIONS |= word_set("abs bin chr divmod hex isinstance oct ord pow print range round")
_ERRORS = word_set(
    "ArithmeticError AssertionError IndexError KeyError OverflowError TypeError ValueError"
    " ZeroDivisionError"
)
_VALUES = _TYPES | _ERRORS | {"input", "__name__"}
"""Builtins whose text shows no address."""
_OTHERS = frozenset(dir(builtins)) - _ERRORS - {"input", "__name__"}
"""Builtins that a program may not give to a name of its own: where it has not done so yet, the name
is still the builtin's."""
_VIEWS = word_set("items keys values")
_METHODS = _VIEWS | word_set(
    "append capitalize center clear copy count endswith extend find get index insert isalnum"
    " isalpha isdecimal isdigit islower isnumeric isspace isupper join ljust lower lstrip partition"
    " pop popitem remove removeprefix removesuffix replace reverse rfind rindex rjust rpartition"
    " rsplit rstrip setdefault sort split splitlines startswith strip swapcase title update upper"
    " zfill"
)
_MATH = frozenset(name for name in dir(math) if not name.startswith("_"))
_NUMBERS = frozenset(name for name in _MATH if isinstance(getattr(math, name), float))


def is_seedless(source: Source) -> bool:
    """Whether a program's text shows that it gives the same under any seed, clock and address.

    False says nothing of a program.

    >>> is_seedless(Source("output = sum(n * n for n in [1, 2, 3])"))
    True
    >>> is_seedless(Source("output = str(n for n in [1])")), is_seedless(Source("output = {'a'}"))
    (False, False)
    """
    try:
        names = source.names
    except Unparsable:
        return False
    if not names.by_type.keys() <= _NODES:
        return False
    scopes = (names.module, *names.scope_of.values())
    own = {name for scope in scopes for name in scope.names}
    imports = {name: of for scope in scopes for name, of in scope.imports.items()}
    bound = own | imports.keys()
    return (
        bound.isdisjoint(_OTHERS)
        and not any(name.startswith("__") for name in bound)
        and own.isdisjoint(imports)
        and all(of == "math" or (of[:5] == "math." and of[5:] in _MATH) for of in imports.values())
        and not any(node.decorator_list for node in names.of(ast.FunctionDef))
        and all(node.type is not None for node in names.of(ast.ExceptHandler))
        and _functions_are_called(names, bound, imports)
        and _iterators_are_gone_through(names)
    )


def _functions_are_called(names: Names, bound: set[str], imports: dict[str, str]) -> bool:
    """Whether each function stands only where it is called, and each name and method is known."""
    modules = {name for name, of in imports.items() if of == "math"}
    functions = {node.name for node in names.of(ast.FunctionDef)} | _FUNCTIONS
    functions |= {name for name, of in imports.items() if of[5:] not in _NUMBERS}
    calls = names.of(ast.Call)
    called = {place for call in calls for place in (call.func, *_handed_on(call))}
    of_modules = set()
    for node in names.of(ast.Attribute):
        if is_name(node.value, *modules):
            of_modules.add(node.value)
            known = node.attr in _NUMBERS or (node.attr in _MATH and node in called)
        else:
            known = node.attr in _METHODS and node in called
        if not known:
            return False
    for node in names.of(ast.Name):
        if node.id in functions:
            known = node in called or node in of_modules
        else:
            known = node.id in bound or node.id in _VALUES
        if not known:
            return False
    return all(node in called for node in names.of(ast.Lambda))


def _handed_on(call: ast.Call) -> list[ast.expr]:
    """The functions that a call hands to a builtin, which calls them and keeps none."""
    by, given = call.func, list[ast.expr]()
    if is_name(by, "map", "filter"):
        given = call.args[:1]
    elif is_name(by, "max", "min", "sorted") or (
        isinstance(by, ast.Attribute) and by.attr == "sort"
    ):
        given = [keyword.value for keyword in call.keywords if keyword.arg == "key"]
    return [each for each in given if not _is_lazy(each)]


def _is_lazy(function: ast.expr) -> bool:
    """Whether what a function returns is gone through later."""
    return is_name(function, *_LAZY) or (
        isinstance(function, ast.Attribute) and function.attr in _VIEWS
    )


def _iterators_are_gone_through(names: Names) -> bool:
    """Whether each iterator and view is gone through where it is made."""
    places = {node.iter for node in names.of(ast.For, ast.comprehension)}
    places |= {node.value for node in names.of(ast.Starred)}
    for node in names.of(ast.Compare):
        if all(isinstance(operator, (ast.In, ast.NotIn)) for operator in node.ops):
            places.update(node.comparators)
    for call in names.of(ast.Call):
        by = call.func
        if is_name(by, *_LAZY):
            places.update(call.args)
        elif is_name(by, "max", "min"):
            places.update(call.args if len(call.args) == 1 else ())
        elif is_name(by, *_GO_THROUGH) or (
            isinstance(by, ast.Attribute) and by.attr in ("extend", "join")
        ):
            places.update(call.args[:1])
    made = (call for call in names.of(ast.Call) if _is_lazy(call.func))
    return all(node in places for node in chain(names.of(ast.GeneratorExp), made))
