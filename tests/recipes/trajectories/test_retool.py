"""retool: a rewriting's outputs are those of its scripts, or it is rejected."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, once, played, prompt_of, script
from transforms.models.requests import ErrorKind
from transforms.stages.trajectories.records import Trajectory, as_messages, learned
from transforms.stages.trajectories.rewards import retool_reward

ANSWER = "So it is 43.\n<answer>\n\\boxed{43}\n</answer>"


def step(code: str, output: str, between: str = "\n") -> str:
    block = f"<code>\n```python\n{code}\n```\n</code>"
    return f"I compute.\n{block}{between}<interpreter>\n{output}\n</interpreter>\n"


def solution() -> Trajectory:
    made = stage("retool", "solve")
    row, verdict, _ = once(made.episode(SEED), "42 + 1 = 43: \\boxed{43}")
    assert verdict.kept
    return row


def rewritten(*texts: Any) -> list[tuple[Trajectory, Any]]:
    made = stage("retool", "rewrite", f"recipe.stages.rewrite.sampler.samples={len(texts)}",
                 "backend.continue_prefix=true")  # fmt: skip
    return played(made.episode(solution()), script(*texts)).result


def test_a_rewriting_is_split_into_calls_and_what_they_really_print() -> None:
    text = step("print(6 * 7)", "42") + step("40 + 3", "43") + ANSWER
    [(row, verdict)] = rewritten(text)
    assert verdict.kept and (row.answer, row.cells) == ("43", 2)
    assert as_messages(row.messages)[-1].content == text
    tools = [turn.content for turn in row.messages if turn.role == "tool"]
    assert tools == [f"\n<interpreter>\n{n}\n</interpreter>\n" for n in (42, 43)]


def test_outputs_are_not_learned_and_the_rest_of_the_rewriting_is() -> None:
    [(row, _)] = rewritten(step("print(6 * 7)", "42") + ANSWER)
    parts = [turn.content[a:b] for turn in row.messages for a, b in learned(turn)]
    assert parts == [step("print(6 * 7)", "42").partition("\n<interpreter>")[0], ANSWER]


def test_a_row_begins_with_what_a_model_with_an_interpreter_is_asked() -> None:
    [(row, _)] = rewritten(step("print(6 * 7)", "42") + ANSWER)
    assert "between <interpreter> and" in row.messages[0].content
    assert "Thoughts" not in row.messages[0].content


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (step("print(6 * 7)", "43") + ANSWER, "other_output"),
        (step("print(a)", "NameError: name 'a' is not defined") + ANSWER, None),
        (step("print(6 * 7)", "42", "\n\n") + ANSWER, None),
        (step("a = 42", "") + step("print(a + 1)", "43") + ANSWER, "other_output"),
        (step("1", "1", "It gives") + ANSWER, "format"),
        ("<code>\n1\n</code>\n" + step("1", "1") + ANSWER, "format"),
        ("<interpreter>\n1\n</interpreter>\n" + step("1", "1") + ANSWER, "format"),
        ("<code>\n1\n</code>\n" + ANSWER, "format"),
        (ANSWER, "no_code"),
        (step("1", "1") + "So it is.", "no_answer"),
        (step("1", "1") + ANSWER.replace("43}", "44}"), "wrong_answer"),
        ("", "empty_response"),
    ],
)
def test_a_rewriting_that_is_no_good_says_why(text: str, reason: str | None) -> None:
    [(_, verdict)] = rewritten(text)
    assert verdict.reason == reason


def test_a_rewriting_that_stays_unanswered_puts_itself_off_and_not_the_others() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    (_, first), (_, second) = rewritten(lost, step("1", "1") + ANSWER)
    assert (first.unanswered, second.kept) == (True, True)


def test_the_rewriter_sees_the_solution_and_its_thoughts() -> None:
    made = stage("retool", "solve", "backend.reasoning=keep")
    thought = response(chat(), "\\boxed{43}", reasoning="42 and 1.")
    [(row, _)] = played(made.episode(SEED), script(thought)).result
    rewrite = stage("retool", "rewrite", "backend.continue_prefix=true")
    [request, *_] = asked(played(rewrite.episode(row), script()))
    assert "42 and 1.\n\n\\boxed{43}" in prompt_of(request)


def test_a_solution_with_code_is_no_solution_in_words() -> None:
    made = stage("retool", "solve")
    [(_, verdict)] = played(made.episode(SEED), script("<code>\n1\n</code>")).result
    assert verdict.reason == "cells"


def test_the_reward_of_a_wrong_answer_rises_with_the_turns_to_a_bound() -> None:
    assert [retool_reward(False, turns) for turns in (2, 4, 12)] == [-1.0, -0.9, -0.6]
    assert retool_reward(True, 12) == 1.0
