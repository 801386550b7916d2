"""An attempt is a row where its grader proves it; a failure is revised once, without the gold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipelines.benches.planted.attempts import WAYS, scripted
from tests.models.examples import response
from tests.recipes.playing import answering, stage
from tests.stages.test_graders import TASK
from transforms.models.episode import play
from transforms.models.requests import ErrorKind
from transforms.programs.questions import Attempted
from transforms.stages.attempt import PassRate

QUESTION = replace(
    TASK, shown=json.dumps({"code": "...", "problem": "", "spec": "", "known": "{}"})
)


def attempt(*overrides: str) -> Any:
    return stage("codeio", "attempt", *(f"recipe.stages.attempt.{item}" for item in overrides))


def played(texts: list[Any], *overrides: str, task: Any = QUESTION) -> Any:
    return answering(*texts)(attempt(*overrides).episode(task))


def test_right_attempts_are_rows_and_others_rejects_with_their_fault() -> None:
    texts = [scripted(way, "560", "561") for way in WAYS]
    results = played(texts, f"sampler.samples={len(WAYS)}")
    assert [str(verdict.reason) for _, verdict in results] == [
        *["None"] * 3, "wrong_answer", "wrong_answer", "truncated", "no_answer", "no_answer",
    ]  # fmt: skip
    assert {(row.agreement, row.attempts) for row, _ in results} == {(3 / 8, 8)}
    assert {row.task_id for row, _ in results} == {QUESTION.id}
    assert [row.score for row, _ in results] == [1] * 3 + [0] * 5


def test_a_failure_is_revised_once_and_the_feedback_does_not_hold_the_gold() -> None:
    texts = [scripted("wrong", "560", "561"), scripted("right", "560", "561")]
    [(row, verdict)] = played(texts, "revisions=1")
    assert verdict.kept and (row.turns, row.score, row.final_answer) == (2, 1.0, "560")
    roles = [message.role for message in row.messages]
    assert roles == ["user", "assistant", "user", "assistant"]
    assert "560" not in row.messages[2].content and "wrong" in row.messages[2].content


@pytest.mark.parametrize("way", ["right", "cut off"])
def test_what_is_right_or_cut_off_is_not_revised(way: str) -> None:
    [(row, _)] = played([scripted(way, "560", "561")], "revisions=1")
    assert row.turns == 1


def test_wrong_attempts_are_rows_where_that_is_asked_for() -> None:
    texts = [scripted("wrong", "560", "561")] * 2
    [(row, verdict)] = played(texts, "revisions=1", "keeps_wrong=true")
    assert verdict.kept and (row.turns, row.score, row.agreement) == (2, 0.0, 0.0)


def test_unanswered_attempts_are_put_off_and_count_for_nothing() -> None:
    def answer(effect: Any) -> Any:
        if effect.sample == 0:
            return response(effect, "", error="504", error_kind=ErrorKind.TIMEOUT)
        return response(effect, "```\n560\n```")

    results = play(attempt("sampler.samples=2").episode(QUESTION), answer).result
    assert [verdict.unanswered for _, verdict in results] == [True, False]
    assert results[1][0].agreement == 1.0 and results[1][0].attempts == 1


def test_revisions_without_words_are_a_clear_error() -> None:
    with pytest.raises(TypeError, match="revisions need a revise_prompt"):
        replace(attempt("revisions=1"), revise_prompt=None)


def attempted(rate: float) -> Attempted:
    return Attempted(
        **{**vars(QUESTION), "id": f"{rate}"}, task_id=QUESTION.id, messages=(), final_answer=None,
        score=1.0, turns=1, agreement=rate, attempts=8,
    )  # fmt: skip


def test_tasks_that_none_or_all_solve_are_dropped() -> None:
    judge = PassRate(at_least=0.01, at_most=0.99).of
    results = [judge(attempted(right / 8)) for right in range(9)]
    kept = [result.agreement * 8 for result in results if isinstance(result, Attempted)]
    assert kept == [1, 2, 3, 4, 5, 6, 7]
    assert (results[0].reason, results[8].reason) == ("too_hard", "too_easy")
