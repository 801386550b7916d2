"""Rows, and the seeds that their columns make."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs_for_tests import SPAM
from transforms.engine.accounting import Verdict
from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.sources.forms import split_steps
from transforms.sources.rows import Row, SeedReason, plain, refused, seed_of


def seed(row: dict[str, Any], columns: dict[str, str] | None = None) -> Seed | Verdict:
    return seed_of(Row.make("mine", json.dumps(row), "a.jsonl"), columns or {}, None)


def test_columns_named_as_fields_need_no_mapping() -> None:
    made = seed({"problem": "p", "answer": "1", "kind": "k", "license": "MIT", "level": 3})
    assert isinstance(made, Seed)
    assert (made.problem, made.answer, made.kind, made.license) == ("p", "1", "k", "MIT")
    assert made.metadata == '{"level":3}' and made.source == "mine"


def test_a_source_column_counts_only_where_it_is_mapped() -> None:
    row = {"problem": "p", "source": "web"}
    unmapped, mapped = seed(row), seed(row, {"source": "source"})
    assert isinstance(unmapped, Seed) and isinstance(mapped, Seed)
    assert (unmapped.source, unmapped.metadata) == ("mine", '{"source":"web"}')
    assert (mapped.source, mapped.metadata) == ("web", "{}")


def test_without_a_licence_anywhere_the_seed_says_so() -> None:
    made = seed({"problem": "p"})
    assert isinstance(made, Seed) and made.license == "NOASSERTION"


@pytest.mark.parametrize(
    ("answer", "text"),
    [(72, "72"), (0, "0"), (7.5, "7.5"), ([1, 2], "[1,2]"), (True, "true"), ({"b": 1}, '{"b":1}')],
)
def test_an_answer_that_is_not_text_becomes_its_json(answer: Any, text: str) -> None:
    made = seed({"problem": "p", "answer": answer})
    assert isinstance(made, Seed) and made.answer == text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("6 * 12 = <<6*12=72>>72\nSo 72.\n#### 72", ("72", "6 * 12 = <<6*12=72>>72\nSo 72.")),
        ("first\n#### 1\nno, then\n#### 1,234 \n", ("1,234", "first\n#### 1\nno, then")),
        ("#### 5", ("5", None)),
        ("72", ("72", None)),
        ("a #### b", ("a #### b", None)),
        ("text\n#### 5\nmore text", ("text\n#### 5\nmore text", None)),
        (None, (None, None)),
    ],
)
def test_a_gsm8k_answer_is_split_into_solution_and_answer(answer: Any, expected: Any) -> None:
    assert split_steps(answer) == expected


def test_a_solution_of_its_own_goes_before_the_steps_of_the_answer() -> None:
    made = seed({"problem": "p", "answer": "steps\n#### 5", "solution": "mine"})
    assert isinstance(made, Seed) and (made.answer, made.solution) == (
        "5",
        "mine\nThe answer is 5.",
    )


def test_code_alone_makes_a_seed() -> None:
    made = seed({"code": "output = 1"})
    assert isinstance(made, Seed) and (made.problem, made.code) == ("", "output = 1")


SOLVE = "def volume(a, b):\n    return a * b\n\nprint(volume(4, 5))"


@pytest.mark.parametrize("code", [SOLVE, f"```python\n{SOLVE}\n```", "ans = 4 * 5", "broken ("])
def test_code_that_is_not_unified_is_left_to_be_written_where_an_answer_stands(code: str) -> None:
    made = seed({"problem": "p", "answer": "20", "program": code}, {"code": "program"})
    assert isinstance(made, Seed) and (made.code, made.answer) == (None, "20")
    assert json.loads(made.metadata) == {"program": code}


def test_the_answer_that_a_solution_marks_stands_without_code_that_is_not_unified() -> None:
    made = seed({"problem": "p", "solution": r"So \boxed{20}.", "code": SOLVE})
    assert isinstance(made, Seed) and (made.code, made.answer) == (None, "20")


def test_code_that_is_not_unified_is_all_there_is_without_an_answer() -> None:
    made = seed({"problem": "p", "code": SOLVE})
    assert isinstance(made, Seed) and made.code == SOLVE


def test_fenced_code_in_the_unified_form_is_taken_out_of_its_fence() -> None:
    made = seed({"problem": "p", "answer": "560", "code": f"```python\n{SPAM}```"})
    assert isinstance(made, Seed) and made.code == SPAM


@pytest.mark.parametrize("answer", ["proof", "notfound", "N/A", "see solution", "None"])
def test_an_answer_that_is_none_is_refused_unless_code_gives_one(answer: str) -> None:
    verdict = seed({"problem": "p", "answer": answer, "solution": "So it holds."})
    assert isinstance(verdict, Verdict) and verdict.reason is SeedReason.NO_REFERENCE_ANSWER
    assert f"answer {answer!r} states no value" in verdict.detail
    made = seed({"problem": "p", "answer": answer, "code": SPAM})
    assert isinstance(made, Seed) and (made.answer, made.code) == (None, SPAM)


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("Is it $\\boxed{\\frac{1}{2}}$?\nNo: it is $\\boxed{\\frac{\\sqrt{3}}{2}}$.",
         r"\frac{\sqrt{3}}{2}"),
        ("So.\nThe answer is: 72", "72"),
        ("It holds for all 3 of them.", None),
    ],
)  # fmt: skip
def test_without_an_answer_the_one_that_the_solution_marks_counts(
    solution: str, answer: str | None
) -> None:
    made = seed({"problem": "p", "solution": solution})
    assert isinstance(made, Seed) and (made.answer, made.solution) == (answer, solution)


@pytest.mark.parametrize(
    ("turn", "answer"),
    [
        ("It is 4 * 5 * 6 = 120.", "120"),
        ("<think>Or 7?</think>It is 120", "120"),
        ("No idea.", None),
        ("120", "120"),
    ],
)
def test_the_answer_of_a_chat_is_what_its_last_line_comes_to(turn: str, answer: Any) -> None:
    chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": turn}]
    made = seed({"messages": chat})
    assert isinstance(made, Seed) and (made.problem, made.answer) == ("q", answer)
    assert made.solution and "think" not in made.solution


def test_code_beside_a_question_does_not_hide_it() -> None:
    made = seed({"question": "q", "answer": "20", "code": SOLVE})
    assert isinstance(made, Seed) and (made.problem, made.code) == ("q", None)


@pytest.mark.parametrize(
    ("row", "columns", "expected"),
    [
        (
            {"question": {"stem": "q", "choices": [{"label": "A", "text": "park"},
                                                   {"label": "B", "text": "sea"}]}, "key": "B"},
            {"problem": "question.stem", "options": "question.choices", "answer": "key"},
            ("q\n\nOptions:\n(A) park\n(B) sea", "sea"),
        ),
        ({"question": "q", "choices": ["1", "2"], "answer": 0},
         {}, ("q\n\nOptions:\n(A) 1\n(B) 2", "1")),
        ({"problem": "q", "options": {"deep": True}, "answer": "B"}, {}, ("q", "B")),
        ({"prompt": [{"role": "user", "content": "q"}], "reward": {"truth": '["7"]'}},
         {"answer": "reward.truth"}, ("q", "7")),
    ],
)  # fmt: skip
def test_problem_and_answer_come_from_options_paths_and_chats(
    row: dict, columns: dict, expected: tuple
) -> None:
    made = seed(row, columns)
    assert isinstance(made, Seed) and (made.problem, made.answer) == expected


def test_a_letter_that_names_no_option_is_no_answer() -> None:
    verdict = seed({"question": "q", "options": ["1", "2"], "answer": "D"})
    assert isinstance(verdict, Verdict) and verdict.reason is SeedReason.NO_REFERENCE_ANSWER
    assert "none of the options A, B" in verdict.detail


@pytest.mark.parametrize("answer", ["proof", "D", None])
def test_a_question_counts_without_its_answer_where_answers_are_not_read(answer: Any) -> None:
    data = {"problem": "q", "options": ["1", "2"], "answer": answer, "code": SOLVE,
            "solution": r"\boxed{1}"}  # fmt: skip
    row = Row.make("mine", json.dumps(data), "a.jsonl")
    made = seed_of(row, {"answer": "answer"}, None, answers=False)
    assert isinstance(made, Seed) and (made.problem, made.answer, made.code) == ("q", None, SOLVE)


def test_a_licence_column_is_written_as_spdx_does() -> None:
    made = seed({"problem": "p", "license": "cc-by-4.0"})
    assert isinstance(made, Seed) and made.license == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"answer": "1"}, {}),
        ({"problem": "  "}, {}),
        ({"problem": None}, {}),
        ({"q": "p", "a": None}, {"problem": "q", "answer": "a"}),
        ({"q": "p"}, {"problem": "q", "answer": "a"}),
    ],
)
def test_a_row_without_a_problem_or_a_mapped_value_misses_a_field(row: Any, columns: Any) -> None:
    made = seed(row, columns)
    assert isinstance(made, Verdict) and made.reason is SeedReason.MISSING_FIELD


@pytest.mark.parametrize(
    "raw", ["{", "", "[1]", "7", '{"problem": "\\ud800"}', "[" * 100_000, "9" * 5_000]
)
def test_a_row_that_is_no_json_object_is_unreadable_and_can_still_be_written(raw: str) -> None:
    row = Row.make("mine", raw, "a.jsonl")
    verdict = seed_of(row, {}, None)
    assert isinstance(verdict, Verdict) and verdict.reason is SeedReason.UNREADABLE_RECORD
    assert verdict.detail.startswith("a.jsonl: ")
    assert json.loads(refused("seeds", row, verdict).record) == raw


def test_bytes_that_are_no_text_are_no_answer() -> None:
    row = plain({"problem": "p", "answer": b"\xff"})
    verdict = seed_of(Row.make("mine", canonical_json(row), "a.parquet"), {}, None)
    assert isinstance(verdict, Verdict) and verdict.reason == SeedReason.UNREADABLE_RECORD
    assert verdict.detail == "a.parquet: column answer (answer) holds no text in UTF-8"


@pytest.mark.parametrize("answer", [["B"], "B", "(b)", 1])
def test_an_option_is_named_also_by_a_list_of_one(answer: Any) -> None:
    made = seed({"problem": "6 * 7?", "options": ["40", 42], "answer": answer})
    assert isinstance(made, Seed) and made.answer == "42"


def test_a_chat_that_is_written_as_text_is_a_chat() -> None:
    chat = [
        {"role": "user", "content": "6 * 7?"},
        {"role": "assistant", "content": "It is \\boxed{42}."},
    ]
    made = seed({"messages": json.dumps(chat)})
    assert isinstance(made, Seed)
    assert (made.problem, made.answer, made.solution) == ("6 * 7?", "42", "It is \\boxed{42}.")
    other = seed({"problem": '[{"role": 1}] is of what type?'})
    assert isinstance(other, Seed) and other.problem == '[{"role": 1}] is of what type?'


def test_a_mapped_problem_that_is_not_text_is_unreadable() -> None:
    made = seed({"q": ["p"]}, {"problem": "q"})
    assert isinstance(made, Verdict) and made.reason is SeedReason.UNREADABLE_RECORD
    assert "column q" in made.detail


def test_the_reject_of_a_row_holds_the_row_itself() -> None:
    row = Row.make("mine", '{"answer": 1}', "a.jsonl")
    verdict = seed_of(row, {}, None)
    assert isinstance(verdict, Verdict)
    reject = refused("seeds", row, verdict)
    assert (reject.id, reject.stage, reject.record) == (row.id, "seeds", '{"answer": 1}')


class Color(enum.IntEnum):
    RED = 1


class Bare:
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({(0, 1): {"b", "a"}}, {"[0, 1]": ["a", "b"]}),
        ((1, None, True), [1, None, True]),
        (np.int64(3), 3),
        (np.array([[1.5], [2.0]]), [[1.5], [2.0]]),
        (float("nan"), None),
        (decimal.Decimal("1.10"), "1.10"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (Color.RED, 1),
        (Bare(), "Bare"),
    ],
)
def test_odd_values_become_plain_json_without_addresses(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@given(st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_anything_made_plain_is_strict_json(value: Any) -> None:
    assert "NaN" not in canonical_json(plain(value)) or isinstance(value, (str, list))
