"""A grader accepts what the run gives, and nothing that merely looks like it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs_for_tests import SPAM
from tests.recipes.playing import player
from transforms.programs.perturb import perturbations
from transforms.programs.questions import Task
from transforms.stages.graders import BY_TEXT, Fault, grade, tried

TASK = Task(
    id="t", calls=(), tokens=0, seed_ids=("s",), source="s", license="MIT", task="output",
    code=SPAM, grader="tolerant", answer='["560"]',
)  # fmt: skip
FAULTY = SPAM.replace("// 100", "// 101")
OWN = {"emails": 160, "percent_spam": 30, "days": 5}


def fenced(text: str) -> str:
    return f"It follows so.\n```python\n{text}\n```\n"


def marked(response: str, **task: Any) -> Any:
    return player()(grade(replace(TASK, **task), response))


def test_the_program_of_a_response_is_run_on_tests() -> None:
    cases = [(repr(OWN), "560"), (repr({**OWN, "days": 6}), "560")]
    code, runs = player()(tried(fenced(SPAM), cases))
    assert (code, [run.passed for run in runs]) == (SPAM, [True, False])
    for none in ("I cannot.", fenced("output = ("), fenced("output = 1")):
        assert player()(tried(none, cases)) == (None, [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (fenced("560"), None),
        (fenced("output = 560"), None),
        ("```\n1\n```\nNo:\n```\n560\n```", None),
        ("<think>```\n560\n```</think>It is 561.", Fault.NO_ANSWER),
        (fenced("561"), Fault.WRONG_ANSWER),
        (fenced("'560'"), Fault.WRONG_ANSWER),
        (fenced("solution(**input)"), Fault.WRONG_ANSWER),
        ("It is 560.", Fault.NO_ANSWER),
    ],
)
def test_an_output_is_the_literal_in_the_last_block(text: str, fault: Any) -> None:
    assert marked(text).fault == fault


FLOATS = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))
VALUES = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5) | FLOATS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("said", "right"),
    [("[10, 10, 50, 40]", True), ("(12, 11, 50.0, 40)", True), ("[30, 10, 70, 40]", False),
     ("10", False), ("[10, 10, 50]", False), ("a box", False)],
)  # fmt: skip
def test_a_box_is_right_from_an_overlap_of_seven_tenths(said: str, right: bool) -> None:
    assert (BY_TEXT["overlap"](["[10, 10, 50, 40]"], fenced(said)).score == 1) is right


@given(VALUES)
def test_the_gold_is_right_and_every_perturbed_value_is_wrong(value: Any) -> None:
    mark = BY_TEXT["tolerant"]
    shown = json.dumps(value)
    assert mark([repr(value)], fenced(shown)).score == 1
    for changed in perturbations(value):
        assert mark([repr(value)], fenced(json.dumps(changed))).score == 0


@pytest.mark.parametrize(
    ("text", "fault", "seen"),
    [
        (fenced(repr(OWN)), None, ""),
        (fenced('{"emails": 112, "percent_spam": 0, "days": 5}'), None, ""),
        (fenced(f"input = {OWN | {'days': 6}}"), Fault.WRONG_ANSWER, "672"),
        (fenced("{'emails': 160}"), Fault.FAILS, "TypeError: solution() missing"),
        (fenced("dict(emails=112, percent_spam=0, days=5)"), Fault.NO_ANSWER, ""),
        (fenced("[160, 30, 5]"), Fault.NO_ANSWER, ""),
    ],
)  # fmt: skip
def test_any_input_that_gives_the_output_is_a_witness(text: str, fault: Any, seen: str) -> None:
    mark = marked(text, grader="witness", answer='"560"')
    assert (mark.fault, mark.seen[: len(seen)]) == (fault, seen)


CASES = json.dumps([[repr({**OWN, "days": days}), str(112 * days)] for days in (5, 0, 7)])


@pytest.mark.parametrize(
    ("code", "fault", "seen"),
    [
        (SPAM, None, ""),
        (SPAM.replace("answered * days", "560"), Fault.FAILED_TESTS, "2 of 3 tests"),
        (SPAM.replace("// 100", "// 0"), Fault.FAILS, "3 of 3 tests"),
        ("output = 560", Fault.NO_ANSWER, ""),
    ],
)
def test_a_written_program_has_to_pass_every_test(code: str, fault: Any, seen: str) -> None:
    mark = marked(fenced(code), grader="tests", answer=CASES)
    assert (mark.fault, mark.seen) == (fault, seen)


def test_a_written_program_cannot_pass_by_what_it_claims_of_itself() -> None:
    equal_to_all = "class Any(int):\n    def __eq__(self, other):\n        return True\n"
    cheat = SPAM.replace("output = solution(**input)", f"{equal_to_all}\noutput = Any(560)")
    assert marked(fenced(cheat), grader="tests", answer=CASES).fault is Fault.FAILED_TESTS


def counterexample(text: str, faulty: str = FAULTY) -> tuple[Any, str]:
    answer = json.dumps({"faulty": faulty, "input": repr(OWN)})
    mark = marked(fenced(text), grader="counterexample", answer=answer)
    return mark.fault, mark.seen


def test_a_counterexample_makes_two_programs_differ() -> None:
    assert counterexample(repr(OWN)) == (None, "")
    assert counterexample(repr({**OWN, "emails": 0})) == (Fault.NOT_DISTINGUISHED, "0")


def test_identical_programs_are_never_distinguished() -> None:
    assert counterexample(repr(OWN), SPAM)[0] is Fault.NOT_DISTINGUISHED


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({**OWN, "emails": -1}, "emails is negative"),
        ({**OWN, "emails": "x" * 10}, "emails is str, not a number"),
        ({"emails": 1}, "its keys are emails, not emails, percent_spam, days"),
    ],
)
def test_what_is_no_input_of_the_program_is_no_counterexample(given: Any, why: str) -> None:
    assert counterexample(repr(given)) == (Fault.REFUSED_INPUT, why)


def test_a_crash_and_an_endless_run_are_no_differences() -> None:
    crash = SPAM.replace("// 100", "// 0")
    endless = SPAM.replace("    return", "    while True: pass\n    return")
    assert counterexample(repr(OWN), crash)[0] is Fault.CRASHED
    assert counterexample(repr(OWN), endless)[0] is Fault.TIMED_OUT


@pytest.mark.parametrize(
    ("answer", "score"),
    [({"a": 1, "b": [2]}, 1.0), ({"a": 1, "b": 2}, 0.55), ({}, 0.1), ([1], 0.0)],
)
def test_parts_earn_their_share_and_a_tenth_for_the_form(answer: Any, score: float) -> None:
    mark = BY_TEXT["parts"]({"a": "1", "b": "[2]"}, fenced(json.dumps(answer)))
    assert mark.score == pytest.approx(score)


LINES = st.lists(st.sampled_from(["a = 1", "a = 2", "b = [1]", "Final answer: 3"]), min_size=2)


@given(LINES, st.data())
def test_printed_lines_earn_the_share_before_the_first_wrong_one(
    lines: list[str], data: st.DataObject
) -> None:
    gold = ["\n".join(lines)]
    place = data.draw(st.integers(0, len(lines) - 1))
    wrong = [*lines[:place], "a = 4", *lines[place + 1 :]]
    assert BY_TEXT["lines"](gold, fenced("  \n".join(lines))).score == 1.0
    assert BY_TEXT["lines"](gold, fenced("\n".join(wrong))).score == place / len(lines)
    assert BY_TEXT["lines"](gold, fenced("\n".join([*lines, "a = 4"]))).fault is not None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[L5] spam is `spam = 48`.\n[L7] So `answered = 112`.", None),
        ("[L5] spam is `spam = 49`.\n[L7] So `answered = 112`.", Fault.FALSE_CLAIM),
        ("[L5] runs `spam = emails * percent_spam // 100`.", Fault.FALSE_CLAIM),
        ("It is clear.", Fault.FALSE_CLAIM),
    ],
)
def test_a_right_answer_does_not_excuse_a_false_claim(text: str, fault: Any) -> None:
    mark = marked(f"{text}\n{fenced('560')}", grader="tolerant+claims")
    assert mark.fault == fault
