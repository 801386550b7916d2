"""tree_of_code: failing programs grow, running ones vote, and the grade comes after the choice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, played, script
from transforms.models.requests import ErrorKind, Request
from transforms.sandbox.jobs import Cell


def draft(code: str) -> str:
    return f"<thought>Let me see.</thought>\n<execute>\n{code}\n</execute>"


def grown(model: Callable[[Request], Any], *overrides: str, seed: Any = SEED) -> Any:
    made = stage("tree_of_code", "grow", "recipe.stages.grow.keeps_tree=true", *overrides)
    return played(made.episode(seed), model)


def cells(play: Any) -> list[Cell]:
    return [each for turn in play.turns for each in turn if isinstance(each, Cell)]


def by_sample(*codes: str) -> Callable[[Request], str]:
    return lambda request: draft(codes[request.sample])


def test_the_output_of_most_programs_that_ran_is_the_answer_though_it_is_wrong() -> None:
    row, verdict = grown(by_sample("print(44)", "print(44.0)", "print(43)")).result
    assert (row.answer in ("44", "44.0"), row.score, verdict.reason) == (True, 0.0, "wrong_answer")


def test_siblings_are_asked_of_the_models_that_are_named_in_turn() -> None:
    play = grown(by_sample(*["print(43)"] * 3), "recipe.stages.grow.draft_models=[one, two]")
    assert [request.named for request in asked(play)] == ["one", "two", "one"]


def test_no_answer_is_compared_with_the_reference_before_the_choice() -> None:
    programs = by_sample("print(44)", "print(44)", "print(43)")
    plays = [grown(programs, seed=replace(SEED, answer=answer)) for answer in ("43", "44")]
    assert [play.result[0].answer for play in plays] == ["44", "44"]
    assert plays[0].turns[:2] == plays[1].turns[:2]


def test_a_program_that_ran_is_never_expanded_and_one_that_failed_has_three_children() -> None:
    def model(request: Request) -> str:
        is_first = len(request.messages) == 1
        return draft("print(43)" if request.sample == 0 or not is_first else "1 / 0")

    row, verdict = grown(model).result
    tree = json.loads(row.data)["tree"]
    ended = [node for node, _, depth, score in tree if depth == 1 and score == [1.0]]
    assert verdict.kept and len(tree) == 3 + 2 * 3
    assert len(ended) == 1 and not any(parent in ended for _, parent, _, _ in tree)


def test_a_tree_of_failures_has_39_nodes_and_no_row() -> None:
    play = grown(lambda request: draft("1 / 0"))
    assert (play.result.reason, play.result.detail) == ("nothing_runs", "39 programs")
    assert len(asked(play)) == len(cells(play)) == 39


@pytest.mark.parametrize(("limit", "most"), [("nodes", 10), ("asks", 7), ("cells", 5)])
def test_a_budget_is_never_exceeded(limit: str, most: int) -> None:
    play = grown(lambda request: draft("1 / 0"), f"recipe.stages.grow.{limit}={most}")
    used = {"nodes": len(asked(play)), "asks": len(asked(play)), "cells": len(cells(play))}
    assert used[limit] <= most


def test_children_go_on_in_a_fork_of_their_parent_s_session_and_no_cell_runs_twice() -> None:
    def model(request: Request) -> str:
        is_first = len(request.messages) == 1
        first = f"a = 42  # {request.sample}\n1 / 0"
        return draft(first if is_first else f"print(a + 1 + 0 * {request.sample})")

    play = grown(model)
    row, verdict = play.result
    assert verdict.kept and row.answer == "43"
    ran = [(cell.after, cell.code) for cell in cells(play)]
    assert len(set(ran)) == len(ran) == 3 + 9
    assert {after for after, _ in ran} == {(), *((code,) for after, code in ran if not after)}
    assert [turn.role for turn in row.messages].count("assistant") == 2
    assert "ZeroDivisionError" in "".join(turn.content for turn in row.messages)


def test_siblings_are_asked_in_different_words() -> None:
    play = grown(lambda request: draft("1 / 0"), "recipe.stages.grow.depth=2")
    first, second = [r for r in asked(play) if len(r.messages) == 1], asked(play)[3:6]
    assert len({request.messages[-1].content for request in first}) == 3
    assert len({request.messages[-1].content for request in second}) == 3


def test_a_response_without_a_program_is_told_so() -> None:
    play = grown(script("I think.", "I think.", "I think.", *[draft("print(43)")] * 9))
    assert "There is no program." in asked(play)[3].messages[-1].content
    assert play.result[1].kept and len(cells(play)) == 9


def test_a_problem_whose_request_stays_unanswered_is_put_off() -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    assert grown(script(lost, draft("print(43)"), draft("print(43)"))).result.unanswered


def test_a_problem_without_an_answer_is_rejected() -> None:
    assert grown(script(), seed=replace(SEED, answer=None)).result.reason == "no_reference"
