"""msarl: the planner sees results alone, and each agent has a row and rewards of its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, played, prompt_of, script
from transforms.models.requests import ErrorKind
from transforms.stages.trajectories.records import learned

TASK = "I need the product.\n<|begin_task_query|>Multiply 6 by 7.<|end_task_query|>"
NEXT = "Now the rest.\n<|begin_task_query|>Add 1 to it.<|end_task_query|>"
CODE = "```python\nn = 6 * 7\nprint('raw ' * 50, n)\n```"
MORE = "```python\nprint('raw ' * 50, n + 1)\n```"
END = "It is \\boxed{43}."


def attempted(*texts: Any, more: tuple[str, ...] = ()) -> tuple[list[Any], list[Any]]:
    made = stage("msarl", "solve", "recipe.stages.solve.sampler.samples=1", *more)
    done = played(made.episode(SEED), script(*texts))
    return done.result, asked(done)


WHOLE = (TASK, CODE, "The product is 42.", NEXT, "```python\nm\n```", MORE, "It is 43.", END)


def test_the_planner_sees_results_and_no_output_and_the_agent_the_tasks_alone() -> None:
    _, requests = attempted(*WHOLE)
    planner: list[Any] = []
    agent: list[Any] = []
    for request in requests:
        (planner if "an assistant computes" in prompt_of(request) else agent).append(request)
    assert [len(planner), len(agent)] == [3, 5]
    assert not any("raw" in prompt_of(request) for request in planner)
    assert "The product is 42." in prompt_of(planner[1])
    assert not any("plus 1" in prompt_of(request) for request in agent)
    assert "raw raw" in prompt_of(agent[1])


def test_an_attempt_is_two_rows_that_learn_of_their_own_agent_and_have_rewards_of_their_own() -> (
    None
):
    pairs, _ = attempted(*WHOLE)
    (planner, one), (agent, other) = pairs
    assert one.kept and other.kept and planner.id != agent.id
    taught = [{t.content: t.agent for t in row.messages if learned(t)} for row in (planner, agent)]
    assert list(taught[0]) == [TASK, NEXT, END] and set(taught[0].values()) == {"planner"}
    assert list(taught[1]) == [*WHOLE[1:3], *WHOLE[4:7]]
    assert set(taught[1].values()) == {"tool agent"}
    rewards = [[t.reward for t in row.messages if t.sampled] for row in (planner, agent)]
    assert rewards == [[1.0, 1.0, 1.0], [1.0, 0.5, 0.0, 1.0, 0.5]]
    assert (planner.score, agent.score) == (1.0, 2 / 3)


def test_a_wrong_answer_takes_its_rewards_from_the_results_and_not_from_the_calls() -> None:
    keeps = ("recipe.stages.solve.keeps_wrong=true",)
    pairs, _ = attempted(TASK, CODE, "It is 42.", "\\boxed{42}", more=keeps)
    rewards = [[t.reward for t in row.messages if t.sampled] for row, _ in pairs]
    assert rewards == [[1.0, 0.0], [1.0, 0.0]]
    assert [verdict.kept for _, verdict in pairs] == [True, True]
    assert [v.reason for _, v in attempted(TASK, CODE, "42", "\\boxed{42}")[0]] == [
        "wrong_answer"
    ] * 2


def test_an_agent_that_runs_out_of_calls_has_no_row_and_the_planner_goes_on() -> None:
    one = ("recipe.stages.solve.tool_cells=1",)
    pairs, requests = attempted(TASK, CODE, CODE, NEXT, END, more=one)
    assert [verdict.reason for _, verdict in pairs] == [None, "cells"]
    assert "could not be done" in prompt_of(requests[3])
    assert "No further task" in prompt_of(requests[4])


@pytest.mark.parametrize("place", [0, 1])
def test_an_agent_that_is_not_answered_puts_the_attempt_off(place: int) -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    pairs, _ = attempted(*[TASK, CODE][: place + 1], lost)
    assert [verdict.unanswered for _, verdict in pairs] == [True, True]
