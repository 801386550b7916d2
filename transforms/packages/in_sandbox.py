"""Runs a package's tests or functions: sent to the sandbox as text, with the package's files.

It imports nothing of cotmill. `plan.json` says what is done; `output` holds what was seen, which is
the claim of code that shares its process.
"""

from __future__ import annotations

import ast
import builtins
import collections.abc
import functools
import importlib
import itertools
import json
import os
import sys
import types
from typing import Any

import pytest

_MESSAGES = 40
"""Failures that are told of."""
_ITEMS = 50
"""Items of an iterator that are looked at."""
_CALLS = 60
"""Calls of a function that are noted."""
_VALUES, _CHARACTERS = 100, 2_000
"""Values of a test that are noted, and what each may take as a literal."""


class Seen:
    """What becomes of each test."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}
        self.messages: dict[str, str] = {}
        self.errors: list[str] = []

    def pytest_configure(self, config: Any) -> None:
        config.option.tbstyle = "native"  # others parse the file again for each failure

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.errors.append(str(report.longrepr)[-500:])

    def pytest_runtest_logreport(self, report: Any) -> None:
        test = report.nodeid
        if report.outcome != "passed":
            expected = hasattr(report, "wasxfail") and report.outcome == "skipped"
            outcome = "passed" if expected else report.outcome
            if self.outcomes.get(test) != "failed":
                self.outcomes[test] = outcome
            if outcome == "failed" and len(self.messages) < _MESSAGES:
                crash = getattr(report.longrepr, "reprcrash", None)
                self.messages.setdefault(test, (crash.message if crash else "")[:400])
        elif report.when == "call":
            self.outcomes.setdefault(test, "passed")


def run_tests(plan: dict[str, Any]) -> dict[str, Any]:
    """Runs the files of tests in `plan["tests"]`."""
    seen = Seen()
    plugins = ["cacheprovider", "terminal", "junitxml", "faulthandler", "pastebin"]
    options = [option for name in plugins for option in ("-p", f"no:{name}")]
    options += ["-o", "addopts=", "--rootdir=.", "--continue-on-collection-errors"]
    status = pytest.main([*options, *plan["tests"]], plugins=[seen])
    return {"status": int(status), **vars(seen)}


def is_plain(value: Any, depth: int = 0) -> bool:
    """Whether a value is one that a literal can write."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return True
    if depth > 5 or type(value) not in (list, tuple, dict, set):
        return False
    items = [*value, *value.values()] if isinstance(value, dict) else value
    return len(items) < 100 and all(is_plain(item, depth + 1) for item in items)


def outcome_of(function: Any, arguments: Any, named: Any) -> list[str]:
    """Returns what a call gives or, if that is an iterator, yields, as a literal, or the name of
    what it raises."""
    try:
        result = function(*arguments, **named)
        if hasattr(type(result), "__next__"):
            items = list(itertools.islice(result, _ITEMS))
            return ["yields", repr(items)] if is_plain(items) else ["other", "iterator"]
        return ["gives", repr(result)] if is_plain(result) else ["other", type(result).__name__]
    except Exception as error:
        return ["raises", type(error).__name__]


def note_calls(module: str, name: str) -> dict[str, None]:
    """Has a function note the calls of it that take plain data.

    Returns:
        A dict whose keys will be literals of (arguments, named arguments).
    """
    original = getattr(importlib.import_module(module), name, None)
    calls: dict[str, None] = {}
    if not isinstance(original, types.FunctionType):
        return calls

    @functools.wraps(original)
    def noted(*arguments: Any, **named: Any) -> Any:
        if len(calls) < _CALLS and is_plain(arguments) and is_plain(named):
            literal = repr((arguments, named))
            if len(literal) < 2_000:
                calls[literal] = None
        return original(*arguments, **named)

    for each in list(sys.modules.values()):
        for attribute, value in list(vars(each).items()):
            if value is original:
                setattr(each, attribute, noted)
    return calls


def flat(value: Any, depth: int = 0) -> Any:
    """Returns a value as literals can write it: what is of no type of theirs is a tuple of its
    type's name and what it holds, and of its name alone where it holds nothing to look at."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str, bytes):
        return value
    if depth > 5:
        return ("...",)
    if isinstance(value, dict):
        items = [(flat(key, depth + 1), flat(value[key], depth + 1)) for key in value]
        return ("dict", sorted(items, key=repr))
    if hasattr(kind, "__next__"):
        return ("iterator", [flat(each, depth + 1) for each in itertools.islice(value, _ITEMS)])
    if not isinstance(value, collections.abc.Collection):
        return (kind.__name__,)
    items = [flat(each, depth + 1) for each in itertools.islice(value, _VALUES)]
    if isinstance(value, collections.abc.Set):
        items.sort(key=repr)
    return items if kind is list else (kind.__name__, items)


def note_values() -> dict[str, list[str]]:
    """Has tests that lack what they expect hand over values (`expected`).

    Returns:
        A dict that will have, of each test, literals of its values, in order; an empty one stands
        for a value that says nothing but its type, or takes too much.
    """
    noted: dict[str, list[str]] = {}

    def note(test: str, value: Any) -> None:
        values = noted.setdefault(test, [])
        if len(values) < _VALUES:
            seen = flat(value)
            text = repr(seen)
            opaque = type(seen) is tuple and len(seen) == 1
            values.append("" if opaque or len(text) > _CHARACTERS else text)

    builtins.__noted__ = note  # type: ignore[attr-defined]
    return noted


def call(plan: dict[str, Any]) -> list[list[str]]:
    """Calls a function with each of `plan["calls"]`."""
    module, name = plan["function"]
    function = getattr(importlib.import_module(module), name)
    return [outcome_of(function, *ast.literal_eval(literal)) for literal in plan["calls"]]


def main() -> Any:
    with open("plan.json") as file:
        plan = json.load(file)
    os.unlink("plan.json")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.dont_write_bytecode = True
    sys.path[:0] = [os.path.abspath(root) for root in plan["roots"]]
    if plan["calls"] is not None:
        return call(plan)
    noted = [note_calls(*function) for function in plan["noted"]]
    values = note_values()
    return {**run_tests(plan), "noted": [list(calls) for calls in noted], "values": values}


if __name__ == "__main__":
    output = main()
