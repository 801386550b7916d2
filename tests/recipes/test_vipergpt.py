"""vipergpt: functions that look at pictures are right on redraws, or are rejected as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from pipelines.benches.planted.pictures import function as gold
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, once, played, prompt_of, script
from transforms.engine.records import Seed
from transforms.recipes.vipergpt import api, program, scenes_for, things
from transforms.scenes.answers import agrees
from transforms.scenes.base import SceneQuestion
from transforms.scenes.seeds import Asked
from transforms.scenes.seeds import asked as seeds_asked
from transforms.scenes.shape_questions import QUESTIONS, names_for
from transforms.scenes.shape_questions import asked as shapes_asked
from transforms.scenes.shapes import Shapes


def given(function: str, pictures: list[Any]) -> list[Any]:
    """What a function of ours gives for pictures, run here."""
    names: dict[str, Any] = {}
    exec(program(function, pictures), names)
    return names["output"]


@cache
def questions(kind: str) -> list[tuple[Shapes, SceneQuestion]]:
    """A question of a kind about each of 200 scenes."""
    found: list[tuple[Shapes, SceneQuestion]] = []
    number = 0
    while len(found) < 200:
        scene = Shapes.generate(number, 4 + number % 2 if kind == "within" else 1 + number % 5)
        names = names_for(scene.shapes, kind)
        asked = (shapes_asked(scene.shapes, kind, each) for each in names[number % 5 :])
        found += [(scene, each) for each in asked if each is not None][:1]
        number += 1
    return found


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_right_function_gives_the_truth_of_the_scene(kind: str) -> None:
    for scene, question in questions(kind):
        [answer] = given(gold(question), [things(scene, "scene")])
        assert agrees(answer, question.answer)


def about(kind: str) -> Asked:
    scene, question = next(each for each in questions(kind) if each[0].is_plain)
    number = next(n for n in range(1000) if Shapes.generate(n, 1 + n % 5) == scene)
    return Asked(scene, question, 1 + number % 5, number)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [("left_of", "<", ">"), ("above", "<", ">"), ("larger", ">", "<"), ("nearer", "<", ">"),
     ("largest", "max", "min"), ("nearest", "min(", "max("), ("leftmost", "[0]", "[-1]")],
)  # fmt: skip
def test_a_comparison_turned_round_fails_on_a_redraw(kind: str, right: str, wrong: str) -> None:
    case = about(kind)
    scenes = scenes_for(case, 20)
    assert len(scenes) == 21
    turned = gold(case.question).replace(right, wrong)
    answers = given(turned, [things(scene, "scene") for scene, _ in scenes])
    rights = [agrees(answer, gold, 0.7) for answer, (_, gold) in zip(answers, scenes, strict=True)]
    assert not all(rights[1:])


def test_turning_the_axis_upwards_changes_what_is_above() -> None:
    case = about("above")
    flipped = [
        each | {"box": [each["box"][0], 480 - each["box"][3], each["box"][2], 480 - each["box"][1]]}
        for each in things(case.scene, "scene")
    ]
    one, other = given(gold(case.question), [things(case.scene, "scene"), flipped])
    assert {one, other} == {"yes", "no"}


def test_both_backings_agree_on_plain_scenes() -> None:
    for kind in QUESTIONS:
        plain = [each for each in questions(kind) if each[0].is_plain][:3]
        for scene, question in plain:
            pictures = [things(scene, "scene"), things(scene, "pixels")]
            one, other = given(gold(question), pictures)
            assert one == other


@cache
def seed(kind: str = "above") -> Seed:
    row = next(seeds_asked(["shapes"], [2], 50, questions=1, kinds=[kind]))
    more = json.dumps({name: row[name] for name in ("level", "seed")})
    words = {name: row[name] for name in ("problem", "answer", "kind", "license")}
    return Seed.make(**words, source="tests", metadata=more)


def attempt(function: str, *overrides: str, of: Callable[[], Seed] = seed) -> tuple[Any, Any, Any]:
    """The row and the verdict of a response with a function, and the play."""
    made = stage(
        "vipergpt", "write", "recipe.stages.write.sampler.samples=1",
        "recipe.stages.write.redraws=6", *overrides,
    )  # fmt: skip
    return once(made.episode(of()), f"I compare.\n```python\n{function}\n```")


def right() -> str:
    case = Asked.of(seed())
    assert case is not None
    return gold(case.question)


def test_a_right_function_is_a_row_with_what_ran_and_what_it_was_run_on() -> None:
    row, verdict, play = attempt(right())
    assert verdict.kept and row.answer == right() and row.score == 1
    data = json.loads(row.data)
    assert data["redraws"] == 6 and data["answer"] == seed().answer
    assert Shapes.model_validate(data["scene"]) == Shapes.generate(0, 2)
    [request] = asked(play)
    assert "def find(" in prompt_of(request) and "box" not in prompt_of(request)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("def answer(picture):\n    return picture.find('nothing')[0].x", "fails"),
        ("def answer(picture):\n    return 'maybe'", "wrong_answer"),
        (f"def answer(picture):\n    return {seed().answer!r}", "wrong_redraw"),
        ("def reply(picture):\n    return 'yes'", "fails"),
        ("def answer(picture):\n    return str(picture._things)", "backings_differ"),
    ],
)
def test_another_function_is_rejected_and_none_stands_in_for_it(function: str, reason: str) -> None:
    row, verdict, _ = attempt(function)
    assert verdict.reason == reason and row.answer == function.strip() and row.score == 0


def test_a_seed_of_another_scene_is_rejected() -> None:
    other = Seed.make(problem="?", source="tests", license="MIT", kind="table")
    made = stage("vipergpt", "write")
    assert played(made.episode(other), script("")).result.reason == "no_question"


def test_seeds_have_no_kind_or_answer_more_often_than_others() -> None:
    rows = list(seeds_asked(["shapes"], [1, 2], 60, questions=1, kinds=["above", "left_of"]))
    yes = sum(row["answer"] == "yes" for row in rows)
    assert 0.4 < yes / len(rows) < 0.6


def test_the_functions_are_shown_without_their_bodies() -> None:
    compiled = api()
    assert "self._things" not in compiled and "__init__" not in compiled
    compile(compiled, "api", "exec")
    assert "_plain" not in compiled and "def yes_no(holds: bool) -> str:" in compiled
    assert "pixels of the whole picture" in compiled
