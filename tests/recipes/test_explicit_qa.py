"""explicit_qa: a row's answer is the scene's, and each step that fails is told from the others."""

from __future__ import annotations

import importlib.util
import json
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, once, prompt_of
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.tools import Tool, ToolSettings
from transforms.recipes import explicit_qa
from transforms.scenes import readers
from transforms.scenes.seeds import Asked
from transforms.scenes.seeds import asked as seeds_asked
from transforms.scenes.table import Table

PLAN = "1. Take the column.\n2. Add its numbers up."
ELSEWHERE = "recipe.stages.explain.read=scene"


@cache
def seed() -> Seed:
    [row] = seeds_asked(["table"], [1], 1, questions=1, kinds=["column_sum"])
    more = json.dumps({name: row[name] for name in ("level", "seed")})
    words = {name: row[name] for name in ("problem", "answer", "kind", "license")}
    return Seed.make(**words, source="tests", metadata=more)


def table() -> Table:
    about = Asked.of(seed())
    assert about is not None and isinstance(about.scene, Table)
    return about.scene


def column() -> str:
    return next(name for name in table().rows[0] if name in seed().problem)


def code(text: str) -> str:
    return f"So:\n```python\n{text}\n```"


RIGHT = code(f"result = df[{column()!r}].sum()")
EXPLAINED = f"The numbers of {column()} add up to {seed().answer}."


def misreading(scene: str) -> list[list[str]]:
    """Reads a table with one cell wrong that the column of the question does not need."""
    rows = [[*row] for row in Table.model_validate_json(scene).rows]
    rows[1][next(n for n, name in enumerate(rows[0]) if n and name != column())] = "1"
    return rows


def misreading_all(scene: str) -> list[list[str]]:
    """Reads a table with all numbers wrong."""
    head, *rows = [[*row] for row in Table.model_validate_json(scene).rows]
    return [head, *([row[0], *("1" for _ in row[1:])] for row in rows)]


def reading_nothing(scene: str) -> list[list[str]]:
    """Reads no table."""
    raise ValueError("rows differ")


def attempt(*texts: str, reader: Any = None, **fields: Any) -> tuple[Any, Any, Any]:
    made = copy(
        stage("explicit_qa", "explain", "recipe.stages.explain.sampler.samples=1", ELSEWHERE)
    )
    if reader is not None:
        made.read = "ocr"
        path = f"{__name__}.{reader.__name__}"
        made.tools = {"read": Tool("read", ToolSettings(function=path))}
    for name, value in fields.items():
        setattr(made, name, value)
    return once(made.episode(seed()), *texts)


def test_a_right_answer_is_a_row_with_every_step() -> None:
    row, verdict, play = attempt(PLAN, RIGHT, EXPLAINED)
    assert verdict.kept and row.answer == seed().answer and row.score == 1
    data = json.loads(row.data)
    assert data["reading"] == "clean" and data["program"] in RIGHT
    assert [m.content for m in row.messages if m.role == "assistant"] == [PLAN, RIGHT, EXPLAINED]
    first, second, third = asked(play)
    assert explicit_qa.markdown(table().rows) in prompt_of(first)
    assert "`df`" in prompt_of(second) and f"`{seed().answer}`" in prompt_of(third)
    assert str(seed().answer) not in prompt_of(first) + prompt_of(second)


def test_code_that_fails_is_asked_for_again_with_its_error() -> None:
    row, verdict, play = attempt(PLAN, code("result = df['Nothing'].sum()"), RIGHT, EXPLAINED)
    assert verdict.kept and row.cells == 2
    assert "KeyError" in prompt_of(asked(play)[2])


WRONG = code("result = 1")
FAILS = code("result = 1 / 0")


@pytest.mark.parametrize(
    ("texts", "reader", "reason"),
    [
        ((PLAN, FAILS, FAILS, FAILS), None, "fails"),
        ((PLAN, "no code", "none", "none"), None, "fails"),
        ((PLAN, WRONG), None, "wrong_answer"),
        ((PLAN, RIGHT, "It is the sum."), None, "unexplained"),
        ((PLAN, RIGHT, EXPLAINED), misreading, "lucky"),
        ((PLAN, RIGHT), misreading_all, "misread"),
        ((PLAN, RIGHT), reading_nothing, "unread"),
        (("",), None, "format"),
    ],
    ids=["code", "no code", "answer", "explanation", "lucky", "misread", "unread", "no plan"],
)
def test_each_step_that_fails_has_a_reason_of_its_own(
    texts: tuple[str, ...], reader: Any, reason: str
) -> None:
    _, verdict, _ = attempt(*texts, reader=reader)
    assert verdict.reason == reason


def test_lucky_answers_are_rows_where_they_are_wanted() -> None:
    row, verdict, _ = attempt(PLAN, RIGHT, EXPLAINED, reader=misreading, keeps_lucky=True)
    assert verdict.kept and json.loads(row.data)["reading"] == "lucky"


def test_a_run_without_ocr_is_one_line_that_names_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"explain\.read=ocr needs OCR"):
        replace(stage("explicit_qa", "explain", ELSEWHERE), read="ocr")


@pytest.mark.skipif(
    importlib.util.find_spec("rapidocr_onnxruntime") is None, reason="needs cotmill[ocr]"
)
def test_a_table_is_read_from_its_picture() -> None:
    made = stage("explicit_qa", "explain", "recipe.stages.explain.sampler.samples=1")
    row, verdict, _ = once(made.episode(seed()), PLAN, RIGHT, EXPLAINED)
    assert verdict.kept and json.loads(row.data)["reading"] == "clean"
