"""thyme: right answers about pictures, and edits that pixels prove to be what was needed."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.looking import attempted, blobs, code, drawn, look, said
from tests.stages.trajectories.talking import asked
from transforms.images.blobs import Blobs
from transforms.models.requests import Request
from transforms.sandbox.jobs import Cell
from transforms.stages.trajectories.look import PictureSeed
from transforms.stages.trajectories.records import learned

PAGE = drawn("thyme", scene="page", kind="reference")


def crop(box: Any, name: str = "cut", scale: int = 1) -> str:
    line = f"cut = im.crop({tuple(box)})"
    zoom = f"cut = cut.resize((cut.width * {scale}, cut.height * {scale}))" if scale > 1 else "0"
    return code(line, zoom, f"cut.save('{name}.png')")


def around(seed: PictureSeed, edge: int, down: int = 0) -> tuple[int, ...]:
    left, top, right, bottom = seed.box
    return max(left - edge, 0), max(top - edge, 0) + down, right + edge, bottom + edge + down


BRIGHT = "from PIL import ImageOps\nImageOps.autocontrast(im.convert('RGB')).save('a.png')"
COVERS, MISSES, TOO_LARGE = around(PAGE, 8), around(PAGE, 8, 200), (0, 0, 1000, 800)


def attempt(seed: PictureSeed, *texts: str, **fields: Any) -> Any:
    [(row, verdict)], play = attempted(look("thyme", "look", **fields), seed, *texts)
    return row, verdict, play


def test_an_edit_that_undoes_the_fault_is_kept_and_one_that_does_not_is_in_vain() -> None:
    seed = drawn("thyme", ("pale",))
    row, verdict, _ = attempt(seed, code(BRIGHT), said(seed.answer))
    assert verdict.kept and json.loads(row.data)["edits"] == ["restored"]
    _, verdict, _ = attempt(seed, code(BRIGHT.replace("autocontrast", "invert")), said(seed.answer))
    assert verdict.reason == "edit_in_vain"


@pytest.mark.parametrize(
    ("texts", "edits", "rounds"),
    [
        ([crop(COVERS)], ["covers"], "one"),
        ([crop(MISSES, "a"), crop(COVERS)], ["missed", "covers"], "corrected"),
        ([crop(TOO_LARGE, "a"), crop(COVERS, scale=2)], ["too_large", "covers"], "refined"),
        ([], [], "none"),
    ],
    ids=["crop", "corrected", "refined", "no edit"],
)
def test_what_each_crop_shows_is_in_the_row(
    texts: list[str], edits: list[str], rounds: str
) -> None:
    row, verdict, _ = attempt(PAGE, *texts, said(PAGE.answer))
    data = json.loads(row.data)
    assert verdict.kept and (data["edits"], data["rounds"]) == (edits, rounds)


OTHER = "Image.new('RGB', (200, 40), 'white').save('other.png')"


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([crop(COVERS), said("AAAAAA")], "wrong_answer"),
        ([crop(MISSES), said(PAGE.answer)], "edit_in_vain"),
        ([code(OTHER), said(PAGE.answer)], "edit_in_vain"),
        ([code("im.save('same.png')"), said(PAGE.answer)], "edit_in_vain"),
        ([code("1 / 0"), said(PAGE.answer)], "edit_in_vain"),
        ([crop(COVERS), f"<think>So it is {PAGE.answer}.</think>"], "no_answer"),
        ([code("print(1)")] * 9, "cells"),
    ],
    ids=["wrong", "elsewhere", "another picture", "same picture", "fails", "no tags", "never ends"],
)
def test_what_is_not_right_is_rejected_with_its_reason(texts: list[str], reason: str) -> None:
    _, verdict, _ = attempt(PAGE, *texts)
    assert verdict.reason == reason


def test_code_that_never_ends_is_told_to_the_model_which_goes_on() -> None:
    row, verdict, _ = attempt(PAGE, code("while True: pass"), crop(COVERS), said(PAGE.answer))
    assert verdict.kept and [turn.failed for turn in row.messages][3] is True


def test_the_code_of_a_row_is_the_code_that_was_run() -> None:
    row, _, play = attempt(PAGE, crop(MISSES, "a"), crop(COVERS), said(PAGE.answer))
    form = look("thyme", "look").dialogue
    written = [call.code for turn in row.messages if turn.sampled
               for call in form.read(turn.content)]  # fmt: skip
    cells = [
        e.code for e in chain(*play.turns) if isinstance(e, Cell) and e.files.keys() == {"image_1"}
    ]
    assert written == cells and len(cells) == row.cells == 2


def test_nothing_that_the_model_is_sent_tells_the_fault_the_place_or_the_answer() -> None:
    seed = drawn("thyme", ("tilted",))
    _, _, play = attempt(seed, said(seed.answer))
    [request] = asked(play)
    assert isinstance(request, Request)
    text = " ".join(message.content for message in request.messages)
    told = [word for word in ("37", "tilted", "rotate", str(seed.answer), *map(str, seed.box))
            if word in text.replace(seed.problem, "")]  # fmt: skip
    assert told == []
    data = Blobs(blobs()).get(seed.picture)
    assert b"tEXt" not in data and b"iTXt" not in data and b"eXIf" not in data


@pytest.mark.parametrize(("keep", "learns"), [(1, [2]), (2, [1, 2])])
def test_the_last_rounds_are_learned_and_never_what_the_sandbox_showed(
    keep: int, learns: list[int]
) -> None:
    row, _, _ = attempt(PAGE, crop(COVERS), said(PAGE.answer))
    rule = f"recipe.stages.mask.rules=[{{all_but_last: {{keep: {keep}}}}}]"
    masked = stage("thyme", "mask", rule).of(row)
    own = [turn for turn in masked.messages if turn.sampled]
    assert [n for n, turn in enumerate(own, start=1) if learned(turn)] == learns
    assert not any(learned(turn) for turn in masked.messages if not turn.sampled)
