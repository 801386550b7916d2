"""What the code of a patch may not name: ways to the test framework and to other code's insides.

No list is whole: what gets by meets random names, canaries and twins (`disguise`), and values that
are compared outside (`grading`).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

# fmt: off
_IMPORTS = frozenset({
    "__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath",
    "collections", "contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib",
    "enum", "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json", "keyword",
    "math", "numbers", "operator", "random", "re", "string", "struct", "textwrap", "time",
    "typing", "unicodedata", "uuid", "zlib",
})
"""Modules that a patch may import beside those that the module imports already."""

_NAMES = frozenset({
    "__import__", "atexit", "attrgetter", "breakpoint", "builtins", "compile", "ctypes",
    "delattr", "doctest", "eval", "exec", "exit", "f_back", "f_builtins", "f_globals", "f_locals",
    "gc", "getattr", "gi_frame", "cr_frame", "ag_frame", "globals", "importlib", "input",
    "inspect", "locals", "memoryview", "methodcaller", "modules", "mock", "open", "os", "_exit",
    "pickle", "pytest", "_pytest", "pluggy", "quit", "setattr", "setprofile", "settrace",
    "setrecursionlimit", "signal", "subprocess", "sys", "tb_frame", "tb_next", "threading",
    "traceback", "unittest", "vars", "SystemExit", "KeyboardInterrupt", "GeneratorExit",
    "BaseException", "with_traceback",
})
# fmt: on
_FREE = frozenset({"__init__", "__name__", "__doc__", "__all__", "__len__", "__iter__", "__repr__"})
"""Names between double underscores that a patch may use."""


class _Unreadable(Exception):
    pass


def refused(before: str, after: str, own: Collection[str] = ()) -> str:
    """Returns what a module names after a patch that it may not, or did not as often before; empty
    where there is nothing.

    Args:
        before: the module as it was published.
        own: top-level names of the package, whose modules may be imported.

    >>> refused("import sys\\n", "import sys\\nsys.modules.clear()\\n")
    'modules'
    >>> refused("", "def f(x):\\n    return x + 1\\n")
    ''
    """
    try:
        added = _counted(after, own) - _counted(before, own)
    except _Unreadable as error:
        return str(error)
    return min(added, default="")


def _counted(source: str, own: Collection[str]) -> Counter[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _Unreadable("what does not parse") from None
    return Counter(_watched(tree, own))


def _watched(tree: ast.Module, own: Collection[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield from _names([name])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield from _names([name])
            case ast.ClassDef(name=name, keywords=keywords):
                yield from _names([name, *(each.arg or "" for each in keywords)])
                if any(each.arg == "metaclass" for each in keywords):
                    yield "metaclass"
            case ast.Import(names=aliases):
                for alias in aliases:
                    yield from _imported(alias.name, own)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                if not level:
                    yield from _imported(module or "", own)
                yield from _names(alias.name for alias in aliases)
                if any(alias.name == "*" for alias in aliases):
                    yield "import *"
            case ast.Constant(value=str() as text) if "__" in text:
                yield from _names(re.findall(r"__\w+?__", text))
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                yield from _stores(targets)
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                yield from _stores([target])
            case ast.ExceptHandler(type=None):
                yield "except:"
            case ast.Global(names=names):
                yield from (f"global {name}" for name in names)


def _names(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        hidden = name.startswith("__") and name.endswith("__") and name not in _FREE
        if name in _NAMES or hidden:
            yield name


def _imported(module: str, own: Collection[str]) -> Iterator[str]:
    top = module.partition(".")[0]
    if top not in _IMPORTS and top not in own:
        yield f"import {module}"


def _stores(targets: Iterable[ast.expr]) -> Iterator[str]:
    """Attributes that are set on anything but the instance itself."""
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
                root = node.value
                if not (isinstance(root, ast.Name) and root.id in ("self", "cls")):
                    yield f"{ast.unparse(node)} ="
