"""semcoder: stated values are facts, witnesses are run, and a repair passes what failed before."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.programs.facts.running import traced
from tests.programs_for_tests import SPAM
from tests.recipes.playing import in_all_ways, player, stage
from tests.recipes.test_codeio import seed
from transforms.programs.questions import Task, retelling
from transforms.stages.graders import grade


@cache
def asked() -> list[Any]:
    return player()(stage("semcoder", "monologues").episode(seed(SPAM)))


def of(kind: str) -> Task:
    return next(task for task in asked() if task.task == kind)


def test_a_program_is_asked_about_in_both_directions_and_repaired_once() -> None:
    assert [task.task for task in asked()] == ["forward", "backward"] * 3 + ["refine"]


def test_the_retelling_of_a_trace_is_a_right_monologue() -> None:
    for task in asked()[:6:2]:
        [gold] = json.loads(task.answer)
        text = f"{retelling(traced(task.code))}\n```\n{gold}\n```"
        assert player()(grade(task, text)).score == 1


def test_a_monologue_with_a_false_step_is_rejected_though_its_end_is_right() -> None:
    text = retelling(traced(of("forward").code)).replace("spam = 48", "spam = 49")
    mark = player()(grade(of("forward"), f"{text}\n```\n560\n```"))
    assert (mark.fault, mark.seen) == ("false_claim", "[L5] `spam = 49`")


def test_a_tag_is_the_number_of_its_line_in_the_program_that_runs() -> None:
    shown = json.loads(of("forward").shown)["code"].splitlines()
    assert shown[4] == "[L5]     spam = emails * percent_spam // 100"


def test_the_backward_question_does_not_show_its_input() -> None:
    shown = json.loads(of("backward").shown)
    assert "160" not in shown["code"] and shown["known"] == "560"


def test_a_faulty_program_fails_a_test_and_its_repair_none() -> None:
    task = of("refine")
    assert player()(grade(task, f"```python\n{task.code}\n```")).fault == "failed_tests"
    assert player()(grade(task, f"```python\n{SPAM}\n```")).score == 1
    shown = json.loads(task.shown)
    assert shown["wrong"] != shown["right"] == "560"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("backward", "{'emails': 112, 'percent_spam': 0, 'days': 5}", "{'emails': 1}"),
        ("refine", SPAM, SPAM.replace("* days", "+ days")),
    ],
)
def test_only_proved_answers_are_rows(kind: str, right: str, wrong: str) -> None:
    kept = [verdict.kept for _, verdict in in_all_ways("semcoder", of(kind), right, wrong)]
    assert kept == [True] * 3 + [False] * 5
