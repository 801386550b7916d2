"""Tests under random names, between tests of our own that have to fail and to pass.

What a patch may have done to the test framework it can do to these as well: then a canary passes
that has to fail, or a twin of a test does, which is that test with a false assertion before it.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from transforms.packages.package import Files, suites

FAILS, PASSES = ("false", "raises"), ("true",)
"""Canaries of each file that have to fail, and to pass."""

_RANDOM = re.compile(r"test_[0-9a-f]{16}")


class Disguised(NamedTuple):
    """A tree whose tests have random names."""

    files: dict[str, bytes]
    names: dict[str, str]
    """Random name -> the test's own."""
    twins: dict[str, str]
    """Random name of a twin -> the name of its test."""
    canaries: dict[str, str]
    """Random name -> one of `FAILS` or `PASSES`."""


class Outcomes(NamedTuple):
    """What became of the tests, by their own names."""

    tests: dict[str, str]
    """Test id -> passed, failed or skipped."""
    twins: dict[str, str]
    """Id of a test -> the outcome of its twin."""
    canaries: dict[tuple[str, str], str]
    """(File, canary) -> its outcome."""


def function_of(test: str) -> tuple[str, str]:
    """Returns the file of a test and the name of its function.

    >>> function_of("tests/test_a.py::TestB::test_c[1::2]")
    ('tests/test_a.py', 'test_c')
    """
    path, _, rest = test.partition("::")
    return path, rest.partition("[")[0].rpartition("::")[2]


def disguised(files: Files, key: str, twinned: Collection[tuple[str, str]] = ()) -> Disguised:
    """Renames tests, and puts canaries and twins beside them.

    A name that occurs anywhere else in its file stays as it is.

    Args:
        key: the names are hashes of it.
        twinned: the tests that are given twins: (file, name of the function).
    """
    made = Disguised(dict(files), {}, {}, {})
    for path in suites(files):
        source = files[path].decode(errors="surrogateescape")
        lines = _lines(source)
        for test in reversed(_tests(source)):
            random = _name(key, path, test.name)
            if (path, test.name) in twinned and test.body > test.line:
                twin = _name(key, path, test.name, "twin")
                made.twins[twin] = test.name
                copy = [*lines[test.start : test.end]]
                copy[test.line - test.start] = _renamed(lines[test.line], test.name, twin)
                false = f"{test.indent}assert {_number(twin)} == {_number(twin) + 1}\n"
                copy.insert(test.body - test.start, false)
                if not lines[test.end - 1].endswith("\n"):
                    lines[test.end - 1] += "\n"
                lines[test.end : test.end] = copy
            if test.alone:
                made.names[random] = test.name
                lines[test.line] = _renamed(lines[test.line], test.name, random)
        lines.append("\n")
        for canary in (*FAILS, *PASSES):
            random = _name(key, path, canary, "canary")
            made.canaries[random] = canary
            lines.append(f"\n\ndef {random}():\n    {_canary(canary, _number(random))}\n")
        made.files[path] = "".join(lines).encode(errors="surrogateescape")
    return made


def unnamed(message: str) -> str:
    """Returns a failure's message without random names, and without what pytest says of itself.

    >>> unnamed("<function test_0123456789abcdef.<locals>.f>")
    '<function test.<locals>.f>'
    """
    lines = [line for line in message.split("\n") if "Use -v" not in line]
    return _RANDOM.sub("test", "\n".join(lines))


def undisguised(outcomes: Mapping[str, str], made: Disguised) -> Outcomes:
    """Returns what a run says, under the tests' own names."""
    found = Outcomes({}, {}, {})
    for test, outcome in outcomes.items():
        path, name = function_of(test)
        if name in made.canaries:
            found.canaries[path, made.canaries[name]] = outcome
        elif name in made.twins:
            found.twins[test.replace(name, made.twins[name], 1)] = outcome
        else:
            own = _RANDOM.sub(lambda match: made.names.get(match[0], match[0]), test, count=1)
            found.tests[own] = outcome
    return found


def functions_of(files: Files) -> set[tuple[str, str]]:
    """Returns the tests of a tree as (file, name of the function)."""
    texts = {path: files[path].decode(errors="surrogateescape") for path in suites(files)}
    return {(path, test.name) for path, text in texts.items() for test in _tests(text)}


def without(files: Files, tests: Iterable[str]) -> dict[str, bytes]:
    """Returns a tree that lacks the functions of some tests, by their ids."""
    left_out = set(map(function_of, tests))
    made = dict(files)
    for path in {path for path, _ in left_out}:
        source = files[path].decode(errors="surrogateescape")
        lines = _lines(source)
        for test in reversed(_tests(source)):
            if (path, test.name) in left_out:
                margin = re.match(r"\s*", lines[test.line])[0]  # type: ignore[index]
                lines[test.start : test.end] = [f"{margin}pass\n"]
        made[path] = "".join(lines).encode(errors="surrogateescape")
    return made


class _Test(NamedTuple):
    name: str
    start: int
    """First line, decorators included, counted from 0."""
    line: int
    """The line of its `def`."""
    body: int
    """The line of its first statement."""
    end: int
    """The line behind its last."""
    indent: str
    """What stands before its first statement."""
    alone: bool
    """Whether its name occurs nowhere else in the file."""


@lru_cache(maxsize=512)
def _tests(source: str) -> tuple[_Test, ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    lines, found = _lines(source), []
    for holder in ast.walk(tree):
        if not isinstance(holder, (ast.Module, ast.ClassDef)):
            continue
        for node in holder.body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test"):
                continue
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            body = node.body[0]
            begin = min([body.lineno, *(d.lineno for d in getattr(body, "decorator_list", ()))])
            assert node.end_lineno is not None
            found.append(
                _Test(
                    node.name,
                    first - 1,
                    node.lineno - 1,
                    begin - 1,
                    node.end_lineno,
                    re.match(r"\s*", lines[begin - 1])[0],  # type: ignore[index]
                    len(re.findall(rf"\b{node.name}\b", source)) == 1,
                )
            )
    return tuple(sorted(found, key=lambda test: test.start))


def _lines(source: str) -> list[str]:
    """Returns the lines as the parser counts them."""
    return re.findall(r"[^\n]*\n|[^\n]+", source)


def _name(key: str, *parts: str) -> str:
    text = "\0".join((key, *parts)).encode(errors="surrogateescape")
    return f"test_{hashlib.blake2b(text, digest_size=8).hexdigest()}"


def _number(name: str) -> int:
    return int(name[-4:], 16)


def _renamed(line: str, name: str, other: str) -> str:
    return re.sub(rf"(def\s+){name}\b", rf"\g<1>{other}", line, count=1)


def _canary(canary: str, number: int) -> str:
    return {
        "false": f"assert [{number}] == [{number + 1}]",
        "raises": f"raise ValueError({number})",
        "true": f"assert [{number}] == [{number}]",
    }[canary]
