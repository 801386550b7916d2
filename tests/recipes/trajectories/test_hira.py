"""hira: a planner sees conclusions alone; a coordinator, executors and a memory serve it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.examples import chat, response
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, played, prompt_of
from transforms.engine.errors import SettingsError
from transforms.models.requests import ErrorKind, Request
from transforms.models.tools import Invoke
from transforms.recipes.hira import read
from transforms.sandbox.jobs import Cell
from transforms.stages.trajectories.records import learned

END = "It is \\boxed{43}."
ROLES = {
    "one sub-task at a time": "planner",
    "Which one should do it?": "coordinator",
    "Sum it up as JSON": "conclusion",
    "Repeat the entries": "memory",
    "End with what you found": "executor",
}


def role(request: Request) -> str:
    text = prompt_of(request)
    return next(name for words, name in ROLES.items() if words in text)


def subtask(text: str) -> str:
    return f"I need it.\n<|begin_subtask_query|>{text}<|end_subtask_query|>"


def choose(name: str) -> str:
    return json.dumps({"reason": "It fits.", "selected_agent_name": name})


def conclude(conclusion: str, *facts: str) -> str:
    both = {"reasoning_process": "I looked.", "final_conclusion": conclusion}
    memory = {"fact_memory": facts, "resource_memory": {}}
    return json.dumps({"conclusion": both, "memory": memory})


class Played:
    """An attempt in which each role gives its texts, one after another, and the last one again."""

    def __init__(self, folder: Path, *more: str, **texts: list[Any]) -> None:
        made = stage(
            "hira", "solve", "backend.continue_prefix=true",
            f"recipe.stages.solve.tools.search.arguments.folder={folder}", *more,
        )  # fmt: skip
        says = {
            "coordinator": [choose("search")], "executor": ["It is twelve."],
            "conclusion": [conclude("Twelve.")], "memory": ["none"], **texts,
        }  # fmt: skip

        def model(request: Request) -> Any:
            texts = says[role(request)]
            return texts.pop(0) if len(texts) > 1 else texts[0]

        done = played(made.episode(SEED), model)
        self.pairs = done.result
        self.row, self.verdict = self.pairs[0]
        self.requests = asked(done)
        self.roles = [role(request) for request in self.requests]
        effects = [each for turn in done.turns for each in turn]
        self.searches = sum(isinstance(each, Invoke) for each in effects)
        self.cells = [each for each in effects if isinstance(each, Cell)]

    def prompts(self, name: str) -> list[str]:
        return [
            prompt_of(each)
            for each, own in zip(self.requests, self.roles, strict=True)
            if own == name
        ]


Play = Callable[..., Played]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    folder = tmp_path_factory.mktemp("texts")
    (folder / "units.txt").write_text("A dozen is twelve.")
    return partial(Played, folder)


SEARCH = "I look.\n<|begin_search_query|>dozen<|end_search_query|>"
CODE = "I compute.\n<|begin_python_query|>print(6 * 7)<|end_python_query|>"


def test_the_planner_sees_conclusions_alone_and_each_task_is_a_row(play: Play) -> None:
    run = play(
        planner=[subtask("Twelve?"), subtask("Times?"), END],
        coordinator=[choose("search"), choose("code")],
        executor=[SEARCH, "Found: twelve.", CODE, "It printed 42."],
        conclusion=[conclude("A dozen is 12."), conclude("It is 42.")],
    )
    seen = run.prompts("planner")[-1]
    assert "A dozen is 12." in seen and "I looked." in seen and "It is 42." in seen
    assert not any(words in seen for words in ("is twelve", "Found:", "printed", "fact_memory"))
    taught = [[t.content for t in row.messages if learned(t)] for row, _ in run.pairs]
    assert taught[1:] == [[SEARCH, "Found: twelve."], [CODE, "It printed 42."]]
    assert [{t.agent for t in row.messages if t.sampled} for row, _ in run.pairs] == [
        {"planner"}, {"search"}, {"code"}
    ]  # fmt: skip
    assert [verdict.kept for _, verdict in run.pairs] == [True] * 3
    assert len({row.id for row, _ in run.pairs}) == 3


def test_after_ten_sub_tasks_one_request_is_left_and_an_eleventh_is_not_carried_out(
    play: Play,
) -> None:
    run = play(planner=[subtask(f"Part {n}?") for n in range(11)])
    counts = {name: run.roles.count(name) for name in ("planner", "executor")}
    assert (counts, run.verdict.reason) == ({"planner": 11, "executor": 10}, "cells")
    assert "No more calls" in run.prompts("planner")[10]
    assert [verdict.reason for _, verdict in run.pairs] == ["cells"] * 11


@pytest.mark.parametrize(("facts", "filtered"), [(4, 0), (5, 1)])
def test_a_memory_of_more_than_four_entries_is_filtered_by_one_request(
    play: Play, facts: int, filtered: int
) -> None:
    run = play(
        planner=[subtask("One?"), subtask("Two?"), END],
        conclusion=[conclude("So.", *[f"fact {n}" for n in range(facts)]), conclude("So.")],
        memory=["fact 3"],
    )
    assert run.roles.count("memory") == filtered
    shown = run.prompts("executor")[1]
    assert "fact 3" in shown and ("fact 0" in shown) == (not filtered)


def test_an_executor_that_computes_is_not_shown_the_memory(play: Play) -> None:
    run = play(
        planner=[subtask("One?"), subtask("Two?"), END],
        coordinator=[choose("search"), choose("code")],
        conclusion=[conclude("So.", *[f"fact {n}" for n in range(5)])],
    )
    assert run.roles.count("memory") == 0 and "fact" not in run.prompts("executor")[1]


def test_an_identical_call_is_refused_and_not_executed(play: Play) -> None:
    run = play(
        planner=[subtask("One?"), subtask("One?"), subtask("Two?"), END],
        coordinator=[choose("search"), choose("code")],
        executor=[SEARCH, SEARCH, "Twelve.", CODE, CODE, "42."],
    )
    assert (run.verdict.kept, run.row.cells) == (True, 2)
    assert (run.searches, len(run.cells), run.roles.count("coordinator")) == (1, 1, 2)
    refused = [prompt.count("asked before") for prompt in run.prompts("executor")]
    assert refused == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("choice", ["code!", choose("magic"), '{"selected_agent_name": [', "{}"])
def test_a_choice_that_cannot_be_read_falls_to_the_first_executor(play: Play, choice: str) -> None:
    run = play(planner=[subtask("One?"), END], coordinator=[choice])
    assert {turn.agent for turn in run.pairs[1][0].messages if turn.sampled} == {"search"}


def test_an_executor_without_tools_left_is_heard_once_more_and_then_summed_up(play: Play) -> None:
    calls = [SEARCH.replace("dozen", f"dozen {n}") for n in range(11)]
    run = play(
        "recipe.stages.solve.executor_cells=2", planner=[subtask("One?"), END], executor=calls
    )
    assert (run.roles.count("executor"), run.searches) == (3, 2)
    assert "No more calls" in run.prompts("executor")[2]
    assert [verdict.reason for _, verdict in run.pairs] == [None, "cells"]


def test_a_tool_of_an_executor_that_is_not_bound_is_named(play: Play) -> None:
    with pytest.raises(SettingsError, match=r"executors\.code\.tools has maps, which is not bound"):
        play("recipe.stages.solve.executors.code.tools=[maps]", planner=[END])


@pytest.mark.parametrize("name", ["coordinator", "executor", "conclusion"])
def test_an_agent_that_is_not_answered_puts_the_attempt_off(play: Play, name: str) -> None:
    lost = response(chat(), "", error="504", error_kind=ErrorKind.TIMEOUT)
    run = play(planner=[subtask("One?"), END], **{name: [lost]})
    assert all(verdict.unanswered for _, verdict in run.pairs)
    assert run.roles.count("planner") == 1


def test_what_agents_generated_is_counted_with_the_row_that_they_served(play: Play) -> None:
    run = play(planner=[subtask("One?"), END])
    one = response(run.requests[0], "").generated_tokens
    assert [row.tokens for row, _ in run.pairs] == [4 * one, one]


@given(
    st.none()
    | st.text()
    | st.lists(st.text() | st.none())
    | st.dictionaries(st.text(), st.text() | st.lists(st.text()))
)
def test_any_summary_is_read(value: Any) -> None:
    both = {"conclusion": value, "memory": {"fact_memory": value, "resource_memory": value}}
    conclusion, found = read(json.dumps(both))
    assert isinstance(conclusion, str) and all(isinstance(each, str) for each in found)
    assert read("All is well.") == ("All is well.", [])
