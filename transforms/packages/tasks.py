"""A task of mending a package: a bug, the tests that see it, and what its function has to give."""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from transforms.engine.records import Call, Seed
from transforms.packages.disguise import function_of
from transforms.packages.package import is_test, modules, unpacked
from transforms.packages.patches import text_of


@dataclass(frozen=True)
class RepairTask(Seed):
    """A package with a bug. Its `problem` is the issue; its `metadata` are the package's facts."""

    package: str = ""
    version: str = ""
    """Of the package."""
    digest: str = ""
    """SHA-256 over the package's files."""
    operator: str = ""
    """What was done to the function; several are joined by a plus sign."""
    function: str = ""
    """The functions that have the bug, as path:name, comma-separated."""
    bug: str = ""
    """Unified diff that makes the bug in the published package."""
    patch: str = ""
    """Unified diff that mends it."""
    fail_to_pass: tuple[str, ...] = ()
    """Ids of the tests that fail with the bug and pass without it."""
    pass_to_pass: tuple[str, ...] = ()
    """Ids of the tests that pass with the bug and without it."""
    checks: str = "{}"
    """What is compared outside of the sandbox: {path, name, calls: [[call, gives, yields or raises,
    value]]} of a function that takes and gives plain data, and {values: {test: literals}}, what
    failing tests compare. Empty where there is nothing."""
    compared: int = 0
    """Values in `checks`: with none, tests alone decide, which share a process with the patch."""
    evidence: str = "{}"
    """{shown: [[call, kind, value, wanted kind, wanted value]], messages}: what an issue may
    tell: calls that go wrong with the bug, and why tests fail."""
    archive: str = ""
    """The published package: a ZIP archive in base 64."""
    seed_ids: tuple[str, ...] = ()
    """The package's seed."""
    calls: tuple[Call, ...] = ()
    """The models that wrote the bug or the issue."""
    tokens: int = 0
    """Tokens generated for it."""

    @property
    def facts(self) -> dict[str, Any]:
        """The package's facts: name, version, license, test_command and more."""
        facts: dict[str, Any] = json.loads(self.metadata)
        return facts


@lru_cache(maxsize=8)
def names_of_tests(archive: str) -> frozenset[str]:
    """Returns the names that a package's tests bind and its modules' code does not have."""
    files = unpacked(archive)
    tests = [path for path in files if is_test(path) and path.endswith(".py")]
    bound = {name for path in tests for name, binds in _names(text_of(files, path)) if binds}
    own = {name for path in modules(files) for name, _ in _names(text_of(files, path))}
    return frozenset(name for name in bound - own - set(dir(builtins)) if name[:2] != "__")


def _names(source: str) -> Iterator[tuple[str, bool]]:
    """Yields the names in a module's code, each with whether it is bound there; none where it does
    not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name, True
            case ast.Name(id=name, ctx=context):
                yield name, isinstance(context, ast.Store)
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.alias(name=name):
                yield name, False


def added_lines(patch: str) -> list[str]:
    """Returns the lines that a unified diff adds, without their indentation."""
    lines = patch.splitlines()
    return [
        line[1:].strip()
        for line in lines
        if line.startswith("+") and not line.startswith("+++ ") and line[1:].strip()
    ]


_LONG = 20
"""Characters of a line of the fix that an issue must not show."""


def leak(text: str, patch: str, tests: Iterable[str], internal: Collection[str] = ()) -> str:
    """Returns what a text gives away: a line of the fix, the name of a hidden test, or, as code, a
    name that only tests know; empty where nothing.

    Args:
        internal: the names that only tests know (`names_of_tests`).

    >>> leak("See test_merge.", "", ["tests/test_a.py::test_merge[1]"])
    'test_merge'
    >>> leak("`cmul(2)` fails, as does the rest", "", [], ["cmul", "rest"])
    'cmul'
    """
    words = set(re.findall(r"\w+", text))
    for test in tests:
        if (name := function_of(test)[1]) in words:
            return name
    as_code = {*re.findall(r"`(\w+)`|\b(\w+)\(|\b(\w*_\w*)\b", text)}
    named = {name for found in as_code for name in found} & set(internal)
    if named or "<locals>" in text:
        return min(named, default="<locals>")
    flat = re.sub(r"\s+", " ", text)
    for line in added_lines(patch):
        if len(line) >= _LONG and re.sub(r"\s+", " ", line) in flat:
            return line
    return ""
