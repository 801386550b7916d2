"""tir_judge: judgments of answers in three forms, pairs both ways round, with a tool for code."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.recipes.test_recipes import SEEDS, run
from tests.stages.trajectories.talking import SEED, asked, played, prompt_of, script
from transforms.engine.accounting import Tally
from transforms.models.requests import ErrorKind, Request
from transforms.publish.report.page import counted
from transforms.recipes.tir_judge import Question, swapped
from transforms.stages.trajectories.records import Trajectory, Turn

CODE = "Let me check.\n```python\nprint(6 * 7 + 1)\n```"
FAILS = "```python\n1 / 0\n```"


def answer(text: str, score: float) -> Trajectory:
    said = (Turn("user", SEED.problem), Turn("assistant", text, sampled=True))
    return Trajectory(
        id=text, calls=(), tokens=0, seed_ids=(SEED.id,), source="mine", license="MIT",
        problem=SEED.problem, reference="43", messages=said, score=score,
    )  # fmt: skip


RIGHT, WRONG = answer("It is 43.", 1.0), [answer(f"It is {n}.", 0.0) for n in (41, 42, 44)]


def questions(answers: list[Trajectory]) -> list[Question]:
    decided = stage("tir_judge", "questions").of(answers)
    return [each for each, verdict in decided if verdict.kept]


def question(form: str) -> Question:
    """A question of a form; a pair shows the right answer first."""
    found = next(each for each in questions([RIGHT, *WRONG]) if each.kind == form)
    return found if form != "pairwise" or found.answer == "A" else swapped(found)


def judged(about: Question, model: Any, **fields: Any) -> tuple[list[Any], list[Any]]:
    """The (row, verdict) of one judgment, or of a pair's two orders, and all effects."""
    made = stage("tir_judge", "judge", "recipe.stages.judge.sampler.samples=1")
    done = played(replace(made, **fields).episode(about), model)
    return done.result, [effect for turn in done.turns for effect in turn]


def checks_then(say: Any) -> Any:
    """A model that runs code once, then says a text, or what a function makes of its prompt."""

    def model(request: Request) -> str:
        if len(request.messages) < 3:
            return CODE
        return say(prompt_of(request)) if callable(say) else say

    return model


def finds_43(prompt: str) -> str:
    return f"<preference>{'AB'['B:' in prompt[: prompt.index('It is 43.')]]}</preference>"


def test_a_problem_gives_single_answers_a_pair_and_a_list_with_one_right_answer_each() -> None:
    made = questions([RIGHT, *WRONG])
    assert Counter(each.kind for each in made) == {"pointwise": 2, "pairwise": 1, "listwise": 1}
    assert {each.answer for each in made if each.kind == "pointwise"} == {"right", "wrong"}
    for each in made[2:]:
        texts = dict(zip("ABCDE", each.shown, strict=False))
        assert [letter for letter, text in texts.items() if "43" in text] == [each.answer]
    assert (len(made[3].shown), made[3].seed_ids) == (4, (SEED.id,))


def test_answers_that_are_all_right_are_rejected_and_few_wrong_ones_make_no_list() -> None:
    decided = list(stage("tir_judge", "questions").of([RIGHT, replace(RIGHT, id="b")]))
    assert {verdict.reason for _, verdict in decided} == {"all_alike"}
    assert {each.kind for each in questions([RIGHT, WRONG[0]])} == {"pointwise", "pairwise"}


def test_an_answer_that_was_cut_off_is_not_judged() -> None:
    cut_off = replace(WRONG[0], ended="overlong")
    assert questions([RIGHT, cut_off]) == []
    assert questions([RIGHT, cut_off, WRONG[1]]) == questions([RIGHT, WRONG[1]])


def test_swapping_the_answers_swaps_the_label() -> None:
    pair = question("pairwise")
    other = swapped(pair)
    assert (other.answer, other.shown) == ("B", pair.shown[::-1])
    assert swapped(other) == pair


@pytest.mark.parametrize("right, formed, tools", product([True, False], repeat=3))
def test_of_eight_combinations_only_one_scores(right: bool, formed: bool, tools: bool) -> None:
    verdict = f"<preference>{'B' if right else 'A'}</preference>" + " I think." * (not formed)
    about = swapped(question("pairwise"))
    about = replace(about, kind="listwise")  # one order
    [(row, _)], _ = judged(about, script(CODE if tools else FAILS, verdict), keeps_wrong=True)
    assert row.score == float(right and formed and tools)


def test_a_fourth_call_scores_nothing_and_is_not_run() -> None:
    about = question("listwise")
    [(row, verdict)], _effects = judged(about, lambda _: CODE)
    assert (row.score, row.cells, verdict.reason) == (0.0, 3, "cells")


def test_a_judgment_without_code_scores_where_none_is_needed() -> None:
    about = question("pointwise")
    said = f"<score>{9 if about.answer == 'right' else 2}</score>"
    assert judged(about, script(said))[0][0][1].reason == "bad_code"
    assert judged(about, script(said), needs_code=False)[0][0][1].kept


@pytest.mark.parametrize("value, kept", [("6", True), ("5", False), ("0", False), ("11", False)])
def test_a_score_of_six_says_right(value: str, kept: bool) -> None:
    about = replace(question("pointwise"), answer="right")
    [(_, verdict)], _ = judged(about, script(CODE, f"<score>{value}</score>"))
    assert verdict.kept is kept


def test_a_pair_is_two_rows_one_of_each_order_with_its_own_label() -> None:
    pairs, effects = judged(question("pairwise"), checks_then(finds_43))
    rows = [row for row, verdict in pairs if verdict.kept]
    assert [(row.answer, row.reference, row.score) for row in rows] == [
        ("A", "A", 1.0),
        ("B", "B", 1.0),
    ]
    assert len({row.id for row in rows}) == len({row.question for row in rows}) == 2
    assert [(t.what, t.key) for t in effects if isinstance(t, Tally)] == [
        ("pairs judged both ways", "the same")
    ]


def test_a_judge_that_prefers_the_first_shown_is_found_out() -> None:
    pairs, effects = judged(question("pairwise"), checks_then("<preference>A</preference>"))
    assert [verdict.reason for _, verdict in pairs] == ["order_changed"] * 2
    assert [t.key for t in effects if isinstance(t, Tally)] == ["changed"]


def test_a_judge_that_is_not_answered_in_one_order_is_asked_again() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    pairs, _ = judged(question("pairwise"), script(CODE, CODE, "<preference>A</preference>", lost))
    assert [verdict.unanswered for _, verdict in pairs] == [True, True]


def test_a_judge_sees_the_last_line_of_an_error_alone() -> None:
    done = played(stage("tir_judge", "judge", "recipe.stages.judge.sampler.samples=1").episode(
        question("listwise")), script(FAILS, "<preference>A</preference>"))  # fmt: skip
    said = asked(done)[1].messages[-1].content
    assert "ZeroDivisionError" in said and "Traceback" not in said


def test_of_eight_judgments_the_shortest_right_one_stays() -> None:
    right = question("listwise").answer
    texts = {n: f"<preference>{'Z' if n < 3 else right}</preference>" for n in range(8)}
    rest = iter(range(8))

    def model(request: Request) -> str:
        if len(request.messages) < 3:
            return CODE
        number = next(rest)
        return "So. " * (8 - number) + texts[number]

    made = stage("tir_judge", "judge")
    done = played(made.episode(question("listwise")), model)
    rows = [row for row, verdict in done.result if verdict.kept]
    kept = [row for row, verdict in stage("tir_judge", "shortest").of(rows) if verdict.kept]
    assert len(rows) == 5 and [row.messages[-1].content for row in kept] == [f"So. {texts[7]}"]


def test_the_report_says_how_often_the_verdict_of_a_biased_judge_changed(tmp_path: Path) -> None:
    def say(body: dict[str, Any]) -> dict[str, Any]:
        last = body["messages"][-1]["content"]
        if "You judge answers" not in body["messages"][0]["content"]:
            wrong = body["seed"] % 2
            return {"content": f"\\boxed{{{0 if wrong else 43 if '6 times' in last else 1024}}}"}
        return {"content": CODE if "Problem:" in last else "<preference>A</preference>"}

    few = ["recipe.stages.judge.sampler.samples=2"]
    with chat_server(say) as (url, requests):
        manifest, rows, ends = run(tmp_path, "tir_judge", url, SEEDS[:2], *few)
        before = len(requests)
        replay = [f"ledger.dir={tmp_path}/run/ledger", "backend=replay", "runner.workers=2"]
        again = run(tmp_path / "again", "tir_judge", "", SEEDS[:2], *few, *replay)
    assert (again[1], len(requests)) == (rows, before)
    stages = [each for segment in manifest["segments"] for each in segment["stages"]]
    [shown] = counted(stages)
    assert (shown["what"], shown["key"], shown["share"]) == ("pairs judged both ways", "changed", 1)
    assert Counter(ends)["judge", "order_changed"] == 2 * shown["amount"] == 8
    assert "pairs judged both ways" in (tmp_path / "run" / "report.html").read_text()
