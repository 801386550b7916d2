"""codesteer: who is asked what, what the steerer sees, and how complex a program is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, played, prompt_of
from transforms.models.requests import ErrorKind, Request
from transforms.sandbox.jobs import Cell, Job
from transforms.stages.trajectories.complexity import complexity
from transforms.stages.trajectories.records import Trajectory, learned

PROGRAM = "```python\nprint({})\n```"


def role(request: Request) -> str:
    first = request.messages[0].content
    if first.startswith("You guide"):
        return "steerer"
    return "checker" if "Proposed solution" in first else "solver"


def steered(*overrides: str, **says: list[Any]) -> tuple[Trajectory, Any, list[Request], list[Any]]:
    """An attempt in which each role gives its answers one after another: the row, the verdict, the
    requests and all other effects."""
    rest = {name: iter(texts) for name, texts in says.items()}
    made = stage("codesteer", "steer", "recipe.stages.steer.sampler.samples=1", *overrides)
    done = played(made.episode(SEED), lambda request: next(rest[role(request)], ""))
    [(row, verdict)] = done.result
    others = [each for turn in done.turns for each in turn if not isinstance(each, Request)]
    return row, verdict, asked(done), others


def test_from_text_to_code_to_return_three_two_and_two_are_asked() -> None:
    row, verdict, requests, effects = steered(
        steerer=["<<<Text>>>", "It slips. <<<Code>>>", "<<<Return Answer>>>"],
        solver=["6 times 7 is 44: \\boxed{44}", PROGRAM.format("6 * 7 + 1")],
        checker=[PROGRAM.format("6 * 7 + 1 == 44"), PROGRAM.format("6 * 7 + 1 == 43")],
    )
    roles = [role(request) for request in requests]
    assert [roles.count(name) for name in ("steerer", "solver", "checker")] == [3, 2, 2]
    assert verdict.kept and (row.answer, row.asks, row.cells) == ("43", 7, 3)
    checks = [each.code for each in effects if isinstance(each, Cell) and "==" in each.code]
    assert len(checks) == 2  # in the sandbox
    assert not any(isinstance(each, Job) for each in effects)


def test_the_task_model_is_another_where_models_binds_it() -> None:
    where = "base_url: 'http://127.0.0.1:1/v1', api: chat"
    other = f"models.solver={{engine: openai, model: big, {where}}}"
    says = {"steerer": ["<<<Text>>>", "<<<Return Answer>>>"], "solver": ["It is \\boxed{43}"]}
    says["checker"] = [PROGRAM.format("'it holds'")]
    _row, verdict, requests, _ = steered(other, **says)
    models = {role(request): (request.model, request.named) for request in requests}
    own = ("m", None)
    assert verdict.kept and models == {"steerer": own, "checker": own, "solver": ("big", "solver")}


def test_a_row_is_what_the_steerer_saw_and_its_guidance_alone_is_learned() -> None:
    row, *_ = steered(
        steerer=["<<<Code>>>", "<<<Add the one.>>>", "<<<Return Answer>>>"],
        solver=[PROGRAM.format(42), PROGRAM.format(43)],
        checker=[PROGRAM.format("'the one is missing'"), PROGRAM.format("'it holds'")],
    )
    taught = [turn.content[a:b] for turn in row.messages for a, b in learned(turn)]
    assert taught == ["<<<Code>>>", "<<<Add the one.>>>", "<<<Return Answer>>>"]
    first, second = (turn.content for turn in row.messages if turn.role == "user" and turn.agent)
    assert "printed:\n```output\n42\n```\n" in first
    assert first.endswith("The check found:\n```output\nthe one is missing\n```")
    assert "written into it" in second


def test_the_task_model_sees_guidance_and_neither_results_nor_checks() -> None:
    _, _, requests, _ = steered(
        steerer=["<<<Code>>>", "<<<Add the one.>>>", "<<<Return Answer>>>"],
        solver=[PROGRAM.format("40 + 2"), PROGRAM.format(43)],
        checker=[PROGRAM.format("'the one is missing'")] * 2,
    )
    second = [each for each in requests if role(each) == "solver"][1]
    assert second.messages[-1].content == "Add the one."
    assert "42" not in prompt_of(second) and "missing" not in prompt_of(second)


def test_a_checker_tries_again_where_its_program_fails_and_no_more_than_five_times() -> None:
    row, _, requests, _ = steered(
        steerer=["<<<Text>>>", "<<<Return Answer>>>"],
        solver=["\\boxed{43}"],
        checker=[PROGRAM.format("1 / 0")] * 9,
    )
    assert [role(each) for each in requests].count("checker") == 5
    assert row.messages[-2].content.endswith("nothing: no check could be run")


def test_after_five_rounds_the_last_answer_counts() -> None:
    row, verdict, requests, _ = steered(
        steerer=["<<<Text>>>", *["<<<Again.>>>"] * 9],
        solver=[*["\\boxed{44}"] * 5, "\\boxed{43}"],
        checker=["none can be written"] * 9,
    )
    roles = [role(request) for request in requests]
    assert [roles.count(name) for name in ("steerer", "solver", "checker")] == [6, 6, 5]
    assert verdict.kept and row.answer == "43"


@pytest.mark.parametrize(
    ("steerer", "solver", "reason"),
    [
        (["Let me think."], [], "format"),
        (["<<<Return Answer>>>"], [], "format"),
        (["<<<Text>>>", "<<<Return Answer>>>"], ["\\boxed{44}"], "wrong_answer"),
        (["<<<Code>>>", "<<<Return Answer>>>"], [PROGRAM.format("1 / 0")], "no_answer"),
        (["<<<Code>>>"], ["```python\nprint(43)"], "format"),
    ],
)
def test_an_attempt_that_is_no_good_says_why(
    steerer: list[str], solver: list[str], reason: str
) -> None:
    _, verdict, _, _ = steered(steerer=steerer, solver=solver, checker=["no"])
    assert verdict.reason == reason


def test_a_right_and_a_wrong_conversation_about_a_task_are_a_pair() -> None:
    pairs = "{_target_: transforms.stages.preferences.MakePairs, rule: outcomes}"
    more = ("recipe.stages.steer.keeps_wrong=true", f"recipe.stages.pairs={pairs}",
            "recipe.stages.steer.sampler.samples=2")  # fmt: skip

    def model(request: Request) -> str:
        texts = {"steerer": "<<<Text>>>", "checker": "no", "solver": "\\boxed{43}"}
        if role(request) == "steerer" and request.sample:
            texts["steerer"] = "<<<Say 44.>>>"
        elif len(request.messages) > 1:
            texts["steerer"] = "<<<Return Answer>>>"
        if "Say 44" in prompt_of(request):
            texts["solver"] = "\\boxed{44}"
        return texts[role(request)]

    tried = played(stage("codesteer", "steer", *more).episode(SEED), model).result
    made = list(stage("codesteer", "pairs", *more).of([row for row, _ in tried]))
    [(pair, verdict)] = made
    assert verdict.kept and pair.chosen[0].content == "<<<Text>>>"
    assert pair.rejected[0].content == "<<<Say 44.>>>"


def test_guidance_after_the_same_rounds_is_paired_by_what_comes_of_it() -> None:
    pairs = "{_target_: transforms.stages.preferences.PairTurns}"
    more = ("recipe.stages.steer.keeps_wrong=true", f"recipe.stages.pairs={pairs}",
            "recipe.stages.steer.branches=3", "recipe.stages.steer.sampler.samples=1")  # fmt: skip

    def model(request: Request) -> str:
        if role(request) == "checker":
            return "no"
        if role(request) == "solver":
            return "\\boxed{43}" if "Add the one" in prompt_of(request) else "\\boxed{42}"
        if len(request.messages) == 1:
            return "<<<Text>>>"
        if len(request.messages) > 3:
            return "<<<Return Answer>>>"
        return ["<<<Again.>>>", "<<<Add the one.>>>", "<<<Once more.>>>"][request.sample]

    made = stage("codesteer", "steer", *more)
    tries = []
    for run_seed in range(9):  # until the second round is the one that branches
        tries = played(replace(made, run_seed=run_seed).episode(SEED), model).result
        if json.loads(tries[0][0].data)["branched_at"] == 1:
            break
    rows = [row for row, verdict in tries if verdict.kept]
    assert [row.score for row in rows] == [0.0, 1.0, 0.0]
    [(pair, verdict), *rest] = list(stage("codesteer", "pairs", *more).of(rows))
    assert verdict.kept and pair.prompt[1].content == "<<<Text>>>" and len(pair.prompt) == 3
    assert [each.content for each in pair.chosen] == ["<<<Add the one.>>>"]
    assert [each.content for each in pair.rejected] in (["<<<Again.>>>"], ["<<<Once more.>>>"])
    assert [verdict.reason for _, verdict in rest] == ["unpaired"]


@pytest.mark.parametrize("lost", ["steerer", "solver", "checker"])
def test_a_role_that_stays_unanswered_puts_the_attempt_off(lost: str) -> None:
    says: dict[str, list[Any]] = {
        "steerer": ["<<<Text>>>", "<<<Return Answer>>>"],
        "solver": ["\\boxed{43}"],
        "checker": ["no"],
    }
    says[lost] = [response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)]
    _, verdict, _, _ = steered(**says)
    assert verdict.unanswered


@pytest.mark.parametrize(
    ("code", "syntax", "letters"),
    [
        ("print('format')", 0, 1),
        ("a = 1 + 2 * 3", 0.5, 0.5),
        ("for a in b:\n    if a:\n        pass\n    else:\n        pass", 3, 3),
        ("try:\n    a\nexcept KeyError:\n    b", 2, 2),
        ("def", 0, 0),
    ],
)
def test_complexity_counts_syntax_and_the_released_code_counts_letters(
    code: str, syntax: float, letters: float
) -> None:
    assert (complexity(code), complexity(code, "letters")) == (syntax, letters)
