"""CodeSense: each kind of question comes out of the recipe, in words that state what it needs."""

from __future__ import annotations

import json
import re

import pytest

from tests.programs.questions.test_pieces import PROGRAM
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.stages.graders import answer_in


@pytest.fixture(scope="module")
def rows() -> dict[str, str]:
    kept, reasons = played(stage("codesense", "ask"), seed_of(PROGRAM))
    assert not reasons
    for row in kept:
        assert answer_in(row.messages[-1].content) in json.loads(row.answer)
    return {row.task: row.messages[0].content for row in kept}


def test_every_kind_of_question_is_asked(rows: dict[str, str]) -> None:
    assert set(rows) == {
        "statement", "block", "branch", "iterations", "loop_body", "loop_end", "alias",
    }  # fmt: skip


def test_a_question_about_a_piece_states_its_variables(rows: dict[str, str]) -> None:
    assert "The variables used there then have these values:\n" in rows["statement"]
    assert "The program is run once" not in rows["statement"]


def test_a_question_about_one_of_several_times_says_which(rows: dict[str, str]) -> None:
    assert re.search(r"for the (1st|2nd|3rd|\dth) time", rows["branch"])
    assert " times" not in rows["iterations"]


def test_a_branch_does_not_tell_the_last_time_of_a_loop_that_ends_it(rows: dict[str, str]) -> None:
    assert re.search(r"is evaluated for the \d+(st|nd|rd|th) time, does it hold", rows["branch"])
