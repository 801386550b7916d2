"""A mutant is the program with one place changed; its comments and its input stay."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.programs_for_tests import SPAM
from transforms.programs import literal_input
from transforms.programs.mutants import mutants as mutants_of

CODES = [
    json.loads(line)["code"]
    for path in sorted(Path("data/seeds").glob("*.jsonl"))
    for line in path.read_text().splitlines()[:2]
]


@pytest.mark.parametrize("code", CODES)
def test_each_mutant_differs_in_one_line_and_keeps_the_input(code):
    made = mutants_of(code)
    assert made and len({mutant.code for mutant in made}) == len(made)
    for mutant in made:
        pairs = zip(code.splitlines(), mutant.code.splitlines(), strict=True)
        assert [n for n, (old, new) in enumerate(pairs, 1) if old != new] == [mutant.line]
        assert literal_input(ast.parse(mutant.code)) == literal_input(ast.parse(code))


def test_operators_and_numbers_change_where_they_stand():
    changed = [mutant.code.splitlines()[mutant.line - 1].strip() for mutant in mutants_of(SPAM)]
    assert changed == [
        "spam = emails * percent_spam * 100", "spam = emails // percent_spam // 100",
        "spam = emails * percent_spam // 101", "answered = emails + spam",
        "return answered // days",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("x = f'{1 + 2}'", []),
        ("x = a and b or c", ["x = (a and b) and c"]),
        ("x = (1 < a <= 2)", ["x = (2 < a <= 2)", "x = (1 < a <= 3)"]),
        ("x = True", []),
        ("s = 'ä' * n", ["s = 'ä' // n"]),
    ],
)
def test_what_does_not_come_out_as_meant_is_no_mutant(code, changed):
    assert sorted(mutant.code for mutant in mutants_of(code)) == sorted(changed)
