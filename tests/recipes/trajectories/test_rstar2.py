"""rstar2: what a tool's turn shows, and which attempts of a group stay."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, once, prompt_of
from transforms.stages.trajectories.records import Trajectory

END = "<reason>Done.</reason>\n<answer>\\boxed{43}</answer>"


def call(code: str) -> str:
    arguments = {"name": "jupyter_code", "arguments": {"code": code}}
    return f"<reason>I compute.</reason>\n<tool_call>\n{json.dumps(arguments)}\n</tool_call>"


def attempt(*texts: str) -> tuple[Trajectory, list[Any]]:
    few = "recipe.stages.solve.sampler.samples=1"
    row, verdict, done = once(stage("rstar2", "solve", few).episode(SEED), *texts)
    assert verdict.kept
    return row, asked(done)


def test_calls_share_a_notebook_whose_schema_the_model_sees() -> None:
    row, requests = attempt(call("a = 42"), call("a + 1"), END)
    assert row.messages[5].content == "<tool_response>\n43\n</tool_response>"
    assert (row.answer, row.score, row.cells) == ("43", 1.0, 2)
    assert '"name":"jupyter_code"' in prompt_of(requests[0])


def test_a_call_that_does_not_parse_becomes_the_tools_text() -> None:
    row, _ = attempt("<tool_call>\n{'name': jupyter}\n</tool_call>", END)
    assert row.messages[3].content.startswith("<tool_response>\nthe call is no JSON")
    assert (row.cells, row.score) == (0, 1.0)


def test_no_time_of_the_clock_is_shown() -> None:
    texts = [call("import time; time.sleep(0.02); print('slept')"), call("1 / 0"), END]
    shown = [[t.content for t in attempt(*texts)[0].messages if not t.sampled] for _ in range(2)]
    assert shown[0] == shown[1]
    assert not re.search(r"\d+\.\d\d|second", "".join(shown[0][2:]))


def test_five_turns_are_the_last() -> None:
    row, requests = attempt(*[call("1")] * 6)
    assert (len(requests), row.ended, row.score) == (5, "turns", 0.0)


def group(right: int, wrong: int) -> list[Trajectory]:
    clean, _ = attempt(call("42"), END)
    failed, _ = attempt(call("1 / 0"), END)
    other = replace(attempt("<answer>\\boxed{4}</answer>")[0], score=0.0)
    rows = [clean if n % 2 else failed for n in range(right)] + [other] * wrong
    return [replace(row, id=f"{n:02}") for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("right", "wrong", "kept"), [(20, 12, (10, 6)), (31, 1, (15, 1)), (32, 0, (0, 0))]
)
def test_half_of_a_group_stays_right_and_wrong_in_proportion(
    right: int, wrong: int, kept: tuple[int, int]
) -> None:
    decided = stage("rstar2", "resample").of(group(right, wrong))
    scores = [row.score for row, verdict in decided if verdict.kept]
    assert (scores.count(1.0), scores.count(0.0)) == kept


def test_the_right_attempts_that_stay_are_those_whose_calls_did_not_fail() -> None:
    decided = stage("rstar2", "resample").of(group(20, 12))
    stay = [row for row, verdict in decided if verdict.kept and row.score]
    assert not any(turn.failed for row in stay for turn in row.messages)
