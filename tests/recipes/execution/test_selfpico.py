"""SelfPiCo: a program without a definition stops, and only one with it gives the right outputs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.programs_for_tests import SANDBOX, SPAM
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.models.driver import drive
from transforms.programs.definitions import without_definitions
from transforms.stages.graders import Fault, grade
from transforms.stages.tasks import purpose


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    return played(stage("selfpico", "remove"), seed_of(SPAM))[0]


def test_each_definition_of_one_name_is_taken_out_once() -> None:
    code = (
        "import math\nfrom re import sub, match\ndef helper(n):\n    m = n\n    return m\n"
        "def solution():\n    a, b = 1, 2\n    c = helper(a)\n    return c\noutput = solution()"
    )
    gone = dict(without_definitions(code))
    assert set(gone) == {"helper", "c"}
    assert gone["c"].split("\n")[7] == "    ...  # gone"
    assert "return m" not in gone["helper"] and "def solution" in gone["helper"]


def test_a_definition_that_nobody_could_guess_is_not_taken_out() -> None:
    long = "\n".join(f"    b{line} = n" for line in range(9))
    code = (
        f"def long(n):\n{long}\n    return n\n"
        "def solution(n):\n    rate = n * 37\n    tax = n * 19\n    both = rate + 2 * 19\n"
        "    return both + tax + long(n)\noutput = solution(5)"
    )
    assert "rate" not in (gone := dict(without_definitions(code))) and "long" not in gone
    assert {"tax", "both"} <= set(gone)


def test_a_definition_that_anybody_could_put_back_is_not_taken_out() -> None:
    code = (
        "from functools import reduce\nimport math\ndef solution(n):\n"
        "    total = 0\n    rows, seen = [], set()\n    empty = {}\n    same = n\n    low = -1\n"
        "    one = two = n * 2\n    half = math.floor(n / 2)\n"
        "    return reduce(max, [total, same, low, one, two, half, len(empty)])\n"
        "output = solution(5)"
    )
    assert set(dict(without_definitions(code))) == {"half"}


def test_a_program_without_its_definition_runs_a_part_of_its_lines(rows: list[Any]) -> None:
    assert len(rows) == 2
    for row in rows:
        shown = json.loads(row.shown)
        with pytest.raises(NameError):
            exec(shown["partial"], {})
        assert 0 < shown["coverage"] < 1
        assert shown["partial"].strip() in row.messages[0].content
        assert row.messages[0].content.startswith(shown["problem"])


def test_the_definition_put_back_is_right_and_a_guess_is_not(rows: list[Any]) -> None:
    row = rows[0]
    shown = json.loads(row.shown)
    guess = shown["partial"].replace("...  # gone", f"{shown['name']} = 3")
    constant = SPAM.replace("return answered * days", "return 560")
    responses = [row.messages[-1].content, f"```\n{guess}```", f"```\n{constant}```"]
    marks = drive(responses, lambda text: grade(row, text), sandbox=SANDBOX)
    assert [mark.fault for mark in marks] == [None, Fault.FAILED_TESTS, Fault.FAILED_TESTS]


@pytest.mark.parametrize(
    "code",
    [
        SPAM.replace("return answered", "return 0 * answered"),
        SPAM.replace("return answered * days", "return [0] * 99 + [answered * days]"),
    ],
)
def test_a_program_whose_outputs_tell_nothing_or_too_much_is_rejected(code: str) -> None:
    assert played(stage("selfpico", "remove"), seed_of(code)) == ([], ["no_pairs"])


def test_a_program_that_needs_no_definition_is_rejected() -> None:
    code = "input = {'n': 4}\ndef solution(n):\n    return n * 2\noutput = solution(**input)\n"
    assert played(stage("selfpico", "remove"), seed_of(code))[1] == ["no_question"]


def test_the_definition_put_back_is_right_on_inputs_that_json_writes_otherwise() -> None:
    code = (
        "input = {'n': 4, 'up': True, 'rest': None}\n\ndef solution(n, up, rest):\n"
        "    step = n * 2 if up else -n\n    return step + n\n\noutput = solution(**input)\n"
    )
    [row] = played(stage("selfpico", "remove"), seed_of(code))[0]
    [mark] = drive([row.messages[-1].content], lambda text: grade(row, text), sandbox=SANDBOX)
    assert mark.score == 1


def test_a_problem_is_shown_without_the_question_about_one_output() -> None:
    told = {"task_description": "Find the sum.", "input_output_spec": "Input: numbers"}
    seed = replace(seed_of(SPAM), problem="Find the sum. What is the output for this input?")
    assert purpose(replace(seed, metadata=json.dumps(told))) == "Find the sum.\n\nInput: numbers"
    assert purpose(seed) == seed.problem
