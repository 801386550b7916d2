"""Rewards of turns, their discounted returns, and advantages that sum to nothing in a group."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.publish.export.trajectories import CODE, OUTPUT, trajectory, turns
from transforms.stages.trajectories.records import Ended
from transforms.stages.trajectories.rewards import (
    Advantages,
    RewardTurns,
    advantages,
    retool_reward,
    returns,
)

BROKEN = "It runs.\n```python\nprint(6 * \n```\n```output\n"
SYNTAX = "  File \"<cell 1>\", line 1\nSyntaxError: '(' was never closed\n```\n"


def own(record, field):
    return [getattr(turn, field) for turn in record.messages if turn.sampled]


def test_returns_discount_what_comes_later() -> None:
    assert returns([0, -0.1, 1], 0.9) == pytest.approx([0.72, 0.8, 1.0])


@given(st.lists(st.lists(st.sampled_from([0.0, -0.1, 1.0]), max_size=5), max_size=5))
def test_advantages_of_a_group_have_mean_zero_and_keep_the_order_of_returns(group) -> None:
    found = advantages(group, 0.9)
    flat = [value for values in found for value in values]
    gained = [value for values in group for value in returns(values, 0.9)]
    assert sum(flat) == pytest.approx(0, abs=1e-9)
    assert [len(values) for values in found] == [len(values) for values in group]
    ordered = sorted(zip(gained, flat, strict=True))
    assert [advantage for _, advantage in ordered] == sorted(flat)


def test_a_turn_whose_code_does_not_parse_costs_and_the_last_one_has_the_score() -> None:
    record = trajectory(turns(CODE, OUTPUT, BROKEN, SYNTAX, "It is forty-two."))
    assert own(RewardTurns().of(record), "reward") == [0.0, -0.1, 1.0]
    left = replace(record, ended=Ended.FORMAT, score=0.0)
    assert own(RewardTurns().of(left), "reward") == [0.0, -0.1, -0.1]


def group(*scores):
    texts = ["It is 42.", "It is 41.", "It is 40."]
    records = [trajectory(turns(CODE, OUTPUT, t), s) for t, s in zip(texts, scores, strict=False)]
    return [RewardTurns().of(record) for record in records]


def test_each_turn_has_its_advantage_over_those_of_the_other_attempts() -> None:
    good, bad = (record for record, _ in Advantages().of(group(1.0, 0.0)))
    assert own(good, "advantage") == pytest.approx([0.892, 1.102], abs=1e-3)
    assert own(bad, "advantage") == pytest.approx([-0.997, -0.997], abs=1e-3)
    assert [turn.advantage for turn in good.messages if not turn.sampled] == [None, None]


def test_equal_attempts_have_no_advantage() -> None:
    for record, _ in Advantages(gamma=1.0).of(group(0.0, 0.0)):
        assert own(record, "advantage") == [0.0, 0.0]


def test_a_wrong_attempt_with_the_code_of_a_right_one_is_worth_more_with_shaping() -> None:
    other = trajectory(turns(CODE.replace("print(6 * 7)", "x = [5]"), OUTPUT, "It is 39."), 0.0)
    members = [*group(1.0, 0.0), RewardTurns().of(other)]
    right, alike, unlike = (record for record, _ in Advantages(shaping=0.5).of(members))
    assert own(right, "advantage")[-1] > own(alike, "advantage")[-1] > own(unlike, "advantage")[-1]
    flat = [record for record, _ in Advantages().of(members)]
    assert own(flat[1], "advantage") == own(flat[2], "advantage")


def test_a_wrong_answer_of_retool_gains_by_its_turns_up_to_a_limit() -> None:
    assert [retool_reward(False, turns) for turns in (4, 12, 2)] == [-0.9, -0.6, -1]
    assert retool_reward(True, 12) == 1
