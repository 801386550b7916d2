"""What a program may not import or call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, Literal

from transforms.programs.form import text_of
from transforms.programs.names import NOWHERE, Names, origin
from transforms.text.words import word_set

ALLOWED_IMPORTS = word_set(
    # numbers
    "math cmath decimal fractions numbers statistics random operator "
    # collections and algorithms over them
    "array bisect collections copy functools graphlib heapq itertools queue "
    # text
    "difflib json re string textwrap unicodedata "
    # dates, encodings and the like, all of them pure functions of their arguments
    "base64 binascii calendar colorsys datetime hashlib struct zlib "
    # the language
    "__future__ abc dataclasses enum typing "
    # mathematics
    "mpmath numpy sympy"
)
"""Top-level modules that a program may import.

A list of what is allowed, not of what is not: the modules that a calculation needs are few and
known, those that reach outside it are neither. Left out are all that touch files, processes, the
network, threads, the interpreter, the clock (`time`) or the environment. Of what is installed, only
what cotmill itself depends on is allowed, so that a program that runs here runs wherever cotmill
does: no scipy, no networkx. Pandas, which comes with other packages, is left out too: its import
costs 0.5 s and 80 MiB in each of a hundred thousand programs that hardly ever need it.
"""

_BANNED_NAMES = word_set(
    "eval exec compile open __import__ globals locals vars breakpoint exit quit"
)
_REFLECTION = ("getattr", "setattr", "delattr", "hasattr")
_ALLOWED_DUNDERS = word_set(
    "__init__ __new__ __post_init__ __name__ __str__ __repr__ __eq__ __lt__ __hash__ __len__ "
    "__iter__ __next__ __call__ __getitem__ __setitem__ __contains__ __add__ __sub__ __mul__ "
    "__truediv__"
)
"""Methods that a class calls of its parent, and `__name__`; others lead to the interpreter."""
_FRAMES = word_set(
    "_getframe tb_frame gi_frame cr_frame ag_frame f_back f_globals f_locals f_builtins "
    "gi_code func_globals"
)
_LEAKED_MODULES = word_set("os sys subprocess socket shutil builtins importlib ctypes threading")
"""Modules that other modules import, and so hand on: `dataclasses.sys.modules`."""

_NAMED_IN_CALLS = frozenset({"input", *_REFLECTION})
_ATTRIBUTES = _FRAMES | _LEAKED_MODULES

_GENERATORS = word_set("random numpy.random")
_HAVE_GENERATORS = word_set("random numpy")
_OWN_GENERATORS = word_set("Random RandomState default_rng SeedSequence PCG64 MT19937")
"""Seeded by an argument of their own, or not at all."""
_NO_DRAWS = word_set("Generator BitGenerator")
"""Named in annotations and checks of type."""


def banned(
    tree: ast.Module, names: Names | None = None
) -> tuple[Literal["import", "call"], str] | None:
    """Returns what the program should not import or call, first in the text, or None.

    This saves the sandbox time and keeps examples clean; the sandbox is the guard. A name that the
    program defines itself (its own `compile`) is its own affair.
    """
    names = names or Names(tree)
    found: list[tuple[int, int, Literal["import", "call"], str]] = [
        (getattr(node, "lineno", 0), getattr(node, "col_offset", 0), kind, name)
        for node in _suspects(names)
        for kind, name in _banned_in(node, names)
    ]
    if names.imported & _HAVE_GENERATORS:
        found += [(line, column, "call", name) for line, column, name in _unseeded(names)]
    if not found:
        return None
    _, _, kind, name = min(found)
    return kind, name


def _suspects(names: Names) -> Iterator[Any]:
    """Yields the few nodes whose own name is a reason to look at them."""
    yield from names.of(ast.Import, ast.ImportFrom)
    for node in names.of(ast.Name):
        if node.id in _BANNED_NAMES or node.id.startswith("__"):
            yield node
    for node in names.of(ast.Attribute):
        if node.attr in _ATTRIBUTES or node.attr.startswith("_"):
            yield node
    for node in names.of(ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _NAMED_IN_CALLS:
            yield node


def _banned_in(node: Any, names: Names) -> Iterator[tuple[Literal["import", "call"], str]]:
    match node:
        case ast.Import():
            for alias in node.names:
                if alias.name.partition(".")[0] not in ALLOWED_IMPORTS:
                    yield "import", alias.name
        case ast.ImportFrom():
            module = "." * node.level + (node.module or "")
            if module.partition(".")[0] not in ALLOWED_IMPORTS:
                yield "import", module
            for alias in node.names:
                if alias.name in _LEAKED_MODULES or alias.name.startswith("_"):
                    yield "import", f"{module}.{alias.name}"
        case ast.Name(ctx=ast.Load()) if names.home.get(node, NOWHERE)[0] is None:
            if node.id in _BANNED_NAMES or (_is_dunder(node.id) and node.id != "__name__"):
                yield "call", node.id
        case ast.Attribute():
            scope, name = names.home.get(node.value, NOWHERE)
            of_module = scope is not None and name in scope.imports
            leaked = of_module and (node.attr in _LEAKED_MODULES or node.attr.startswith("_"))
            if (
                leaked
                or node.attr in _FRAMES
                or (_is_dunder(node.attr) and node.attr not in _ALLOWED_DUNDERS)
            ):
                yield "call", node.attr
        case ast.Call(func=ast.Name(id="input")):
            yield "call", "input"
        case ast.Call(func=ast.Name(id=name), args=[_, key, *_]) if name in _REFLECTION:
            text = text_of(key)
            if text is not None and (
                text in _FRAMES or (_is_dunder(text) and text not in _ALLOWED_DUNDERS)
            ):
                yield "call", f"{name} {text}"


def _unseeded(names: Names) -> Iterator[tuple[int, int, str]]:
    """Yields (line, column, function) where a program draws from a generator that nothing seeds."""
    used = [
        (node, source.rpartition("."))
        for node in names.of(ast.Name, ast.Attribute)
        if (source := origin(node, names))
    ]
    given = {node.func: _is_given(node) for node in names.of(ast.Call)}
    seeded = {module for node, (module, _, name) in used if name == "seed" and given.get(node)}
    for node, (module, _, name) in used:
        if module not in _GENERATORS or name in _NO_DRAWS:
            continue
        if name in _OWN_GENERATORS:
            is_seeded = given.get(node, False)
        else:
            is_seeded = module in seeded and name != "SystemRandom"
        if not is_seeded:
            yield node.lineno, node.col_offset, f"{module}.{name} without a seed"


def _is_given(call: ast.Call) -> bool:
    """Whether the call has an argument that is not None."""
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    return any(not (isinstance(v, ast.Constant) and v.value is None) for v in values)


def _is_dunder(name: str) -> bool:
    return len(name) > 4 and name.startswith("__") and name.endswith("__")
