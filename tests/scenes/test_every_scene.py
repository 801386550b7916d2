"""What holds of every scene: its seed, its bytes, its questions, and that what differs shows."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest

from transforms.scenes import CORE, LEVELS, Scene, scene_type
from transforms.scenes.base import decoded, inside


@cache
def scenes(name: str, level: int) -> list[Scene]:
    return [scene_type(name).generate(seed, level) for seed in range(4)]


@cache
def drawn(name: str) -> list[tuple[Scene, bytes]]:
    """A scene of three levels with its picture."""
    return [(scenes(name, level)[0], scenes(name, level)[0].draw()) for level in LEVELS[::2]]


@pytest.fixture(params=CORE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_scene_is_decided_by_its_seed_and_level(name: str) -> None:
    made = scene_type(name)
    for level in LEVELS:
        assert made.generate(2, level) == scenes(name, level)[2]
        assert len({scene.model_dump_json() for scene in scenes(name, level)}) == 4


def test_a_level_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="level=6: use 1 to 5"):
        scene_type(name).generate(0, 6)


def test_a_scene_is_equal_after_a_round_trip_through_json_and_draws_the_same(name: str) -> None:
    scene, png = drawn(name)[0]
    again = type(scene).model_validate_json(scene.model_dump_json())
    assert again == scene and again.draw() == png


def test_another_process_with_another_hash_seed_draws_the_same_bytes() -> None:
    code = (
        "import hashlib, sys; from transforms.scenes import scene_type\n"
        "for name in sys.argv[1:]:\n"
        "    print(hashlib.sha256(scene_type(name).generate(0, 5).draw()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code, *CORE]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    here = [hashlib.sha256(drawn(name)[2][1]).hexdigest() for name in CORE]
    assert ran.stdout.split() == here


def test_a_picture_holds_pixels_and_nothing_else(name: str) -> None:
    _, png = drawn(name)[1]
    at, chunks = 8, set()
    while at < len(png):
        [length] = struct.unpack(">I", png[at : at + 4])
        chunks.add(png[at + 4 : at + 8])
        at += length + 12
    assert chunks == {b"IHDR", b"IDAT", b"IEND"}


def test_answers_are_json_and_their_places_lie_within_the_picture(name: str) -> None:
    for scene, png in drawn(name):
        width, height = decoded(png).size
        asked = scene.questions()
        assert asked
        for question in asked:
            assert json.loads(json.dumps(question.answer)) == question.answer
            assert question.box is None or inside(question.box, (0, 0, width, height))


def test_no_question_is_asked_twice_of_a_picture(name: str) -> None:
    for scene, _ in drawn(name):
        texts = [question.text for question in scene.questions()]
        assert len(texts) == len(set(texts))


def test_scenes_with_other_answers_to_a_question_look_different_where_it_is_read(name: str) -> None:
    """A redraw with one fact changed, as little as scenes differ, changes enough pixels to see, and
    for a question with a place, there."""
    for scene, png in drawn(name):
        for number, other in enumerate(neighbours(name, scene)):
            before, after = pixels(png), pixels(other.draw())
            assert before.shape == after.shape
            changed = np.abs(before - after).max(axis=2) > 40
            assert changed.sum() >= 12, (name, number)


def pixels(png: bytes) -> Any:
    return np.asarray(decoded(png)).astype(int)


def neighbours(name: str, scene: Any) -> list[Any]:
    """Versions of a scene in which one fact is another."""
    return {
        "board": _of_board,
        "chart": _of_chart,
        "geometry": _of_geometry,
        "page": _of_page,
        "shapes": _of_shapes,
        "table": _of_table,
    }[name](scene)


def _of_board(scene: Any) -> list[Any]:
    found, symbols = [], sorted({cell for row in scene.squares for cell in row})
    for symbol in symbols[1:4]:
        rows = [list(row) for row in scene.squares]
        rows[0][0] = symbol if rows[0][0] != symbol else symbols[0]
        found.append(scene.model_copy(update={"squares": tuple(map(tuple, rows))}))
    return found


def _of_chart(scene: Any) -> list[Any]:
    half, found = scene.tick // 2, []
    for series in range(len(scene.series)):
        values = [list(each) for each in scene.values]
        values[series][1] += half if values[series][1] == half else -half
        found.append(scene.model_copy(update={"values": tuple(map(tuple, values))}))
    return found


def _of_geometry(scene: Any) -> list[Any]:
    field = "angles" if scene.form == "angles" else "sides"
    found = []
    for n in scene.given:
        values = list(getattr(scene, field))
        values[n] += 1
        found.append(scene.model_copy(update={field: tuple(values)}))
    return found


def _of_page(scene: Any) -> list[Any]:
    first, *rest = scene.sections
    other = "A" if first.reference[-1] != "A" else "C"
    changes = ({"amount": first.amount + 1}, {"reference": first.reference[:-1] + other})
    return [
        scene.model_copy(update={"sections": (first.model_copy(update=change), *rest)})
        for change in changes
    ]


def _of_shapes(scene: Any) -> list[Any]:
    found = []
    for n, shape in enumerate(scene.shapes):
        left, top, right, bottom = shape.box
        kind = "square" if shape.kind == "circle" else "circle"
        colour = "red" if shape.colour != "red" else "orange"
        changes = ({"kind": kind}, {"colour": colour}, {"box": (left, top, right - 4, bottom - 4)})
        for change in changes:
            shapes = (*scene.shapes[:n], shape.model_copy(update=change), *scene.shapes[n + 1 :])
            found.append(scene.model_copy(update={"shapes": shapes}))
    return found


def _of_table(scene: Any) -> list[Any]:
    rows = [list(row) for row in scene.rows]
    rows[1][1] = str(int(rows[1][1]) + 1)
    return [scene.model_copy(update={"rows": tuple(map(tuple, rows))})]
