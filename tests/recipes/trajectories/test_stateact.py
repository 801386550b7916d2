"""stateact: the game receives actions alone, keys are restated, and the account of them is held
against the game's own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, once, played, prompt_of, script
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.tools import Invoke, bind
from transforms.stages.trajectories.dialogue_forms import dialogue_of
from transforms.stages.trajectories.house import House, solution
from transforms.stages.trajectories.keys import goal_changed
from transforms.stages.trajectories.records import Trajectory, learned

GAME = "11"
OPENING = House()(GAME, [])["text"]
SEED = Seed.make(problem=OPENING, source="mine", license="MIT", metadata=json.dumps({"game": GAME}))
KEYS = ["goal", "locations_visited", "current_location", "current_inventory", "thought", "action"]


def turns(**wrong: str) -> list[str]:
    """The turns of a play that wins, with some keys stated otherwise in all of them."""
    steps, written = solution(GAME), []
    for number, action in enumerate(steps):
        state = House()(GAME, steps[:number])["state"] | {"thought": "Well.", "action": action}
        written.append("\n".join(f"{key}: {(state | wrong)[key]}" for key in KEYS))
    return written


def play(*texts: str, keys: list[str] = KEYS, **fields: Any) -> tuple[Trajectory, Any, Any]:
    made = stage("stateact", "act", "recipe.stages.act.sampler.samples=1",
                 f"recipe.stages.act.keys=[{','.join(keys)}]")  # fmt: skip
    return once(replace(made, **fields).episode(SEED), *texts)


def test_the_game_receives_the_lines_of_actions_alone() -> None:
    row, verdict, done = play(*turns())
    calls = [each for turn in done.turns for each in turn if isinstance(each, Invoke)]
    steps = solution(GAME)
    assert [json.loads(call.arguments) for call in calls] == [
        {"game": GAME, "actions": steps[:n]} for n in range(len(steps) + 1)
    ]
    assert verdict.kept and (row.score, row.cells) == (1.0, len(steps))
    assert json.loads(row.answer or "") == steps


def test_what_the_game_shows_stands_in_the_users_turns_and_is_not_learned() -> None:
    row, _, _ = play(*turns())
    shown = [turn.content for turn in row.messages if not turn.sampled][2:]
    steps = solution(GAME)
    assert shown == [House()(GAME, steps[: n + 1])["text"] for n in range(len(steps))]
    assert [t.content[a:b] for t in row.messages for a, b in learned(t)] == turns()


def test_a_stated_state_is_held_against_the_games_own() -> None:
    row, _, _ = play(*turns(current_inventory="Nothing"))
    carried = [House()(GAME, solution(GAME)[:n])["state"]["current_inventory"]
               for n in range(len(solution(GAME)))]  # fmt: skip
    share = carried.count("nothing") / len(carried)
    stated = json.loads(row.data)["stated"]
    assert 0 < share < 1 and stated["current_inventory"] == share
    assert stated["goal"] == stated["current_location"] == stated["locations_visited"] == 1


def test_a_goal_that_changes_is_objected_to() -> None:
    row, _, _ = play(*turns())
    assert goal_changed(row).kept
    row, _, _ = play(turns(goal="put the sun in the sea")[0], *turns()[1:])
    assert goal_changed(row).reason == "goal_changed"


def test_turns_as_objects_are_read_and_graded_as_those_of_lines_are() -> None:
    objects = [json.dumps(dict(line.split(": ", 1) for line in t.split("\n"))) for t in turns()]
    row, verdict, done = play(*objects, dialogue=dialogue_of({"form": "actions"}))
    words = prompt_of(asked(done)[0])
    assert "one JSON object" in words and "\n> You take the towel.\n{" in words
    assert verdict.kept and json.loads(row.answer or "") == solution(GAME)
    assert set(json.loads(row.data)["stated"].values()) == {1.0} and goal_changed(row).kept


@pytest.mark.parametrize("key", KEYS[:-1])
def test_a_key_that_is_left_out_is_in_neither_the_form_nor_the_examples(key: str) -> None:
    _, _, whole = play("")
    _, _, fewer = play("", keys=[each for each in KEYS if each != key])
    counts = [
        {each: prompt_of(asked(done)[0]).count(f"\n{each}: ") for each in KEYS}
        for done in (whole, fewer)
    ]
    assert counts[0][key] > 4 and counts[1] == {**counts[0], key: 0}


def test_the_example_is_what_the_game_shows() -> None:
    example = stage("stateact", "act").examples
    actions = re.findall(r"^action: (.*)$", example, re.MULTILINE)
    states = [House()("Z", actions[:n]) for n in range(len(actions) + 1)]
    assert re.findall(r"^> (.*)$", example, re.MULTILINE) == [state["text"] for state in states]
    for key in KEYS[:4]:
        said = re.findall(rf"^{key}: (.*)$", example, re.MULTILINE)
        assert said == [state["state"][key] for state in states[:-1]]
    assert states[-1]["over"]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [(["I do not know."], "format"), (["action: look"] * 40, "cells"), ([], "format")],
)
def test_a_play_that_does_not_win_says_why(texts: list[str], reason: str) -> None:
    row, verdict, done = play(*texts)
    assert (verdict.reason, row.score) == (reason, 0.0)
    assert len(asked(done)) <= 31 and row.cells <= 30


def lost(game: str, actions: list[str]) -> dict[str, Any]:
    """A game of one's own that ends with the first action."""
    return {"text": f"{game} is lost.", "over": bool(actions), "score": 0.5}


def broken(game: str, actions: list[str]) -> str:
    """A function that is no game."""
    return "hello"


def test_a_game_of_ones_own_is_bound_by_its_import_path() -> None:
    row, verdict, _ = play("action: jump", tools=bind({"game": f"{__name__}.lost"}))
    assert (verdict.reason, row.score, row.ended) == ("not_solved", 0.5, "answered")
    with pytest.raises(SettingsError, match="tools.game: it returns no object with text"):
        play("action: jump", tools=bind({"game": f"{__name__}.broken"}))


def test_a_seed_that_names_no_game_is_rejected() -> None:
    seed = Seed.make(problem="What?", source="mine", license="MIT")
    done = played(stage("stateact", "act").episode(seed), script())
    assert done.result.reason == "no_game"
