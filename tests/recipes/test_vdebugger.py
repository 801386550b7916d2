"""vdebugger: errors in one node of a program, marked by a critic and repaired by a refiner."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.playing import answering, player, stage
from tests.recipes.test_recipes import run
from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.programs.holes import filled, holes
from transforms.recipes.vdebugger import marked
from transforms.stages.graders import Fault, grade

SEED = replace(
    Seed.make(problem="How many?", answer="560", source="mine", license="MIT", code=SPAM),
    output="560",
)


HOLE = next(each for each in holes(SPAM) if SPAM[each.start : each.end] == "answered * days")
"""The node that is filled first, by the hash of the seed's id and its place."""
FILL = "answered + days"


def made(*texts: Any, **fields: Any) -> list[Any]:
    """The rows and rejections of one node that is filled with texts."""
    inject = stage("vdebugger", "inject", f"recipe.stages.inject.sampler.samples={len(texts)}")
    return answering(*texts)(replace(inject, nodes=1, **fields).episode(SEED))


def lessons(*texts: Any) -> list[Any]:
    """The rows: of the right program, and a critic's and a refiner's of each faulty one."""
    return [each for each in made(*texts) if not isinstance(each, Verdict)]


def reasons(*texts: Any, **fields: Any) -> list[str | None]:
    return [each.reason for each in made(*texts, **fields) if isinstance(each, Verdict)]


def shown(row: Any) -> dict[str, Any]:
    return json.loads(row.shown)


def test_an_injected_program_differs_in_the_node_alone_and_is_wrong() -> None:
    right, critic, refiner = lessons(FILL)
    assert [row.task for row in (right, critic, refiner)] == ["critic", "critic", "refiner"]
    assert shown(critic)["code"] == (filled(SPAM, HOLE, FILL) or "").rstrip()
    for row in (critic, refiner):
        assert shown(row)["output"] != SEED.output
        assert (row.code, shown(row)["node"]) == (SPAM, HOLE.kind)


def test_the_refiners_target_is_the_program_and_the_critics_the_place() -> None:
    _, critic, refiner = lessons(FILL)
    assert refiner.messages[-1].content == f"```\n{SPAM.rstrip()}\n```"
    [marked_one] = json.loads(critic.answer)
    plain = marked_one.replace("<error>", "").replace("</error>", "")
    assert "<error>" in marked_one and plain == shown(critic)["code"]
    assert critic.messages[-1].content == f"```\n{marked_one}\n```"
    assert marked_one == shown(refiner)["code"] and marked_one in refiner.messages[0].content


def test_a_row_is_a_task_whose_grader_takes_the_target_alone() -> None:
    for row in lessons(FILL):
        target, other = row.messages[-1].content, "```\nThe program is wrong.\n```"
        assert player()(grade(row, target)).fault is None
        assert player()(grade(row, other)).fault is Fault.WRONG_ANSWER


def test_a_critic_sees_the_trace_with_values_and_never_the_right_output() -> None:
    _, critic, _ = lessons(FILL)
    asked = critic.messages[0].content
    assert "return 117 | return" in asked and f"Its result: {shown(critic)['output']}" in asked
    assert "<error>" not in asked.partition("Is it right?")[0] and "560" not in asked


def test_a_critic_is_taught_that_a_right_program_is_right_too() -> None:
    row, *_ = lessons(FILL)
    assert row.messages[-1].content == "```\nThe program is right.\n```"
    assert "node" not in shown(row) and "560" in row.messages[0].content


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("answered * days", "unchanged"),
        ("```python\n(answered*days)  # the same\n```", "unchanged"),
        ("I cannot (", "not_in_place"),
        ("answered * days + 0", "still_right"),
        ("", "empty_response"),
    ],
)
def test_a_filling_that_makes_no_error_is_rejected_by_reason(text: str, reason: str) -> None:
    assert reasons(text) == [reason]


def test_the_same_error_twice_is_one() -> None:
    assert reasons(FILL, FILL) == ["repeated"] and len(lessons(FILL, FILL)) == 3


def test_an_error_may_be_an_exception_which_is_shown_as_the_result() -> None:
    _, critic, _ = lessons("1 / 0")
    assert "division by zero" in shown(critic)["output"]
    assert "exception ZeroDivisionError" in critic.messages[0].content


def test_a_run_whose_trace_is_not_whole_makes_no_row() -> None:
    assert reasons(FILL, events=2) == ["trace_cut"] * len(made(FILL, events=2))


def test_marks_stand_around_what_was_changed() -> None:
    code = "def solution(n):\n    return n"
    [hole] = [each for each in holes(code) if each.kind == "value"]
    program = filled(code, hole, "n + 1")
    assert marked(code, hole, program or "").endswith("return <error>n + 1</error>")


def test_the_recipe_makes_rows_of_both_roles_that_replay(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        holed = body["messages"][-1]["content"].partition("```python\n")[2].partition("\n```")[0]
        line = next(each for each in holed.split("\n") if "<hole>" in each)
        return {"content": "return 7" if line.strip() == "<hole>" else "7"}

    seeds = [{"problem": "How many?", "answer": "560", "code": SPAM}]
    with chat_server(say) as (url, asked):
        _, rows, ends = run(tmp_path, "vdebugger", url, seeds)
        before = len(asked)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay", "runner.workers=2"]
        again = run(tmp_path / "again", "vdebugger", "", seeds, *replay)
    assert (again[1], len(asked)) == (rows, before)
    roles = Counter(row["task"] for row in rows)
    assert roles["critic"] == roles["refiner"] + 1 > 1
    assert {reason for _, reason in ends} == {"repeated"}
