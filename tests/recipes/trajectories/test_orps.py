"""orps: a beam of programs, scored by a critic and by their runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.models.examples import response
from tests.models.fault_server import fault_server
from tests.programs_for_tests import SPAM
from tests.recipes.playing import stage
from tests.recipes.test_codeio import seed
from tests.recipes.test_recipes import run
from tests.stages.trajectories.talking import asked, played
from transforms.models.requests import Request
from transforms.recipes.orps import execution_score
from transforms.stages.graders import CaseRun
from transforms.stages.trajectories.complexity import simplicity

WRONG = SPAM.replace("answered * days", "answered + days")
RIGHT_ON_ONE = SPAM.replace("answered * days", "560")


def refined(model: Callable[[Request], Any], *overrides: str) -> Any:
    """A beam of 2 with 3 drafts and 1 round, unless it is said otherwise."""
    stages = "recipe.stages.refine"
    small = (f"{stages}.keep=2", f"{stages}.drafts=3", f"{stages}.rounds=1")
    made = stage("orps", "refine", f"{stages}.keeps_tree=true", *small, *overrides)
    return played(made.episode(seed(SPAM)), model)


def is_critic(request: Request) -> bool:
    return request.messages[0].content.startswith("A programmer works")


def fenced(code: str) -> str:
    return f"```python\n{code}\n```"


def coder(*codes: str, critique: str = "Score: 3") -> Callable[[Request], str]:
    """Writes a program by the number of its sample, and thinks of all as well."""
    return lambda request: (
        critique if is_critic(request) else fenced(codes[request.sample % len(codes)])
    )


def runs(passed: int, of: int = 4) -> list[CaseRun]:
    return [CaseRun("{}", "1", "1", True, number < passed) for number in range(of)]


@pytest.mark.parametrize("code", ["output = 1", SPAM])
def test_an_execution_score_is_0_where_no_test_passes_and_2_at_most(code: str) -> None:
    scores = [execution_score(code, runs(passed)) for passed in range(5)]
    assert scores[0] == 0 and scores == sorted(scores) and 1 < scores[-1] <= 2
    assert scores[2] == scores[4] / 2
    assert execution_score("", ()) == 0


def test_a_program_is_simpler_without_branches_and_without_nesting() -> None:
    flat = "for a in b:\n    c\nif a:\n    c\n"
    nested = "for a in b:\n    if a:\n        c\nc\n\n"
    assert simplicity(nested) < simplicity(flat) < simplicity("c")


def test_a_right_program_is_a_row_and_passes_tests_that_no_prompt_showed() -> None:
    play = refined(coder(WRONG, SPAM, WRONG))
    row, verdict = play.result
    assert verdict.kept and (row.score, row.answer.strip()) == (1.0, SPAM.strip())
    shown = asked(play)[0].messages[0].content
    tests = re.findall(r"^- (\{.*\}) gives", shown, re.M)
    assert len(tests) == 3 and row.messages[-1].sampled


def test_a_program_that_passes_the_shown_tests_alone_is_no_row() -> None:
    shown = re.compile(r"^- (\{.*\}) gives (\S+)$", re.M)

    def learnt_by_heart(request: Request) -> str:
        known = [(eval(a), int(b)) for a, b in shown.findall(request.messages[0].content)]
        body = f"def solution(**given):\n    return next((b for a, b in {known} if a == given), 0)"
        code = f"input = {known[0][0] if known else {}}\n\n{body}\n\noutput = solution(**input)"
        return "Score: 5" if is_critic(request) else fenced(code)

    row, verdict = refined(learnt_by_heart).result
    assert (verdict.reason, json.loads(row.data)["passed"]) == ("failed_tests", 1.0)


def test_a_beam_of_3_with_20_drafts_and_5_rounds_makes_320_programs() -> None:
    sizes = [f"recipe.stages.refine.{name}" for name in ("keep=3", "drafts=20")]
    play = refined(coder("no program"), *sizes, "recipe.stages.refine.rounds=5")
    programs = [request for request in asked(play) if not is_critic(request)]
    assert play.result.reason == "nothing_runs"
    assert len(programs) == 20 + 5 * 3 * 20


def test_programs_that_the_critic_scores_highest_are_gone_on_from() -> None:
    def model(request: Request) -> str:
        if not is_critic(request):
            return fenced(f"{WRONG}\n# {request.sample}")
        return (
            f"1. Fine.\nScore: {1 + int(re.findall('# ([0-9])', request.messages[0].content)[-1])}"
        )

    row, _ = refined(model, "recipe.stages.refine.keeps_wrong=true").result
    tree = json.loads(row.data)["tree"]
    first = {name: score for name, _, depth, score in tree if depth == 1}
    parents = {parent for _, parent, depth, _ in tree if depth == 2}
    assert sorted(first[name][0] for name in parents) == [2, 3]


def test_a_critique_without_a_score_scores_0_and_loses_no_program() -> None:
    row, verdict = refined(coder(SPAM, critique="1. Looks right.")).result
    assert verdict.kept and {score[0] for *_, score in json.loads(row.data)["tree"]} == {0.0}


def test_a_program_that_the_critic_has_enough_of_has_no_successors() -> None:
    play = refined(coder(SPAM, critique="Score: 5\n[enough]"))
    assert {depth for _, _, depth, _ in json.loads(play.result[0].data)["tree"]} == {1}


def test_programmer_and_critic_see_what_led_to_a_program() -> None:
    play = refined(coder(WRONG, critique="Multiply instead. Score: 2"))
    last = [request for request in asked(play) if len(request.messages) == 3][0]
    assert (
        "Multiply instead." in last.messages[2].content and "right is" in last.messages[2].content
    )
    critic = asked(play)[-1].messages[0].content
    assert critic.count("The programmer wrote:") == 2 and "Multiply instead." in critic


def test_a_response_that_is_cut_off_is_an_end() -> None:
    def model(request: Request) -> Any:
        return response(request, "```python", finish_reason="length")

    play = refined(model)
    assert play.result.reason == "nothing_runs" and len(asked(play)) == 3


@pytest.mark.parametrize(("limit", "most"), [("nodes", 4), ("asks", 7), ("cells", 9)])
def test_a_budget_is_never_exceeded(limit: str, most: int) -> None:
    play = refined(coder(WRONG), f"recipe.stages.refine.{limit}={most}",
                   "recipe.stages.refine.keeps_wrong=true")  # fmt: skip
    row, _ = play.result
    used = {"asks": len(asked(play)), "nodes": json.loads(row.data)["nodes"], "cells": row.cells}
    free, _ = refined(coder(WRONG), "recipe.stages.refine.keeps_wrong=true").result
    assert 0 < used[limit] <= most
    assert (
        most
        < {"asks": free.asks, "nodes": json.loads(free.data)["nodes"], "cells": free.cells}[limit]
    )


def test_a_budget_holds_where_requests_have_to_be_sent_again(tmp_path: Path) -> None:
    """Half an answer comes to the first request of each prompt."""

    def answer(prompt: str) -> str:
        is_critic = prompt.startswith("A programmer works")
        return "Score: 3" if is_critic else fenced(f"# {len(prompt)}\n{SPAM}")

    small = [f"recipe.stages.refine.{each}" for each in ("asks=6", "drafts=3", "rounds=2")]
    seeds = [{"problem": "How many?", "answer": "560", "code": SPAM}]
    with fault_server(answer, lambda prompt: "unlucky") as server:
        _, [row], _ = run(tmp_path, "orps", server.base_url, seeds, "backend.api=chat", *small)
    assert row["asks"] == server.answered.total() == 6 < server.total()
