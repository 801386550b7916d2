"""agentic_r1: code and words joined in both orders, what is not learned, and which own attempts
are completed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, once, played, script
from transforms.models.requests import ErrorKind
from transforms.sandbox.jobs import Cell
from transforms.stages.trajectories.records import Trajectory, appended, as_messages, learned

CONTINUES = "backend.continue_prefix=true"
CODE = "<think>I compute.</think>\n<code>\n{}\n</code>"
END = "<think>Good.</think>\n<answer>\\boxed{{{}}}</answer>"
WORDS = "<think>6 times 7 is 42, and 1.</think>\n<answer>\\boxed{{{}}}</answer>"


def sentence(name: str) -> str:
    return str(getattr(stage("agentic_r1", "compose", CONTINUES), name))


def attempt(*texts: str) -> tuple[Trajectory, Any]:
    row, verdict, done = once(stage("agentic_r1", "attempt", CONTINUES).episode(SEED), *texts)
    assert verdict.kept
    return row, done


def composed(row: Trajectory, words: Any) -> Any:
    """What becomes of an attempt and a solution in words: a row with its masks, or a verdict."""
    made = played(stage("agentic_r1", "compose", CONTINUES).episode(row), script(words)).result
    return stage("agentic_r1", "mask", CONTINUES).of(made) if isinstance(made, Trajectory) else made


def taught(row: Trajectory) -> str:
    return "".join(turn.content[a:b] for turn in row.messages for a, b in learned(turn))


def code(value: int) -> Trajectory:
    return attempt(CODE.format(f"print({value})"), END.format(value))[0]


def test_wrong_code_goes_over_to_right_words_and_nothing_before_the_switch_is_learned() -> None:
    row = composed(code(44), WORDS.format(43))
    text = as_messages(row.messages)[-1].content
    code_part = CODE.format("print(44)") + "\n<executor>\n44\n</executor>\n"
    assert text == code_part + sentence("to_words") + WORDS.format(43)
    assert taught(row) == WORDS.format(43)
    assert (row.answer, row.score, json.loads(row.data)) == ("43", 1.0, {"kind": "code_words"})


def test_wrong_words_go_over_to_right_code() -> None:
    row = composed(code(43), WORDS.format(44))
    text = as_messages(row.messages)[-1].content
    assert text.startswith(
        WORDS.partition("<answer>")[0] + sentence("to_code") + CODE.format("print(43)")
    )
    assert text.endswith(END.format(43)) and text.count("<answer>") == 1
    assert taught(row) == CODE.format("print(43)") + END.format(43)


def test_right_words_check_right_code_and_both_are_learned() -> None:
    row = composed(code(43), WORDS.format(43))
    text = as_messages(row.messages)[-1].content
    assert text.endswith("<think>Good.</think>\n" + sentence("to_check") + WORDS.format(43))
    assert taught(row) == (
        CODE.format("print(43)") + "<think>Good.</think>\n" + WORDS.format(43)
    )  # fmt: skip


def test_a_turn_that_is_the_answer_alone_is_left_out() -> None:
    bare = "<answer>\\boxed{43}</answer>"
    row = composed(attempt(CODE.format("print(43)"), bare)[0], WORDS.format(43))
    assert all(turn.content for turn in row.messages)
    row = composed(code(43), bare.replace("43", "44"))
    assert as_messages(row.messages)[-1].content.startswith(sentence("to_code") + "<think>")


def test_the_body_of_an_executor_and_code_that_failed_are_not_learned() -> None:
    row, _ = attempt(CODE.format("1 / 0"), CODE.format("print(43)"), END.format(43))
    learned_text = taught(composed(row, WORDS.format(43)))
    assert "1 / 0" not in learned_text and "print(43)" in learned_text
    assert "executor" not in learned_text and "ZeroDivisionError" not in learned_text
    assert learned_text.startswith("<think>I compute.</think>\n")


@pytest.mark.parametrize(
    ("value", "words", "reason"),
    [
        (44, WORDS.format(44), "both_wrong"),
        (None, WORDS.format(43), "no_code"),
        (44, response(chat(), WORDS.format(43), finish_reason="length"), "truncated"),
        (44, response(chat(), WORDS.format(43), generated_tokens=16_384), "overlong"),
        (44, response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT), "unanswered"),
    ],
)
def test_what_cannot_be_joined_says_why(value: int | None, words: Any, reason: str) -> None:
    row = attempt(END.format(43))[0] if value is None else code(value)
    verdict = composed(row, words)
    assert (verdict.reason, verdict.unanswered) == (reason, reason == "unanswered")


def test_the_thought_of_a_reasoning_model_stands_in_the_text() -> None:
    answer = response(chat(), "<answer>\\boxed{43}</answer>", reasoning="42 and 1.")
    row = composed(code(44), answer)
    assert taught(row) == "<think>42 and 1.</think>\n<answer>\\boxed{43}</answer>"


def test_the_ids_of_a_joined_text_are_those_of_its_turns_in_their_place() -> None:
    row = composed(code(44), WORDS.format(43))
    again = appended((), (replace(turn, id="") for turn in row.messages))
    assert [turn.id for turn in again] == [turn.id for turn in row.messages]
    assert row.messages[:4] == tuple(
        replace(turn, unlearned=now.unlearned, spans=now.spans)
        for turn, now in zip(code(44).messages[:4], row.messages, strict=False)
    )


def test_no_cell_is_run_twice() -> None:
    row, done = attempt(
        CODE.format("print('once')"), CODE.format("a = 43"), CODE.format("print(a)"), END.format(43)
    )
    cells = [each for turn in done.turns for each in turn if isinstance(each, Cell)]
    assert len(cells) == len({(cell.code, cell.after) for cell in cells}) == row.cells == 3
    assert "".join(turn.content for turn in row.messages if not turn.sampled).count("once") == 1


def test_after_ten_runs_the_model_is_told_to_answer() -> None:
    row, done = attempt(*[CODE.format(n) for n in range(10)], END.format(43))
    assert (row.cells, row.score, len(asked(done))) == (10, 1.0, 11)
    assert row.messages[-2].content.endswith("No more code can be run: give the answer.\n")


def kinds(right: int, of: int = 16) -> list[float]:
    rows = [replace(code(43), id=f"{n:02}", score=float(n < right)) for n in range(of)]
    decided = stage("agentic_r1_self", "choose", CONTINUES).of(rows)
    return [row.score for row, verdict in decided if verdict.kept]


@pytest.mark.parametrize(
    ("right", "kept"), [(16, []), (15, [1.0]), (14, [1.0, 0.0]), (1, [1.0, 0.0]), (0, [0.0])]
)
def test_of_ones_own_attempts_at_most_one_of_each_kind_is_completed(
    right: int, kept: list[float]
) -> None:
    assert kinds(right) == kept
