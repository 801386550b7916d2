"""table_qa: every form of a table is the same table, and rules grade where there is a reference."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes.execution.playing import played as validated
from tests.recipes.execution.playing import stage as made
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, played, prompt_of, script
from transforms.engine.records import Seed
from transforms.recipes.table_qa import stratum, table_of
from transforms.recipes.table_questions import STRATA, questions
from transforms.stages.trajectories.records import learned
from transforms.text.tables import FORMS, Table, read_table, rendered

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)
CELLS |= st.sampled_from(["a b", "", "|", "\\", "\\|", '"', "<td>", "&amp;", "1.50", "007", "-"])
CELLS |= st.integers(-999, 9999) | st.floats(-99, 99).map(lambda number: round(number, 2))


@given(st.data())
def test_every_form_is_read_back_as_the_same_table(data: Any) -> None:
    names = st.lists(CELLS.map(lambda cell: " ".join(str(cell).split())), min_size=1, max_size=4)
    columns = data.draw(names.map(lambda names: [*dict.fromkeys(names)]))
    row = st.lists(CELLS, min_size=len(columns), max_size=len(columns))
    table = Table.of(columns, data.draw(st.lists(row, max_size=4)))
    if len(columns) == 1:  # an empty line is no row
        table = Table.of(columns, [r for r in table.rows if r != ("",)])
    for form in FORMS:
        assert read_table(rendered(table, form), form) == table


def seed(row: dict[str, Any]) -> Seed:
    known = {name: row.get(name) for name in ("problem", "code", "answer", "kind")}
    metadata = {"table": row["table"], "criteria": row.get("criteria")}
    return Seed.make(**known, source="s", license="MIT", metadata=json.dumps(metadata))  # type: ignore[arg-type]


ROWS = list(questions(28))
SEED = seed(next(row for row in ROWS if row["kind"] == "total"))


def test_the_programs_of_all_kinds_of_questions_give_their_answers() -> None:
    assert {row["kind"] for row in ROWS} == STRATA.keys()
    kept, reasons = validated(made("codeio", "validate"), *map(seed, ROWS))
    assert len(kept) == len(ROWS) and not reasons


def test_only_what_can_be_summed_is_summed() -> None:
    summed = {
        row["problem"].partition("sum of ")[2].partition(" over")[0].partition(" largest")[0]
        for row in questions(200)
        if row["kind"] in ("total", "group")
    }
    assert not {"altitude", "age", "temperature at noon"} & summed and "days of stay" in summed


def solved(asked_about: Seed, *texts: str, samples: int = 1) -> tuple[Any, Any]:
    solve = stage("table_qa", "solve", f"recipe.stages.solve.sampler.samples={samples}")
    done = played(solve.episode(asked_about), script(*texts))
    return done.result, done


def call(code: str) -> str:
    arguments = {"name": "python", "arguments": {"code": code}}
    return f"<think>I count.</think>\n<tool_call>\n{json.dumps(arguments)}\n</tool_call>"


def test_attempts_see_the_table_in_several_forms_and_share_the_reference() -> None:
    end = f"<think>So.</think><answer>{SEED.answer}</answer>"
    pairs, done = solved(SEED, *[end] * 12, samples=12)
    shown = [prompt_of(request) for request in asked(done)]
    table = table_of(SEED)
    assert table is not None
    forms = [json.loads(row.data)["form"] for row, _ in pairs]
    assert len(set(forms)) >= 3
    for text, form in zip(shown, forms, strict=True):
        assert rendered(table, form) in text
    assert {row.reference for row, _ in pairs} == {SEED.answer}
    assert all(verdict.kept for _, verdict in pairs)
    assert stratum(pairs[0][0]) == f"total, {forms[0]}"


def test_the_data_frame_holds_the_table_and_what_it_gives_is_not_learned() -> None:
    given = SEED.code or ""
    names: dict[str, Any] = {}
    exec(given, names)  # of a question that ships
    group, value, number = (names["input"][key] for key in ("group", "value", "number"))
    code = f"print(round(df[df[{group!r}] == {value!r}][{number!r}].sum(), 6))"
    [(row, verdict)], _ = solved(SEED, call(code), f"<answer>{SEED.answer}</answer>")
    response = row.messages[-2]
    assert verdict.kept and "<tool_response>" in response.content
    assert str(names["output"]) in response.content and not learned(response)


def test_a_wrong_answer_is_no_row_and_a_table_is_needed() -> None:
    [(_, verdict)], _ = solved(SEED, "<answer>-1</answer>")
    assert verdict.reason == "wrong_answer"
    assert solved(replace(SEED, metadata="{}"))[0].reason == "no_table"
    assert solved(replace(SEED, answer=None))[0].reason == "no_reference"


OPEN = seed(
    {**ROWS[0], "answer": None, "code": None, "criteria": ["It names a shop.", "It says why."]}
)


@pytest.mark.parametrize(
    ("says", "score"),
    [
        ("1. Alder is named: yes\n2. Because of its sales: Yes.", 1.0),
        ("1. named: yes\n2. no", None),
    ],
)
def test_criteria_grade_where_there_is_no_reference(says: str, score: float | None) -> None:
    [(row, verdict)], _ = solved(OPEN, "<answer>Alder, whose sales are highest.</answer>")
    assert verdict.kept and row.reference is None
    judged = played(stage("table_qa", "judge").episode(row), script(says))
    assert len(asked(judged)) == 1 and "1. It names a shop." in prompt_of(asked(judged)[0])
    end = judged.result
    assert end.score == score if score else end.reason == "criteria_not_met"


def test_no_judge_is_asked_about_an_answer_that_a_rule_has_graded() -> None:
    [(row, _)], _ = solved(SEED, f"<answer>{SEED.answer}</answer>")
    judged = played(stage("table_qa", "judge").episode(row), script())
    assert judged.result is row and not asked(judged)
