"""Recipes that edit pictures, against a vision server that knows pictures by their bytes: what is
right is kept, what is planted is not, and rows hold what was seen and run, as does a replay."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.chat_server import chat_server
from tests.publish.export.test_formats import exported
from tests.recipes.playing import stage
from tests.recipes.test_recipes import run
from tests.recipes.trajectories.test_invariants import files
from tests.stages.trajectories.looking import blobs, code, said, seeds
from tests.vision_server import seen_in, texts_of
from transforms.engine.paths import PROJECT
from transforms.engine.run_folder import RunFolder
from transforms.images.blobs import Blobs
from transforms.images.rows import COLUMN
from transforms.scenes import scene_type
from transforms.scenes.operations import OPERATION
from transforms.scenes.seeds import asked
from transforms.stages.trajectories.look import PictureSeed, repaired, repairs

PLANTED = ("right", "wrong", "another picture", "never ends", "no box")
COUNT = 5
UNDO = {
    "pale": "im = __import__('PIL.ImageOps').ImageOps.autocontrast(im.convert('RGB'))",
    "mirrored": "im = im.transpose(Image.FLIP_LEFT_RIGHT)",
    "rotation90": "im = im.transpose(Image.ROTATE_90)",
    "rotation180": "im = im.transpose(Image.ROTATE_180)",
    "dark": "im = __import__('PIL.ImageOps').ImageOps.autocontrast(im.convert('RGB'))",
}
"""Fault -> the line that undoes it."""
SEARCH = f"recipe.stages.think.tools.search.arguments.folder={PROJECT / 'docs/recipes'}"
SETTINGS = {
    "thyme": ["recipe.stages.draw.sets=[[],[pale],[mirrored]]"],
    "deepeyes_v2": [SEARCH, "recipe.stages.think.reader=none", "recipe.stages.think.base=1",
                    "recipe.stages.think.turns=3"],
    "visual_arft": ["recipe.stages.draw.sets=[[rotation90],[dark],[rotation180, dark]]"],
}  # fmt: skip
STAGE = {"thyme": "look", "deepeyes_v2": "think", "visual_arft": "step"}


class Known(NamedTuple):
    """What the server knows of a picture."""

    seed: PictureSeed
    plan: str


def known(recipe: str) -> dict[str, Known]:
    """Question and picture, as it is shown with any of the recipe's faults, by their hashes."""
    found = {}
    draw = stage(recipe, "draw", *SETTINGS[recipe][:1])
    for number, seed in enumerate(seeds("table", 1, "cell", COUNT)):
        for names in draw.sets:
            made = replace(draw, sets=(names,), blobs=blobs()).of(seed)
            assert isinstance(made, PictureSeed)
            entry = Known(made, PLANTED[number % len(PLANTED)])
            found[made.picture.sha256] = entry
            steps = repairs(made, crops=made.changes == "[]" and bool(names)) or []
            restored = repaired(made, steps, Blobs(blobs()))  # what the last of single steps shows
            found.setdefault(restored.sha256, entry)
    return found


def undoing(seed: PictureSeed, name: str = "out.png") -> list[str]:
    lines = [UNDO[fault] for fault in reversed(seed.faults) if fault in UNDO]
    crop = f"im = im.crop({seed.box})"
    return [*(lines or [crop]), f"im.save({name!r})"]


OTHER = ["Image.new('RGB', im.size, 'red').save('out.png')"]


def ending(plan: str, answer: Any) -> str:
    answers = {"wrong": said("1"), "no box": f"<think>It is {answer}.</think> So {answer}."}
    return answers.get(plan, said(answer))


def thyme(body: dict[str, Any], at: Known) -> str:
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    if at.plan == "never ends":
        return code(f"print({turn})")
    if turn == 0:
        return code(*(OTHER if at.plan == "another picture" else undoing(at.seed)))
    return ending(at.plan, at.seed.answer)


def deepeyes_v2(body: dict[str, Any], at: Known) -> str:
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    if "tool_call" not in texts_of(body)[0]:
        return said("0")
    if turn == 0 or at.plan == "never ends":
        lines = [f"show(image_1.crop({at.seed.box}))", str(turn)]
        if at.plan == "another picture":
            lines = ["show(Image.new('RGB', image_1.size, 'red'))"]
        call = {"name": "python", "arguments": {"code": "\n".join(lines)}}
        return f"<think>I look.</think>\n<tool_call>\n{json.dumps(call)}\n</tool_call>"
    return ending(at.plan, at.seed.answer)


def visual_arft(body: dict[str, Any], at: Known) -> str:
    [text] = texts_of(body)
    if "found to be" in text:
        lines = OTHER if at.plan == "another picture" else undoing(at.seed, "output.png")
        return code("1 / 0") if at.plan == "never ends" else code(*lines)
    if "Before the question" in text:
        named = "noise" if at.plan == "wrong" else ", ".join(at.seed.faults)
        return f"<think>I see.</think>\n<problem>{{{named}}}</problem>"
    return ending(at.plan, at.seed.answer)


MODELS: dict[str, Callable[[dict[str, Any], Known], str]] = {
    "thyme": thyme, "deepeyes_v2": deepeyes_v2, "visual_arft": visual_arft,
}  # fmt: skip


class Ran(NamedTuple):
    recipe: str
    folder: Path
    rows: list[dict[str, Any]]
    ends: list[tuple[str, str]]
    bodies: list[dict[str, Any]]
    known: dict[str, Known]


@pytest.fixture(scope="module", params=SETTINGS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    recipe, folder = request.param, tmp_path_factory.mktemp(request.param)
    knows = known(recipe)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        at = knows.get(seen_in(body)[0])
        return {"content": MODELS[recipe](body, at) if at else said("nothing")}

    rows = list(asked(["table"], [1], COUNT, questions=1, kinds=["cell"]))
    settings = [*SETTINGS[recipe], f"recipe.stages.{STAGE[recipe]}.sampler.samples=1",
                "sandbox.cpu_seconds=1"]  # fmt: skip
    with chat_server(answer) as (url, bodies):
        _, kept, ends = run(folder, recipe, url, rows, *settings)
        before = len(bodies)
        replay = [f"ledger.dir={folder}/run/ledger", "backend=replay", "runner.workers=2"]
        run(folder / "again", recipe, "", rows, *settings, *replay)
        assert len(bodies) == before
    return Ran(recipe, folder, kept, ends, bodies, knows)


def picture_of(row: dict[str, Any]) -> str:
    """The hash of the first picture of a row, drawn anew from its scene and operations."""
    data = scene_type("table").model_validate_json(row["scene"]).draw()
    for change in json.loads(row["changes"]):
        data = OPERATION.validate_python(change).apply(data)
    return hashlib.sha256(data).hexdigest()


def test_right_conversations_are_kept_and_planted_faults_are_not(ran: Ran) -> None:
    found: dict[str, set[str]] = {}
    for row in ran.rows:
        kind = json.loads(row["data"]).get("type", "")
        found.setdefault(kind, set()).add(ran.known[picture_of(row)].plan)
    if ran.recipe == "visual_arft":
        assert found == {
            "pre_problem": {*PLANTED} - {"wrong"},
            "pre_code": {"right", "wrong", "no box"},
            "pre_answer": {"right", "another picture", "never ends"},
        }
        assert len(ran.rows) == 4 + 3 + 3
    else:
        assert found == {"": {"right"}} and len(ran.rows) == 1


def test_each_planted_fault_is_rejected_for_what_it_is(ran: Ran) -> None:
    reasons = {
        "thyme": {"wrong_answer", "edit_in_vain", "cells", "no_answer"},
        "deepeyes_v2": {"wrong_answer", "edit_in_vain", "turns", "no_answer"},
        "visual_arft": {"wrong_problem", "not_restored", "wrong_answer", "no_answer"},
    }[ran.recipe]
    assert {reason for _, reason in ran.ends} == reasons


def test_a_row_has_the_bytes_of_every_picture_that_the_model_saw(ran: Ran) -> None:
    sent = {tuple(seen_in(body)) for body in ran.bodies}
    for row in ran.rows:
        images = [hashlib.sha256(image["bytes"]).hexdigest() for image in row[COLUMN]]
        hashes = [
            picture["sha256"] for turn in row["messages"] for picture in turn["pictures"] or ()
        ]
        assert images == hashes and tuple(images) in sent
        drawn = picture_of(row)
        if json.loads(row["data"]).get("type") == "pre_answer":
            assert images[0] != drawn or row["changes"] == "[]"
        else:
            assert images[0] == drawn


def test_a_replay_by_two_workers_gives_the_same_bytes(ran: Ran) -> None:
    assert files(ran.folder) == files(ran.folder / "again") != {}


def test_an_export_has_a_part_for_each_picture_and_learns_what_a_model_wrote(ran: Ran) -> None:
    rows, left_out = exported(RunFolder(str(ran.folder / "run")), "sft")
    assert len(rows) == len(ran.rows) and not left_out
    for values in rows:
        parts = [part["type"] for turn in values["messages"] for part in turn["content"]]
        assert parts.count("image") == len(values["images"]) > 0
        learned = [turn["role"] for turn, mask in zip(values["messages"], values["loss_mask"],
                                                      strict=True) if mask]  # fmt: skip
        assert set(learned) == {"assistant"}
