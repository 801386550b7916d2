"""The text game that ships: every game can be won, and depends on nothing but its actions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.models.tools import bind
from transforms.stages.trajectories.house import House, games, solution

PLAY = House()
GAMES = st.integers(0, 10**6).map(str)
ACTIONS = st.lists(
    st.sampled_from(["look", "go to kitchen", "open fridge", "take mug", "wash mug",
                     "put mug in sink", "Go to the hall.", "open shoe box", "dance", "put in", ""]),
    max_size=8,
)  # fmt: skip


@given(GAMES)
def test_every_game_is_won_by_its_solution_and_not_before_its_end(game: str) -> None:
    steps = solution(game)
    assert [PLAY(game, steps[:n])["over"] for n in range(len(steps) + 1)][-2:] == [False, True]
    assert PLAY(game, steps)["score"] == 1


@given(GAMES, ACTIONS)
def test_the_same_actions_give_the_same_and_leave_things_where_they_can_be(
    game: str, actions: list[str]
) -> None:
    seen = PLAY(game, actions)
    assert seen == House()(game, list(actions))
    assert seen["state"]["current_location"] in seen["state"]["locations_visited"]
    assert PLAY(game, [*actions, "dance"])["state"] == seen["state"]


@pytest.mark.parametrize(
    ("actions", "seen"),
    [
        (["take towel"], "Nothing happens."),  # it is in another room
        (["go to study", "take the towel from the desk."], "You take the towel."),
        (["go to study", "take towel", "take pen"], "Nothing happens."),  # hands are full
        (["go to study", "take towel", "put towel in cupboard"], "Nothing happens."),
        ([*solution("Z")[:3], "put towel in cupboard"], "Nothing happens."),  # it is closed
        (["open cupboard"], "Nothing happens."),
        ([*solution("Z"), "look"], "The game is over. You have done it."),
    ],
)  # fmt: skip
def test_what_cannot_be_done_changes_nothing(actions: list[str], seen: str) -> None:
    assert PLAY("Z", actions)["text"] == seen


def test_games_are_seeds_that_differ() -> None:
    rows = list(games(300, first=5))
    assert len({row["problem"] for row in rows}) == 300
    assert rows[0]["game"] == "5" and "Your task: put the" in rows[0]["problem"]


def test_the_game_is_a_tool_with_a_schema() -> None:
    tool = bind({"game": "transforms.stages.trajectories.house.House"})["game"]
    assert '"actions"' in tool.json and '"game"' in tool.json
    assert tool('{"game": "Z", "actions": 3}').error is not None
