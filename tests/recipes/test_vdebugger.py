"""vdebugger: errors in one node of a program, marked by a critic and repaired by a refiner."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.playing import answering, stage
from tests.recipes.test_recipes import run
from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.programs.holes import filled, holes
from transforms.recipes.vdebugger import marked

SEED = replace(
    Seed.make(problem="How many?", answer="560", source="mine", license="MIT", code=SPAM),
    output="560",
)


HOLE = next(each for each in holes(SPAM) if SPAM[each.start : each.end] == "answered * days")
"""The node that is filled first, by the hash of the seed's id and its place."""
FILL = "answered + days"


def lessons(*texts: Any, **fields: Any) -> list[Any]:
    made = stage("vdebugger", "inject", f"recipe.stages.inject.sampler.samples={len(texts)}")
    return answering(*texts)(replace(made, nodes=1, **fields).episode(SEED))


def test_an_injected_program_differs_in_the_node_alone_and_is_wrong() -> None:
    rows = [row for row, verdict in lessons(FILL) if verdict.kept]
    assert [row.role for row in rows] == ["critic", "critic", "refiner"]
    for row in rows[1:]:
        assert row.faulty == filled(SPAM, HOLE, FILL) and row.output != SEED.output
        assert (row.code, row.node) == (SPAM, HOLE.kind)


def test_the_refiners_target_is_the_program_and_the_critics_the_place() -> None:
    _, (critic, _), (refiner, _) = lessons(FILL)
    assert refiner.messages[-1].content == f"```python\n{SPAM.rstrip()}\n```"
    said = critic.messages[-1].content
    assert "<error>" in said and said.replace("<error>", "").replace("</error>", "") == (
        f"```python\n{critic.faulty.rstrip()}\n```"
    )
    assert said.removeprefix("```python\n").removesuffix("\n```") in refiner.messages[0].content


def test_a_critic_sees_the_trace_with_values_and_never_the_right_output() -> None:
    _, (critic, _), _ = lessons(FILL)
    asked = critic.messages[0].content
    assert "@return" in asked and f"Its result: {critic.output}" in asked
    assert "<error>" not in asked.partition("Say ")[0] and "560" not in asked


def test_a_critic_is_taught_that_a_right_program_is_right_too() -> None:
    (row, verdict), *_ = lessons(FILL)
    assert verdict.kept and row.messages[-1].content == "The program is right."
    assert row.faulty is None and "560" in row.messages[0].content


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
    *_, verdict = lessons(text)
    assert isinstance(verdict, Verdict) and verdict.reason == reason


def test_the_same_error_twice_is_one() -> None:
    rows = lessons(FILL, FILL)
    assert Counter(v.reason for v in rows if isinstance(v, Verdict)) == {"repeated": 1}


def test_an_error_may_be_an_exception_which_is_shown_as_the_result() -> None:
    _, (critic, _), _ = lessons("1 / 0")
    assert "division by zero" in critic.output and "@exception" in critic.messages[0].content


def test_a_run_whose_trace_is_not_whole_makes_no_row() -> None:
    [verdict] = lessons(FILL, events=2)
    assert verdict.reason == "trace_cut"


def test_marks_stand_around_what_was_changed() -> None:
    code = "def solution(n):\n    return n"
    [hole] = [each for each in holes(code) if each.kind == "value"]
    made = filled(code, hole, "n + 1")
    assert marked(code, hole, made or "").endswith("return <error>n + 1</error>")


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
    roles = Counter(row["role"] for row in rows)
    assert roles["critic"] == roles["refiner"] + 1 > 1
    assert {reason for _, reason in ends} == {"repeated"}
