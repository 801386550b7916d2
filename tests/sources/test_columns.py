"""Columns by name, by path and in chats, and what is said of those that are not there."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.errors import SourceError
from transforms.sources.columns import (
    check_columns,
    column_at,
    columns_of,
    has_column,
    outline,
    value_of,
    wanted_columns,
)

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2 + 3?"},
    {"role": "assistant", "content": "6"},
    {"role": "user", "content": "Sure?"},
    {"role": "assistant", "content": "It is 5."},
]
SHAREGPT = [{"from": "human", "value": "What is 2 + 3?"}, {"from": "gpt", "value": "It is 5."}]
PARTS = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "q"}]}]


def value(row: dict[str, Any], field: str, **columns: Any) -> Any:
    return value_of(field, columns_of(field, columns, row), row)


@pytest.mark.parametrize(
    ("row", "path", "expected"),
    [
        ({"meta": {"final": "5"}}, "meta.final", "5"),
        ({"meta.final": "6", "meta": {"final": "5"}}, "meta.final", "6"),
        ({"a.b": {"c.d": 1}}, "a.b.c.d", 1),
        ({"a": 1, "a.b": {"c": 2}}, "a.b.c", 2),
        ({"answer[1]": "7"}, "answer[1]", "7"),
        ({"answers": [{"text": "7"}]}, "answers.0.text", "7"),
        ({"meta": '{"final": "5"}'}, "meta.final", "5"),
        ({"spans": ["a", "b"]}, "spans.1", "b"),
    ],
)
def test_a_path_leads_into_a_column_unless_a_column_has_that_very_name(
    row: dict, path: str, expected: Any
) -> None:
    assert column_at(row, path) == expected


@pytest.mark.parametrize("path", ["b", "a.c", "a.b.c", "l.1", "l.x", "t.a", ""])
def test_a_path_to_nothing_is_no_column(path: str) -> None:
    assert not has_column({"a": {"b": 1}, "l": [0], "t": "{broken"}, path)


@given(st.dictionaries(st.text("a.0", min_size=1), st.integers(), min_size=1))
def test_every_column_is_found_by_its_own_name(row: dict[str, int]) -> None:
    assert all(column_at(row, name) == value for name, value in row.items())


@pytest.mark.parametrize("chat", [CHAT, SHAREGPT])
@pytest.mark.parametrize("columns", [{}, {"problem": "messages"}])
def test_a_chat_gives_the_first_question_and_the_last_answer(chat: list, columns: dict) -> None:
    row = {"messages": chat}
    assert value(row, "problem", **columns) == "What is 2 + 3?"
    assert value(row, "solution", **columns) == "It is 5."


def test_a_prompt_that_is_a_chat_has_no_solution() -> None:
    assert value({"prompt": CHAT[:2]}, "problem") == "What is 2 + 3?"
    assert value({"prompt": CHAT[:2]}, "solution") is None


def test_text_is_taken_out_of_the_parts_of_a_turn() -> None:
    assert value({"messages": PARTS}, "problem") == "q"


def test_columns_that_are_listed_are_joined() -> None:
    row = {"body": "Ann has 3 pens. ", "question": "How many?", "other": None}
    assert value(row, "problem", problem=["body", "question"]) == "Ann has 3 pens. How many?"
    assert value(row, "problem", problem=["body", "other"]) is None
    assert value({**row, "other": ""}, "problem", problem=["question", "other"]) == "How many?"


def test_a_column_that_is_mapped_fills_no_field_of_its_own_name() -> None:
    row = {"question": "q", "answer": "long and worked"}
    assert value(row, "answer", problem="question", solution="answer") is None


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        ({"question": "q", "answer": "1"}, {}, ("question",)),
        ({"problem": "p", "question": "q"}, {}, ("problem",)),
        ({"question": "q", "prompt": "p"}, {}, ()),
        ({"question": "q", "prompt": "p"}, {"answer": "prompt"}, ("question",)),
        ({"input": "1", "code": "x = 1"}, {}, ()),
        ({"question": "q", "input": "1", "code": "x = 1"}, {}, ("question",)),
        ({"messages": CHAT}, {"answer": "messages"}, ("messages",)),
    ],
)
def test_the_problem_is_guessed_only_where_one_column_may_be_it(
    row: dict, columns: dict, expected: tuple
) -> None:
    assert columns_of("problem", columns, row) == expected


def test_a_guess_is_told_in_one_line() -> None:
    row = {"question": "q", "answer": "1"}
    [line] = check_columns("a.jsonl", {}, [row])
    assert "column question" in line and "\n" not in line
    assert check_columns("a.jsonl", {"problem": "question"}, [row]) == []
    assert check_columns("a.jsonl", {}, [{**row, "problem": "q"}]) == []


def test_where_no_column_gives_an_answer_a_line_says_so() -> None:
    [line] = check_columns("a.jsonl", {"problem": "q"}, [{"q": "q", "Answer": "1"}])
    assert "no column gives an answer" in line and "its columns are Answer, q" in line


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        ([{"Question": "q"}], {}, "source.columns.problem=Question"),
        ([{"question": "q"}], {"problem": "Question"}, "did you mean question?"),
        ([{"question": "q"}], {"problem": "qestion"}, "did you mean question?"),
        ([{"meta": {"final": 1}}], {"answer": "final"}, "did you mean meta.final?"),
        ([{"question": "q", "prompt": "p"}], {}, "question or prompt may be it"),
        ([{"a": 1}, {"b": {"c": 1}}], {"answer": "d"}, "its columns are a, b, b.c"),
    ],
)
def test_a_column_that_is_not_there_is_one_line_with_the_nearest_name(
    rows: list, columns: dict, said: str
) -> None:
    with pytest.raises(SourceError) as error:
        check_columns("a.jsonl", columns, rows)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_column_of_some_rows_is_there() -> None:
    assert check_columns("here", {"answer": "a"}, [{"problem": "p"}, {"a": None}]) == []


def test_a_schema_shows_the_paths_into_its_columns() -> None:
    turn = pa.struct({"role": pa.string(), "content": pa.string()})
    schema = pa.schema({"messages": pa.list_(turn), "meta": pa.struct({"final": pa.int64()})})
    [line] = check_columns("a.parquet", {"answer": "meta.final"}, [outline(schema)])
    assert "column messages" in line


def test_the_columns_to_read_hold_the_first_keys_of_paths() -> None:
    wanted = wanted_columns({"problem": "a.b.c", "answer": "x"})
    assert {"a.b.c", "a.b", "a", "x", "solution", "choices"} <= set(wanted)
    assert not {"question", "answer", "source"} & set(wanted)
