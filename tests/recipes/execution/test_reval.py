"""REval: the questions of an item have the answers of its run, and are scored for consistency."""

from __future__ import annotations

import itertools
import json
import textwrap
from dataclasses import asdict
from typing import Any

import pytest

from tests.programs.facts.running import traced
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.programs.questions import strict
from transforms.programs.questions.items import asked_of_items
from transforms.recipes.reval import KINDS, consistency, mean_consistency
from transforms.stages.graders import answer_in

PROGRAM = textwrap.dedent("""\
    input = {"numbers": [3, 9, 4]}
    def solution(numbers):
        seen = []
        for number in numbers:
            if number > 8:
                label = f"big {number}"
                seen.append(label)
            elif number < 0:
                label = "minus" + str(number)
        return seen
    output = solution(**input)
    """)


def asked(code: str) -> dict[tuple[Any, ...], tuple[str, ...]]:
    questions = asked_of_items(code, traced(code))
    return {
        (question.kind, question.line, question.variable): question.golds for question in questions
    }


def test_a_line_that_ran_has_its_value_and_the_line_after_it() -> None:
    golds = asked(PROGRAM)
    assert golds["covered", 7, "seen"] == ("True",)
    assert golds["state", 7, "seen"] == ("['big 9']",)
    assert golds["next_line", 7, "seen"] == ("4",)


def test_a_line_that_never_ran_has_no_value_and_no_next_line() -> None:
    golds = asked(PROGRAM)
    assert golds["covered", 9, "label"] == ("False",)
    assert (golds["state", 9, "label"], golds["next_line", 9, "label"]) == (("'Nil'",), ("-1",))


def test_lines_that_run_in_any_case_are_not_asked_about() -> None:
    assert {line for _, line, _ in asked(PROGRAM)} == {7, 9, 10}


@pytest.mark.parametrize("pattern", itertools.product([True, False], repeat=4))
def test_consistency_counts_the_answers_up_to_the_first_wrong_one(pattern: Any) -> None:
    first = next((n for n, right in enumerate(pattern) if not right), 4)
    expected = [0, 0.125, 0.25, 0.5, 1][first]
    assert consistency(dict(zip(KINDS, pattern, strict=True))) == expected


def test_the_answers_of_a_run_score_one_and_other_answers_less() -> None:
    rows, reasons = played(stage("reval", "ask"), seed_of(PROGRAM))
    values = [asdict(row) for row in rows]
    right = [any(strict(_answer(row), gold) for gold in json.loads(row.answer)) for row in rows]
    assert not reasons and mean_consistency(values, right) == 1
    wrong = [row.task != "next_line" for row in rows]
    assert mean_consistency(values, wrong) == 0.25


def _answer(row: Any) -> str:
    return answer_in(row.messages[-1].content) or ""


def test_items_stay_whole_where_some_are_drawn() -> None:
    rows, _ = played(stage("reval", "ask", "recipe.stages.ask.most=2"), seed_of(PROGRAM))
    drawn = {json.loads(row.shown).get("item") for row in rows}
    assert len(drawn) == 3 and len(rows) == 2 * 3 + 1
