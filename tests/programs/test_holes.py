"""Holes: what is put in the place of a node changes nothing else."""

from __future__ import annotations

import ast

import pytest

from tests.programs_for_tests import SPAM
from transforms.programs.holes import filled, holes, with_hole

CODE = """input = {"n": 5}

def solution(n):
    # größer
    total, é = 0, 1
    for k in range(n):
        if k % 2 == 0 and (
            k > 1
        ):
            total += k; é = 2
        else:
            total -= 1
    return total if é else 0

output = solution(**input)
"""


def texts(code: str = CODE) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for hole in holes(code):
        found.setdefault(hole.kind, []).append(code[hole.start : hole.end])
    return found


def test_values_conditions_and_runs_of_statements_of_solution_alone_are_holes() -> None:
    found = texts()
    assert "k % 2 == 0 and (\n            k > 1\n        )" in found["condition"]
    assert "é" in found["condition"] and "0, 1" in found["value"] and "k" in found["value"]
    assert "total += k; é = 2" in found["statements"]
    assert not any("input" in text for each in found.values() for text in each)


@pytest.mark.parametrize("code", [CODE, SPAM])
def test_what_stood_in_a_hole_gives_the_program_again(code: str) -> None:
    for hole in holes(code):
        own = code[hole.start : hole.end]
        indent = code[code.rfind("\n", 0, hole.start) + 1 : hole.start]
        assert filled(code, hole, indent * (not indent.strip()) + own) == code
        assert with_hole(code, hole).replace("<hole>", own) == code


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        ("condition", "k > 2", True),
        ("condition", "```python\nk > 2\n```", True),
        ("condition", "k > 2:\n            pass\n        if k", False),
        ("condition", "", False),
        ("value", "(1, 2)", True),
        ("value", "1; import os", False),
        ("value", "1\n    n = 2", False),
        ("statements", "n = 1\nn = 2", True),
        ("statements", "if n:\n    n = 1", True),
        ("statements", "n = 1\n# nothing\n", True),
        ("statements", "return (", False),
        ("statements", "", False),
    ],
)
def test_a_text_fits_a_hole_where_it_changes_that_node_alone(
    kind: str, text: str, fits: bool
) -> None:
    hole = next(each for each in holes(CODE) if each.kind == kind)
    made = filled(CODE, hole, text)
    assert (made is not None) is fits
    if made is not None:
        assert made.startswith(CODE[: hole.start]) and made.endswith(CODE[hole.end :])
        ast.parse(made)


def test_lines_of_statements_stand_at_the_indentation_of_the_hole() -> None:
    hole = next(each for each in holes(CODE) if CODE[each.start : each.end] == "total -= 1")
    made = filled(CODE, hole, "```python\nif k:\n    total -= 2\n```")
    assert made is not None and "            if k:\n                total -= 2\n" in made
