"""A program that prints its steps prints each change once, and gives what it gave."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from tests.programs.test_leaves import solution
from tests.recipes.test_codeio import SHIPPED
from transforms.programs import printing as module
from transforms.programs.printing import printing


@pytest.mark.parametrize("code", [each["code"] for each in SHIPPED])
def test_a_program_that_prints_its_steps_gives_what_it_gave(code: str) -> None:
    printed: list[str] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {"print": printed.append}
    exec(code, before)  # a shipped program, which is trusted
    exec(printing(code), after)
    assert after["output"] == before["output"]
    assert len(printed) > 1 and printed[-1] == f"Final answer: {before['output']!r}"


def test_the_program_prints_what_changes_and_keeps_what_it_gives() -> None:
    code = solution(
        "seen, first = {}, None  # both",
        "for k in range(2):",
        "    seen[k] = n",
        "    if k: n += 1; first = k",
        "rest = list(seen)",
        "rest.append(first)",
        "rest[0], *more = rest",
        "self = print('its own')",
        "return rest",
    )
    made = printing(code)
    printed: list[str] = []
    names: dict[str, Any] = {"print": printed.append}
    exec(made, names)
    assert printed == [
        "seen = {}, first = None", "k = 0", "seen = {0: 4}", "k = 1", "seen = {0: 4, 1: 4}",
        "rest = [0, 1]", "rest = [0, 1, 1]", "rest = [0, 1, 1], more = [1, 1]", "its own",
        "self = None", "Final answer: [0, 1, 1]",
    ]  # fmt: skip


def test_doctests_hold() -> None:
    assert doctest.testmod(module).failed == 0
