"""Recipes about code that no other family has: options, survivors, hidden functions, agreed tests,
plans."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.execution.playing import played as without_model
from tests.recipes.execution.playing import seed_of
from tests.recipes.execution.playing import stage as made
from tests.recipes.playing import in_all_ways, player, stage
from tests.recipes.test_codeio import SHIPPED
from tests.stages.trajectories.talking import SEED, asked, once, played, prompt_of, script
from transforms.programs.questions import read_literal
from transforms.recipes.agreed_tests import agreed
from transforms.recipes.code_choice import around
from transforms.recipes.code_plans import sketch
from transforms.stages.graders import grade

OWN = "{'emails': 160, 'percent_spam': 30, 'days': 5}"
KEYS = f"input = {OWN}\n\ndef solution(**given):\n"


def fenced(text: str) -> str:
    return f"So:\n```python\n{text}\n```"


@cache
def choices() -> list[Any]:
    return without_model(made("code_choice", "ask"), *map(seed_of, [SPAM, SHIPPED[5]["code"]]))[0]


def test_exactly_one_option_is_what_the_run_gives() -> None:
    assert {row.task for row in choices()} == {"output", "line"}
    for row in choices():
        shown, names = json.loads(row.shown), {}
        exec(row.code, names)  # of a shipped program
        gold = json.dumps(names["output"])
        right = []
        for option in shown["options"]:
            if row.task == "output":
                right.append(json.loads(option) == names["output"])
                continue
            other: dict[str, Any] = {}
            exec(shown["shown"].replace("...", option, 1), other)
            right.append(json.dumps(other["output"]) == gold)
        assert len(right) == 4 and right.count(True) == 1
        assert json.loads(row.answer) == [str(right.index(True) + 1)]
        assert player()(grade(row, row.messages[-1].content)).score == 1


def test_no_line_is_the_one_that_the_others_are_near_to() -> None:
    lines = [json.loads(row.shown) for row in choices() if row.task == "line"]
    for shown in lines:
        assert "#" not in shown["shown"]
        words = zip(*(re.findall(r"\w+|[^\w\s]+", each) for each in shown["options"]), strict=True)
        counts = [sorted(Counter(each).values()) for each in words]
        assert counts.count([2, 2]) == 2 and all(each in ([4], [2, 2]) for each in counts)
    assert lines


def test_the_right_number_is_as_often_the_largest_as_the_smallest() -> None:
    others = ["4", "6", "7", "3", "5.5", "1"]
    drawn = [around("5", others, random.Random(n)) for n in range(400)]
    ranks = Counter(sorted(["5", *each], key=float).index("5") for each in drawn)
    assert set(ranks) == {0, 1, 2, 3} and min(ranks.values()) > 70
    assert around('"b"', ['"a"', '"c"', '"d"', '"e"'], random.Random(0)) == ['"a"', '"c"', '"d"']
    assert around("5", ["6", "7", "8"], random.Random(1)) == ["6", "7", "8"]


RARE = """input = {'n': 13, 'k': 4}

def solution(n, k):
    # all of them
    m = n * k + 6
    # one in five has some more
    if n % 5 == 2:
        m = m + 3
    return m

output = solution(**input)"""


@cache
def survivors() -> list[Any]:
    return without_model(made("stronger_tests", "survive"), seed_of(RARE))[0]


def test_a_survivor_passes_the_given_tests_and_an_answer_has_to_show_its_fault() -> None:
    assert survivors()
    for task in survivors():
        shown = json.loads(task.shown)
        assert len(shown["tests"]) == 3
        for given, wanted in shown["tests"]:
            names: dict[str, Any] = {}
            faulty = shown["faulty"].rsplit("output =", 1)[0]
            exec(faulty, names)  # a mutant of a shipped program
            assert names["solution"](**read_literal(given)) == json.loads(wanted)
            assert player()(grade(task, fenced(given))).fault == "not_distinguished"


def found_out(*texts: str) -> tuple[Any, Any, Any]:
    find = stage("hidden_function", "find", "recipe.stages.find.sampler.samples=1")
    return once(find.episode(seed_of(SPAM, "560")), *texts)


def query(**given: Any) -> str:
    return json.dumps({"action": "query", "params": {"input": given}})


def test_a_hidden_function_answers_queries_and_is_never_shown() -> None:
    row, verdict, done = found_out(query(emails=10, percent_spam=50, days=2), fenced(SPAM))
    assert verdict.kept and row.score == 1 and row.cells == 1
    assert row.messages[-2].content == "10" and not row.messages[-2].sampled
    prompts = "".join(map(prompt_of, asked(done)))
    assert OWN in prompts and "answered" not in prompts


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fenced(SPAM.replace("answered * days", "560")), "wrong_answer"),
        (fenced(f"{KEYS}    return 560\n\noutput = solution(**input)"), "wrong_answer"),
        ("I do not know.", "no_answer"),
    ],
)  # fmt: skip
def test_what_is_right_on_the_shown_pair_alone_is_no_row(answer: str, reason: str) -> None:
    assert found_out(answer)[1].reason == reason


def test_an_input_unlike_the_programs_own_is_refused() -> None:
    row, _, _ = found_out(query(emails=10), "Well.")
    assert "that is no input" in row.messages[-2].content


TWICE = """input = {'n': 3}

def solution(n):
    # twice
    m = 2 * n
    return m

output = solution(**input)"""
ADDED = TWICE.replace("2 * n", "n + n")
SQUARE = TWICE.replace("2 * n", "n * n")
INPUTS = "[{'n': 2}, {'n': 3}, {'n': 0}, {'n': 5}, {'n': -4}]"


def agree(*programs: str, inputs: str = INPUTS) -> Any:
    samples = f"recipe.stages.agree.sampler.samples={len(programs)}"
    made = stage("agreed_tests", "agree", samples)
    return played(made.episode(SEED), script(*map(fenced, programs), fenced(inputs))).result


def test_tests_are_the_inputs_on_which_most_solutions_agree() -> None:
    longer = TWICE.replace("return m", "m = m + 0\n    return m")
    task = agree(longer, SQUARE, TWICE, ADDED)
    cases = dict(json.loads(task.answer))
    assert cases == {repr({"n": n}): str(2 * n) for n in (2, 3, 0, 5, -4)}
    assert task.code.strip() == min(TWICE, ADDED)
    assert player()(grade(task, fenced(TWICE))).score == 1
    kept = [v.kept for _, v in in_all_ways("agreed_tests", task, TWICE, SQUARE)]
    assert kept == [True] * 3 + [False] * 5


@pytest.mark.parametrize(
    ("programs", "inputs", "reason"),
    [
        ([TWICE, SQUARE], INPUTS, "few_tests"),
        ([TWICE, TWICE], "[{'n': 1}]", "few_inputs"),
        ([TWICE, "nothing"], INPUTS, "few_programs"),
        ([TWICE.replace("2 * n", "0 * n")] * 2, INPUTS, "one_output"),
        ([TWICE, TWICE], "[{'n': x} for x in range(9)]", "few_inputs"),
    ],
)
def test_what_is_not_agreed_on_is_no_test(programs: list[str], inputs: str, reason: str) -> None:
    assert agree(*programs, inputs=inputs).reason == reason


def test_a_failure_is_no_output_to_agree_on() -> None:
    assert agreed([{"n": 1}], [[None], [None], ["1"]], 0.6) == []


def test_a_plan_has_the_steps_and_none_of_what_they_compute() -> None:
    plan = sketch(SPAM) or ""
    assert "# emails that need no reply each day" in plan
    assert "spam = ...  # from emails, percent_spam" in plan
    assert "*" not in plan and "100" not in plan
    [task], _ = without_maps(SPAM)
    kept = [v.kept for _, v in in_all_ways("code_plans", task, "560", "561")]
    assert kept == [True] * 3 + [False] * 5


def without_maps(code: str) -> tuple[list[Any], list[str]]:
    made_of = stage("code_plans", "sketch").of(seed_of(code, "560"))
    return [made_of], []
