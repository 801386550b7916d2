"""multi_turn_code: hints that no row shows, feedback, and hidden tests that decide."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, once, played, prompt_of, script
from transforms.engine.records import Seed
from transforms.models.requests import ErrorKind
from transforms.recipes.multi_turn_code import single_turn
from transforms.stages.trajectories.records import Trajectory, turns_of

PUBLIC = {"input": ["1 2\n"], "output": ["3\n"]}
PRIVATE = {"input": ["2 5\n", "0 0\n"], "output": ["7\n", "0\n"]}


def seed(**columns: Any) -> Seed:
    tests = {"public_tests": PUBLIC, "private_tests": PRIVATE, **columns}
    return Seed.make(problem="Add two numbers.", source="mine", license="MIT",
                     metadata=json.dumps(tests))  # fmt: skip


def program(code: str) -> str:
    return f"Let me see.\n```python\n{code}\n```"


RIGHT = program("print(sum(map(int, input().split())))")
PRODUCT = program("a, b = map(int, input().split())\nprint(a * b)")
CONSTANT = program("print(3)")


def attempt(*texts: Any, **fields: Any) -> tuple[Trajectory, Any, list[str]]:
    """The row, the verdict, and all that the model saw of each of its turns."""
    made = stage("multi_turn_code", "solve", "recipe.stages.solve.sampler.samples=1")
    row, verdict, done = once(replace(made, **fields).episode(seed()), *texts)
    return row, verdict, [prompt_of(request) for request in asked(done)]


def hints() -> tuple[tuple[str, ...], tuple[str, ...]]:
    made = stage("multi_turn_code", "solve")
    return made.reasoning, made.instruction


def test_eight_by_six_words_are_forty_eight_prompts() -> None:
    made = replace(stage("multi_turn_code", "solve"), guidance="grid")
    reasoning, instruction = hints()
    assert (len(reasoning), len(instruction)) == (8, 6)
    assert len({made.hint(0, sample) for sample in range(48)}) == 48
    assert made.hint(0, 48) == made.hint(0, 0) and not made.hint(1, 0)


def test_hints_come_after_failures_alone_and_no_row_shows_them() -> None:
    row, verdict, prompts = attempt(PRODUCT, CONSTANT.replace("3", "4"), RIGHT)
    reasoning, instruction = hints()
    seen = [[hint for hint in (*reasoning, *instruction) if hint in text] for text in prompts]
    assert seen == [[], [reasoning[0]], [reasoning[1]]]
    assert verdict.kept
    said = "".join(turn.content for turn in row.messages)
    assert not any(hint in said for hint in (*reasoning, *instruction))


def test_the_ids_of_a_row_are_those_of_its_turns_without_hints() -> None:
    row, _, _ = attempt(PRODUCT, RIGHT)
    assert [t.id for t in turns_of(row.messages[:1])] == [row.messages[0].id]
    plain, _, _ = attempt(PRODUCT, RIGHT, guidance="none")
    assert [turn.id for turn in plain.messages] == [turn.id for turn in row.messages]


def test_the_last_turn_of_a_row_passes_all_tests_and_feedback_is_of_public_ones() -> None:
    row, verdict, prompts = attempt(PRODUCT, RIGHT)
    assert verdict.kept and (row.score, row.asks, row.cells) == (1.0, 2, 4)
    assert row.answer == "print(sum(map(int, input().split())))"
    feedback = row.messages[2].content
    assert "fails 1 of the 1 public tests" in feedback
    assert "Right output:\n3\nIts output:\n2" in feedback and "2 5" not in prompts[1]


@pytest.mark.parametrize(
    ("texts", "reason", "asks"),
    [
        ([CONSTANT], "failed_private", 1),
        ([PRODUCT] * 9, "failed_public", 3),
        (["I give up."] * 9, "no_answer", 3),
        (["```python\nprint(3)"], "format", 1),
    ],
)
def test_an_attempt_that_is_no_good_says_why(texts: list[str], reason: str, asks: int) -> None:
    row, verdict, prompts = attempt(*texts)
    assert (verdict.reason, len(prompts), row.score) == (reason, asks, 0.0)


def test_an_attempt_that_stays_unanswered_is_put_off() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    row, verdict, _ = attempt(PRODUCT, lost)
    assert verdict.unanswered and not any(h in row.messages[2].content for h in hints()[0])


@pytest.mark.parametrize(
    ("grain", "shows", "hides"),
    [
        ("binary", "fails 1 of the 1", "input:"),
        ("failed", "Failed with the input:\n1 2", "blocks"),
        ("trace", "What its blocks do:\na, b = map(int, input().split())", "Passed"),
    ],
)
def test_feedback_is_as_fine_as_it_is_set(grain: str, shows: str, hides: str) -> None:
    row, _, _ = attempt(PRODUCT, RIGHT, grain=grain)
    feedback = row.messages[2].content
    assert shows in feedback and hides not in feedback


def test_a_seed_without_tests_is_rejected() -> None:
    made = stage("multi_turn_code", "solve").episode(seed(private_tests=None))
    assert played(made, script()).result.reason == "no_tests"


def test_rows_of_one_turn_are_left_out_and_fifty_stay_of_a_problem() -> None:
    once, twice = attempt(RIGHT)[0], attempt(PRODUCT, RIGHT)[0]
    assert (single_turn(once).reason, single_turn(twice).kept) == ("single_turn", True)
    words = ["".join(f"w{n * 40 + k} " for k in range(40)) for n in range(60)]
    rows = []
    for number, text in enumerate(words):
        last = replace(twice.messages[-1], content=text)
        rows.append(replace(twice, id=f"{number:02}", messages=(*twice.messages[:-1], last)))
    rows.append(replace(rows[0], id="99"))
    decided = stage("multi_turn_code", "few").of(rows)
    reasons = [verdict.reason for _, verdict in decided]
    assert reasons.count(None) == 50 and reasons[-1] == "near_duplicate"
