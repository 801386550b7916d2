"""adar: templates and programs by a model, values redrawn, solvable, in other words."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipelines.export import ExportSettings, export
from tests.chat_server import chat_server
from tests.pipelines.commands import settings_of
from tests.recipes.playing import answering, player, stage
from tests.recipes.test_recipes import run
from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.recipes.adar import NewProblem, fill, is_like, values_of
from transforms.recipes.augment.redraws import redraw, redraws, template_slots
from transforms.text.numerals import numerals

PROBLEM = (
    "A shop sells 40 lamps a day for $2.50 each and keeps 30% of what it takes. "
    "How many dollars does it keep in 7 days?"
)
TEMPLATE = (
    PROBLEM.replace("40", "{lamps}").replace("2.50", "{price}").replace("30", "{share}")
).replace("7", "{days}")
CODE = """input = {"lamps": 40, "price": 2.5, "share": 30, "days": 7}


def solution(lamps, price, share, days):
    takings = lamps * price * days
    kept = takings * share / 100
    return kept


output = solution(**input)
"""
SEED = Seed.make(
    problem=PROBLEM, answer="210", solution="It keeps $210.", source="mine", license="MIT"
)


def written(template: str = TEMPLATE, code: str = CODE) -> str:
    return f"<template>{template}</template>\n\n```python\n{code}```"


def templated(text: str, seed: Seed = SEED) -> Any:
    return answering(text)(stage("adar", "template").episode(seed))


def verified(made: NewProblem) -> tuple[NewProblem, Verdict]:
    return player()(stage("adar", "verify").episode(made))


ROW, _ = verified(templated(written()))


def drawn(row: NewProblem = ROW) -> list[NewProblem]:
    return player()(stage("adar", "values").episode(row))


def test_the_values_of_the_problem_give_its_words_and_its_answer() -> None:
    assert isinstance(ROW, NewProblem)
    assert [n.value for n in numerals(ROW.filled)] == [n.value for n in numerals(PROBLEM)]
    assert (float(json.loads(ROW.output or "")), ROW.solution) == (210.0, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I cannot.", "no_program"),
        (written().partition("</template>")[2], "no_template"),
        (written(TEMPLATE.replace("{days}", "7")), "unassigned"),
        (written(TEMPLATE.replace("30%", "{rate}%").replace("{share}", "{rate}")), "unassigned"),
        (written(code=CODE.replace('"days": 7', '"days": 8')), "rewritten"),
        (written(TEMPLATE + " It is a big shop." * 9), "rewritten"),
        (written(code="input = {"), "no_program"),
    ],
)
def test_a_template_that_does_not_hold_says_why(text: str, reason: str) -> None:
    verdict = templated(text)
    assert isinstance(verdict, Verdict) and verdict.reason == reason


def test_a_problem_whose_answer_is_no_number_is_not_asked_about() -> None:
    assert templated("", replace(SEED, answer="yes")).reason == "no_number"


@pytest.mark.parametrize(
    ("code", "answer", "reason"),
    [
        (CODE, "$210", None),
        (CODE.replace("/ 100", "/ 10"), "210", "answer_mismatch"),
        (CODE.replace("/ 100", "/ 0"), "210", "runtime_error"),
        (CODE, "-210", "answer_mismatch"),  # the released code drops the sign
        (CODE, "210.02", "answer_mismatch"),
    ],
)
def test_a_program_gives_the_answer_of_the_problem(
    code: str, answer: str, reason: str | None
) -> None:
    _, verdict = verified(templated(written(code=code), replace(SEED, answer=answer)))
    assert verdict.reason == reason


def test_sixteen_problems_of_a_template_have_the_answers_that_its_program_gives() -> None:
    made = drawn()
    assert len(made) == 16 == len({each.id for each in made})
    for each in made:
        values = json.loads(each.input)
        assert each.problem == fill(TEMPLATE, values) and values_of(each.code or "") == values
        gives = values["lamps"] * values["price"] * values["days"] * values["share"] / 100
        assert float(each.answer or "") == pytest.approx(gives)
        assert set(each.seed_ids) == {SEED.id}


@given(st.integers(0, 500))
def test_new_values_keep_type_and_sign_and_stay_a_share_or_a_percentage(number: int) -> None:

    values = {"gain": 250, "loss": -12, "part": 0.25, "rate": 30, "zero": 0, "name": "Ann"}
    template = "{gain} {loss} {part} {rate} percent {zero} {name}"
    new = redraw(values, template_slots(template, values), 6.0, random.Random(number))
    assert {key: type(value) for key, value in new.items()} == {
        key: type(value) for key, value in values.items()
    }
    assert new["gain"] > 0 > new["loss"] and 0 < new["part"] < 1 and 0 < new["rate"] <= 100
    assert (new["zero"], new["name"]) == (0, "Ann") and 250 / 6 <= new["gain"] <= 1500


@pytest.mark.parametrize(
    ("value", "output", "like"),
    [(7, 3, True), (7.5, 3, False), (-7, 3, False), (7.5, 0.5, True), (0, 3, False),
     (True, 1, False), ("7", 3, False), (7, "yes", False), (float("inf"), 0.5, False)],
)  # fmt: skip
def test_an_answer_keeps_sign_and_wholeness(value: Any, output: Any, like: bool) -> None:
    assert is_like(value, output) is like


@given(st.integers(0, 30), st.integers(0, 1000))
def test_redraws_differ_from_each_other_and_from_what_is_redrawn(count: int, seed: int) -> None:
    values = {"gain": 3, "rate": 0.5}
    drawn = redraws(values, template_slots("{gain} {rate}", values), 2.0, count, seed, "values")
    assert values not in drawn and len({repr(each) for each in drawn}) == len(drawn) <= count
    assert drawn == redraws(
        values, template_slots("{gain} {rate}", values), 2.0, count, seed, "values"
    )


def test_a_template_without_a_number_to_draw_is_rejected() -> None:
    row = replace(ROW, template="In {year}?", input='{"year": 1999}')
    verdict = player()(stage("adar", "values").episode(row))
    assert verdict.reason == "nothing_to_draw"


def solved(*texts: str, name: str = "solvable") -> Any:
    return answering(*texts)(stage("adar", name).episode(ROW))


def test_a_problem_that_one_of_five_solutions_solves_is_solvable() -> None:
    wrong = ["It contradicts itself."] * 4
    kept = solved(*wrong, "\\boxed{210}")
    assert json.loads(kept.metadata)["solved"] == "1 of 5" and kept.calls[-1].stage == "solvable"
    assert solved(*wrong, "\\boxed{211}").reason == "unsolved"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROBLEM.replace("A shop sells", "Daily, a store finds buyers for"), None),
        (PROBLEM.replace("40 ", "many "), "numbers_changed"),
        (PROBLEM.replace("40 lamps", "40 lamps (yes, 40)"), "numbers_changed"),
        (PROBLEM.replace("How many dollars", "How much"), "demands_changed"),
        (PROBLEM.replace("keep in 7 days?", "keep in 7 days, to the nearest dollar?"),
         "demands_changed"),
    ],
)  # fmt: skip
def test_a_paraphrase_keeps_every_number_and_demand(text: str, reason: str | None) -> None:
    made = answering(text)(stage("adar", "paraphrase").episode(ROW))
    assert getattr(made, "reason", None) == reason
    if reason is None:
        assert made.problem == text and made.filled == ROW.filled


def test_augmented_problems_are_told_in_other_words_and_solved(tmp_path: Path) -> None:
    text = "It takes 40 * 2.5 * 7 = 700 dollars and keeps 700 * 30 / 100 = 210.\n\n\\boxed{210}"
    seeds = [{"problem": PROBLEM, "answer": "210", "solution": text, "code": CODE}]
    with chat_server(say) as (url, _):
        _, rows, ends = run(tmp_path, "augment_reworded", url, seeds)
    assert rows and {stage for stage, _ in ends} <= {"augment", "verify", "distinct"}
    for row in rows:
        assert row["problem"].startswith("Think: ") and json.loads(row["metadata"])["solved"]
        values = json.loads(row["input"])
        gives = values["lamps"] * values["price"] * values["days"] * values["share"] / 100
        assert float(row["answer"]) == pytest.approx(gives)


def say(body: dict[str, Any]) -> dict[str, Any]:
    """Writes the template, computes by the hint, and puts a word before the problem."""
    asked = body["messages"][-1]["content"]
    if "<template>" in asked:
        return {"content": written()}
    if "in other words" in asked:
        return {"content": "Think: " + asked.strip().rpartition("\n")[2]}
    code = asked.partition("```python\n")[2].partition("```")[0]
    space: dict[str, Any] = {}
    exec(code, space)
    return {"content": f"\\boxed{{{space['output']}}}"}


def test_the_recipe_makes_problems_that_leave_for_reinforcement_learning(tmp_path: Path) -> None:
    seeds = [{"problem": PROBLEM, "answer": "210", "solution": "It keeps $210."}]
    few = ["recipe.stages.values.variants=3"]
    with chat_server(say) as (url, asked):
        _, rows, ends = run(tmp_path, "adar", url, seeds, *few)
        before = len(asked)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay", "runner.workers=2"]
        again = run(tmp_path / "again", "adar", "", seeds, *few, *replay)
    assert (again[1], ends, before) == (rows, [], 1 + 3 * (5 + 1 + 2))
    given = [f"run={tmp_path}/run", "format=rl", "format.trainer=verl", f"output_dir={tmp_path}/rl"]
    export(settings_of("export", ExportSettings, *given), Console(quiet=True))
    made = pl.concat(map(pl.read_parquet, (tmp_path / "rl").rglob("*.parquet"))).to_dicts()
    truths = {each["prompt"][-1]["content"]: each["reward_model"]["ground_truth"] for each in made}
    assert truths == {row["problem"]: row["answer"] for row in rows}
    assert all(each["prompt"][-1]["content"].startswith("Think: ") for each in made)
