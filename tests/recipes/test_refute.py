"""refute: faults that random inputs hardly show; identical programs are never told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import in_all_ways, player, stage
from tests.recipes.test_codeio import seed
from transforms.programs.mutants import mutants
from transforms.stages.graders import grade
from transforms.stages.pairs import known_outputs, outputs_on

BOUND = """input = {"levels": [310, 460, 505], "alarm": 420}

def solution(levels, alarm):
    # days on which the alarm is raised
    days = 0
    for level in levels:
        if level >= alarm:
            days += 1
    return days

output = solution(**input)
"""
OWN = {"levels": [310, 460, 505], "alarm": 420}


@cache
def asked(code: str, *overrides: str) -> Any:
    made = stage("refute", "mutate", *(f"recipe.stages.mutate.{item}" for item in overrides))
    return player()(made.episode(seed(code)))


def faults(tasks: Any) -> list[str]:
    return [json.loads(task.shown)["faulty"] for task in tasks]


def bound() -> Any:
    """The task whose fault is at the bound."""
    [task] = [t for t in asked(BOUND) if "level > alarm" in json.loads(t.shown)["faulty"]]
    return task


def test_a_fault_at_a_bound_is_hard_and_most_others_are_not() -> None:
    assert bound().code == BOUND
    assert len(asked(BOUND)) < len(mutants(BOUND)) / 2


def test_the_right_program_is_shown_where_the_problem_does_not_say_what_is_right() -> None:
    for overrides, is_shown in (([], False), (["shows_right=true"], True)):
        made = stage("refute", "mutate", *(f"recipe.stages.mutate.{each}" for each in overrides))
        [task, *_] = player()(made.episode(seed(BOUND)))
        prompt = stage("refute", "attempt").prompt
        asked_for = (
            prompt.rendered("chat", code=task.code, **json.loads(task.shown)).messages[0].content
        )
        assert (BOUND.strip() in asked_for) == is_shown


def test_mutants_that_a_random_input_refutes_are_dropped_as_in_the_paper() -> None:
    assert asked(SPAM, "easy=0.0").reason == "all_easy"
    survivors = faults(asked(BOUND, "easy=0.0", "tries=3"))
    right, *others = player()(outputs_on([BOUND, *survivors], [OWN]))
    assert survivors and all(other == right for other in others)


def test_an_input_that_brings_the_fault_out_is_the_only_row() -> None:
    right, wrong = "{'levels': [420], 'alarm': 420}", "{'levels': [1], 'alarm': 2}"
    ends = in_all_ways("refute", bound(), right, wrong)
    assert [verdict.reason for _, verdict in ends] == [
        *[None] * 3, "not_distinguished", "no_answer", "truncated", "no_answer", "no_answer",
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["{'levels': [420], 'alarm': 420}", repr(OWN)])
def test_a_program_is_never_told_from_itself(given: str) -> None:
    pair = json.dumps({"faulty": BOUND, "input": repr(OWN)})
    mark = player()(grade(replace(bound(), answer=pair), f"```\n{given}\n```"))
    assert mark.fault == "not_distinguished"


def test_inputs_that_no_json_holds_are_asked_about_all_the_same() -> None:
    code = BOUND.replace("[310, 460, 505]", "{(1, 2): 310, 3: 460, 4: 505}").replace(
        "in levels:", "in levels.values():"
    )
    for task in asked(code):
        mark = player()(grade(task, f"```\n{json.loads(task.shown)['own']}\n```"))
        assert mark.fault == "not_distinguished"


def test_programs_run_on_each_input_even_where_they_raise() -> None:
    endless = BOUND.replace("days += 1", "levels.append(500)")
    inputs = [OWN, {"levels": [1, "x"], "alarm": 2}, {**OWN, "alarm": 9}]
    assert player()(outputs_on([BOUND, endless, "output = 1"], inputs)) == [
        [[2], [], [3]],
        None,
        None,
    ]


def test_known_outputs_begin_with_the_own_one_and_are_none_without_it() -> None:
    pairs = player()(known_outputs("r", BOUND, 3))
    assert pairs[0] == (OWN, 2) and len(pairs) == 4
    broken = BOUND.replace("days = 0", "days = levels[3]")
    computed = BOUND.replace("[310, 460, 505]", "[310, 230 * 2, 505]")
    for code in (broken, computed, "output = 1"):
        assert player()(known_outputs("r", code, 3)) == []
