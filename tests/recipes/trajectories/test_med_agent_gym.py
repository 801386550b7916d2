"""med_agent_gym: an action a turn, code that prints its answer, and an end where that is right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.recipes.trajectories.test_table_qa import seed
from tests.stages.trajectories.talking import asked, once, prompt_of
from transforms.recipes.table_questions import questions
from transforms.stages.trajectories.records import learned

ROW = next(row for row in questions(40, schema="patients") if row["kind"] == "count")
SEED = seed(ROW)
GIVEN: dict[str, Any] = {}
exec(ROW["code"], GIVEN)  # of a question that ships
GROUP, VALUE, NUMBER, BOUND = (GIVEN["input"][k] for k in ("group", "value", "number", "bound"))
RIGHT = (
    "import csv\nwith open('data.csv') as file:\n    rows = list(csv.DictReader(file))\n"
    f"answer = sum(r[{GROUP!r}] == {VALUE!r} and float(r[{NUMBER!r}]) > {BOUND} for r in rows)"
)


def action(name: str, **params: str) -> str:
    return json.dumps({"action": name, "params": params})


def acted(*texts: str, **fields: Any) -> tuple[Any, Any, Any]:
    made = stage("med_agent_gym", "act", "recipe.stages.act.sampler.samples=1")
    return once(replace(made, **fields).episode(SEED), *texts)


def shown(row: Any) -> list[str]:
    return [turn.content for turn in row.messages if not turn.sampled][2:]


def test_an_answer_is_printed_where_the_code_prints_nothing_and_ends_the_attempt() -> None:
    row, verdict, done = acted(action("validate_code", code=RIGHT), "never asked")
    assert verdict.kept and (row.answer, row.cells) == (SEED.answer, 1) and len(asked(done)) == 1
    assert shown(row) == [f"{SEED.answer}\nThat is right."]
    printing = action("validate_code", code=f"{RIGHT}\nprint(answer)")
    assert acted(printing)[0].answer == SEED.answer


def test_the_right_answer_is_not_told_to_code_that_is_wrong() -> None:
    row, verdict, _ = acted(action("validate_code", code="answer = -1"), *[RIGHT] * 9)
    assert shown(row)[0] == "-1\nThat is not right." and verdict.reason == "format"


def test_an_action_with_the_word_error_in_it_is_still_an_action() -> None:
    code = f"error = 'no error'\n{RIGHT}"
    row, verdict, _ = acted(action("validate_code", code=code))
    assert verdict.kept and row.asks == 1


@pytest.mark.parametrize(
    ("params", "seen"),
    [
        ({"info_type": "columns"}, '["patient", "ward"'),
        ({"info_type": "rows"}, "patient,ward,sex,diagnosis"),
        ({"info_type": "search", "keyterm": "P03"}, "\nP03,"),
        ({"info_type": "all"}, "info_type is columns, rows or search"),
    ],
)
def test_information_is_of_the_table(params: dict[str, str], seen: str) -> None:
    row, _, _ = acted(action("request_info", data_path="data.csv", **params), *["?"] * 4)
    assert seen in shown(row)[0] and len(shown(row)[0].splitlines()) <= 6


def test_debugging_asks_a_model_about_the_error_alone() -> None:
    failing = action("validate_code", code="1 / 0")
    asks = action("debug", code="1 / 0", error_msg="ZeroDivisionError")
    row, verdict, done = acted(failing, asks, "Do not divide.", action("validate_code", code=RIGHT))
    assert (
        verdict.kept and "ZeroDivisionError" in shown(row)[0] and "Do not divide." in shown(row)[1]
    )
    assert SEED.problem not in prompt_of(asked(done)[2])
    assert not any("Do not divide." in t.content for t in row.messages if learned(t))


def test_actions_and_unreadable_turns_are_limited() -> None:
    look = action("request_info", info_type="rows")
    row, verdict, done = acted(*[look] * 20)
    assert (verdict.reason, row.cells, len(asked(done))) == ("cells", 15, 15)
    row, verdict, done = acted("Hm.", look, "{broken", "Well.", "So?", look)
    assert (verdict.reason, row.cells, len(asked(done))) == ("format", 1, 5)
