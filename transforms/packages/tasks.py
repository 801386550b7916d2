"""A task of mending a package: a bug, the tests that see it, and what its function has to give."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from transforms.engine.records import Call, Seed
from transforms.packages.disguise import function_of


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
    """{path, name, calls: [[call, gives, yields or raises, value]]} of a function that takes
    and gives plain data: its values are compared outside the sandbox. Empty where there is none."""
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


def leak(text: str, patch: str, tests: Iterable[str]) -> str:
    """Returns what a text gives away: a line of the fix, or the name of a hidden test; empty where
    nothing.

    >>> leak("See test_merge.", "", ["tests/test_a.py::test_merge[1]"])
    'test_merge'
    """
    words = set(re.findall(r"\w+", text))
    for test in tests:
        if (name := function_of(test)[1]) in words:
            return name
    flat = re.sub(r"\s+", " ", text)
    for line in added_lines(patch):
        if len(line) >= _LONG and re.sub(r"\s+", " ", line) in flat:
            return line
    return ""
