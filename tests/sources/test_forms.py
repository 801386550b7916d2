"""Answers, solutions, options and code, in the forms that data sets have them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs_for_tests import SPAM
from transforms.sources.forms import (
    NO_ANSWER,
    chosen,
    options_of,
    stated,
    unified_code,
    with_answer,
    with_options,
)
from transforms.text.answers import compare_plain

PROSE = (
    "First we find how many pens are in all of the boxes together. Each box has four pens, and "
    "there are three boxes. Therefore Ann has a total of 12 pens."
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (r"\boxed{25}", "25"),
        (r"$\boxed{\frac{1}{2}}$", r"\frac{1}{2}"),
        (r"\boxed{\text{Monday}}", r"\text{Monday}"),
        ("$25$", "25"),
        (r"\(25\)", "25"),
        ("**25**", "25"),
        ("The answer is 25.", "25"),
        ("Answer: 25", "25"),
        ("#### 25", "25"),
        ("There are 25 pens in total.", "25"),
        (["120"], "120"),
        ([120], "120"),
        ('["120"]', "120"),
        ([1, 2], "[1,2]"),
        ([[1, 2]], "[[1,2]]"),
        (72, "72"),
        (7.5, "7.5"),
        (True, "true"),
        ("3 hours 20 minutes", "3 hours 20 minutes"),
        ("x = 3 or x = 5", "x = 3 or x = 5"),
        ("x^2 + 1", "x^2 + 1"),
        ("1 2\n3 4", "1 2\n3 4"),
        ("Thursday", "Thursday"),
    ],
)
def test_an_answer_is_brought_to_the_value_that_it_states(answer: Any, expected: str) -> None:
    assert stated(answer).answer == expected


@pytest.mark.parametrize("value", ["120 cm", "9 (apples)", "$1,200", "50%", "1/2"])
def test_units_and_forms_that_the_comparison_reads_stay(value: str) -> None:
    assert stated(value).answer == value


@pytest.mark.parametrize(
    "answer",
    [PROSE, f"{PROSE}\n#### 12", f"{PROSE}\nThe answer is: 12", rf"{PROSE} $\boxed{{12}}$"],
)
def test_a_worked_solution_in_the_place_of_an_answer_gives_both(answer: str) -> None:
    final, solution = stated(answer)
    assert final == "12" and solution is not None and solution.startswith(PROSE)


@pytest.mark.parametrize(
    "text",
    ["proof", "Proof.", "notfound", "not found", "N/A", "n.a.", "", "  ", "-", "None", "NaN",
     "null", "see solution", "See the explanation below", "Answers may vary.", "unknown",
     "No answer"],
)  # fmt: skip
def test_what_stands_for_no_answer_is_known(text: str) -> None:
    assert NO_ANSWER.fullmatch(stated(text).answer or "")


@pytest.mark.parametrize("text", ["0", "no", "No solution", "+", ">", "proof by 3", "nanometre"])
def test_what_may_be_an_answer_is_one(text: str) -> None:
    assert not NO_ANSWER.fullmatch(text)


@given(st.integers() | st.text("0123456789.,/ abc%$", max_size=12))
def test_the_form_of_an_answer_that_has_been_found_is_final(answer: Any) -> None:
    once = stated(answer).answer
    assert once is not None and stated(once).answer == once


@given(st.integers(-(10**6), 10**6))
def test_a_number_in_any_form_agrees_with_the_number(number: int) -> None:
    for form in ("{}", "\\boxed{{{}}}", "${}$", "The answer is {}.", "#### {}", '["{}"]'):
        assert compare_plain(str(number), stated(form.format(number)).answer or "")


@pytest.mark.parametrize(
    ("solution", "answer", "expected"),
    [
        ("3*4=<<3*4=12>>12 pens.", "12", "3*4=12 pens.\nThe answer is 12."),
        (r"It is $\boxed{12}$.", "12", r"It is $\boxed{12}$."),
        (r"It is $\boxed{\frac12}$.", "0.5", r"It is $\boxed{\frac12}$."),
        ("So.\nThe answer is 12.", "12", "So.\nThe answer is 12."),
        ("So.\nThe answer is: 12", "12", "So.\nThe answer is: 12"),
        ("Answer E", "park", "Answer E\nThe answer is park."),
        ("<think>Hm, 13?</think>\n3 times 4 is 12.", "12", "3 times 4 is 12.\nThe answer is 12."),
        ("Some steps", None, "Some steps"),
        ("<think>Hm, 13? Or", "12", None),
        ("a << b and c >> d", None, "a << b and c >> d"),
    ],
)
def test_a_solution_ends_by_stating_its_answer_once(
    solution: str, answer: str | None, expected: str | None
) -> None:
    assert with_answer(solution, answer) == expected
    assert with_answer(expected or "", answer) == expected


FOUR = {"A": "38", "B": "27.675", "C": "data inadequate", "D": "none of these"}


@pytest.mark.parametrize(
    "options",
    [
        ["A)38", "B)27.675", "C)data inadequate", "D)none of these"],
        ["(A) 38", "(B) 27.675", "(C) data inadequate", "(D) none of these"],
        ["A. 38", "B. 27.675", "C. data inadequate", "D. none of these"],
        ["38", "27.675", "data inadequate", "none of these"],
        [38, 27.675, "data inadequate", "none of these"],
        FOUR,
        {"label": list("ABCD"), "text": list(FOUR.values())},
        [{"label": label, "text": text} for label, text in FOUR.items()],
        [{"key": label, "value": text} for label, text in FOUR.items()],
        "a ) 38 , b ) 27.675 , c ) data inadequate , d ) none of these",
        "A) 38 B) 27.675 C) data inadequate D) none of these",
        "(A) 38\n(B) 27.675\n(C) data inadequate\n(D) none of these",
        "['A ) 38', 'B ) 27.675', 'C ) data inadequate', 'D ) none of these']",
    ],
)
def test_options_are_read_in_every_form(options: Any) -> None:
    assert options_of(options) == FOUR


@pytest.mark.parametrize("value", ["verbose", {"depth": 3}, ["one"], [], None, [None, "a"], 7])
def test_a_column_that_holds_no_options_gives_none(value: Any) -> None:
    assert options_of(value) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("B", "27.675"), ("b", "27.675"), ("(B)", "27.675"), ("B)", "27.675"), ("B.", "27.675"),
        ("The answer is B.", "27.675"), ("Option B", "27.675"), (1, "27.675"), ("27.675", "27.675"),
        ("B) 27.675", "27.675"), ("The answer is (B) 27.675.", "27.675"), ("B) 38", None),
        ("Data  inadequate", "data inadequate"), ("E", None), (4, None), ("28", None),
    ],
)  # fmt: skip
def test_an_answer_names_an_option_by_label_place_or_text(answer: Any, expected: Any) -> None:
    assert chosen(answer, FOUR) == expected


def test_a_number_that_is_the_place_of_one_option_and_the_text_of_another_names_neither() -> None:
    assert chosen(1, {"A": "1", "B": "2"}) is None
    assert chosen(1, {"A": "0", "B": "1"}) == "1"


def test_options_are_listed_below_the_problem_once() -> None:
    listed = with_options("Which?", {"A": "1", "B": "2"})
    assert listed == "Which?\n\nOptions:\n(A) 1\n(B) 2"
    assert with_options(listed, {"A": "1", "B": "2"}) == listed


@pytest.mark.parametrize("fence", ["```python\n{}```", "Here it is:\n```\n{}\n```\nDone.", "{}"])
def test_unified_code_is_taken_out_of_its_fence(fence: str) -> None:
    assert unified_code(fence.format(SPAM)) == SPAM


@pytest.mark.parametrize(
    "code", ["print(3 * 4)", "def solution():\n    return 12", "not code at all", "", "x = ("]
)
def test_other_code_is_not_unified(code: str) -> None:
    assert unified_code(code) is None


def test_options_in_json_survive_a_row() -> None:
    assert options_of(json.loads(json.dumps(FOUR))) == FOUR
