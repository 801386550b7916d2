"""Pictures with faults, and what an edit of one is, told by its pixels alone."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from typing import Any

import pytest
from PIL.Image import Resampling

from tests.models.examples import response
from tests.recipes.playing import sandbox, stage
from tests.stages.trajectories.looking import blobs, drawn, look, said, seeds
from transforms.engine.accounting import Tally, Verdict
from transforms.engine.errors import SettingsError
from transforms.images.blobs import Blobs, file_name
from transforms.models.episode import play
from transforms.models.tools import Invoke, Invoked
from transforms.sandbox.jobs import Job
from transforms.scenes import scene_type
from transforms.scenes.base import decoded, encoded
from transforms.scenes.operations import (
    Blur,
    Crop,
    Levels,
    Mirror,
    Noise,
    Operation,
    Transpose,
    Zoom,
)
from transforms.scenes.proofs import box_of, is_zoom_of, undoes
from transforms.scenes.readers import Text, is_read
from transforms.stages.trajectories.look import (
    Draw,
    PictureReader,
    PictureSeed,
    edit_of,
    repaired,
    repairs,
)

NAMED: dict[str, Any] = {
    "turn": Transpose(quarters=1),
    "mirror": Mirror(),
    "dark": Levels(low=0, high=40),
    "noise": Noise(share=0.12, seed=0),
    "blur": Blur(radius=2),
    "small": None,
}
FAULTS = ("upset", "pale", "mirrored", "noisy")
PAGE = drawn("thyme", scene="page", kind="reference")


def draw(*sets: tuple[str, ...]) -> Draw:
    return replace(stage("thyme", "draw"), faults=NAMED, sets=sets, blobs=blobs())


def edited(seed: PictureSeed, *steps: Operation) -> str:
    return edit_of(seed, repaired(seed, steps, Blobs(blobs())), Blobs(blobs()))


@pytest.mark.parametrize("fault", FAULTS)
def test_what_undoes_a_fault_restores_the_picture_and_other_edits_do_not(fault: str) -> None:
    seed = drawn("thyme", (fault,))
    steps = repairs(seed, crops=False)
    assert steps and edited(seed, *steps) == "restored"
    assert edited(seed, *steps, Transpose(quarters=1)) == "other"
    other = drawn("thyme", (fault,), "page", "reference")
    assert edit_of(seed, repaired(other, steps, Blobs(blobs())), Blobs(blobs())) == "other"


@pytest.mark.parametrize("names", [("turn", "dark"), ("turn", "noise"), ("mirror", "dark")])
def test_of_two_faults_both_have_to_be_undone(names: tuple[str, ...]) -> None:
    seed = draw(names).of(seeds("table", 1, "cell")[0])
    assert isinstance(seed, PictureSeed) and seed.faults == names
    steps = repairs(seed, crops=False)
    assert steps and edited(seed, *steps) == "restored"
    assert {edited(seed, step) for step in steps} == {"other"}


def around(edge: int) -> Any:
    left, top, right, bottom = PAGE.box
    return (max(left - edge, 0), max(top - edge, 0), right + edge, bottom + edge)


@pytest.mark.parametrize(
    ("step", "found"),
    [
        (Crop(box=around(9)), "covers"),
        (Zoom(box=around(9), factor=3), "covers"),
        (Crop(box=(0, 0, 1000, 800)), "too_large"),
        (Crop(box=(700, 500, 900, 600)), "missed"),
        (Zoom(box=(700, 500, 900, 600), factor=2), "missed"),
        (Transpose(quarters=2), "other"),
    ],
    ids=["crop", "zoom", "large", "missed", "missed zoom", "turn"],
)
def test_a_crop_of_a_picture_without_faults_is_judged_by_its_own_box(
    step: Operation, found: str
) -> None:
    assert edited(PAGE, step) == found


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_an_enlarged_part_is_found_where_it_was_cut(factor: int) -> None:
    chart = scene_type("chart").generate(1, 2).draw()
    box = (60, 30, 240, 170)
    assert box_of(Zoom(box=box, factor=factor).apply(chart), chart) == box
    board = scene_type("board").generate(1, 2).draw()
    assert box_of(Zoom(box=(20, 20, 90, 80), factor=factor).apply(board), chart) is None


@pytest.mark.parametrize("way", [Resampling.BILINEAR, Resampling.BICUBIC, Resampling.NEAREST])
def test_small_print_cut_out_closely_and_enlarged_is_found_where_it_was_cut(
    way: Resampling,
) -> None:
    page = decoded(Blobs(blobs()).get(PAGE.original))
    left, top, right, bottom = PAGE.box
    cut = page.crop(PAGE.box)  # type: ignore[arg-type]
    large = encoded(cut.resize((2 * cut.width, 2 * cut.height), way))
    assert box_of(large, encoded(page)) == PAGE.box
    other = (left, top + 1, right, bottom + 1)
    assert not is_zoom_of(large, encoded(page), other).holds


def test_a_picture_that_was_not_written_as_it_is_proves_nothing() -> None:
    seed = drawn("thyme", ("mirrored",))
    assert edit_of(seed, replace(seed.original, mime="image/jpeg"), Blobs(blobs())) == "other"


def test_faults_that_cannot_be_told_apart_have_no_proof() -> None:
    picture = Blobs(blobs()).get(PAGE.original)
    with pytest.raises(ValueError, match="levels and then noise"):
        undoes([Levels(low=0, high=40), Noise(share=0.1, seed=0)], picture, picture, picture)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ((("dark", "noise"),), r"draw\.sets: of \['dark', 'noise'\] it cannot be proved"),
        ((("fog",),), r"draw\.sets: there is no fault fog"),
    ],
)
def test_sets_of_faults_that_cannot_be_proved_are_refused(sets: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        draw(*sets)


def test_the_faults_of_a_picture_depend_on_its_seed_alone() -> None:
    made = draw((), ("turn",), ("dark",))
    asked = seeds("table", 1, "cell", 9)
    first = [made.of(seed) for seed in asked]
    assert [made.of(seed) for seed in reversed(asked)] == first[::-1]
    assert {each.faults for each in first if isinstance(each, PictureSeed)} == {*made.sets}


@pytest.mark.parametrize("asked", [("table", 1, "column_sum"), ("table", 1, "cell"),
                                   ("chart", 1, "read")])  # fmt: skip
def test_what_stands_in_no_small_place_has_no_small_print_to_cut_out(
    asked: tuple[str, int, str],
) -> None:
    [seed] = seeds(*asked)
    verdict = draw(("small",)).of(seed)
    assert isinstance(verdict, Verdict) and verdict.reason == "no_fault_fits"
    other = draw(("small",), ("dark",)).of(seed)
    assert isinstance(other, PictureSeed) and other.faults == ("dark",)


@pytest.mark.parametrize(
    ("scene", "level", "kind", "wanted"),
    [("page", 1, "amount", True), ("page", 1, "sum", False), ("table", 5, "cell", False)],
)
def test_of_pictures_alike_none_is_without_fault_where_another_has_small_print(
    scene: str, level: int, kind: str, wanted: bool
) -> None:
    made = draw((), ("dark",), ("small",), ("turn", "small"))
    found = [made.of(seed) for seed in seeds(scene, level, kind, 4)]
    assert {isinstance(each, PictureSeed) and each.wants_crop for each in found} == {wanted}


def test_small_print_that_is_turned_has_to_be_turned_back_and_cut_out() -> None:
    seed = draw(("turn", "small")).of(seeds("page", 1, "reference")[0])
    assert isinstance(seed, PictureSeed) and seed.faults == ("turn", "small")
    steps = repairs(seed)
    assert steps and edited(seed, *steps) == "covers"
    assert edited(seed, steps[0]) == "too_large"
    assert edited(seed, steps[0], Crop(box=(0, 0, 40, 20))) == "missed"
    assert edited(seed, Crop(box=(0, 0, 400, 300))) == "other"


def test_a_tilted_picture_is_turned_back_on_a_sheet_of_its_own_size() -> None:
    seed = drawn("thyme", ("tilted",), "page", "reference")
    upright = repaired(seed, repairs(seed, crops=False) or [], Blobs(blobs()))
    assert (upright.width, upright.height) == (seed.original.width, seed.original.height)
    assert edit_of(seed, upright, Blobs(blobs())) == "restored"
    cut = decoded(Blobs(blobs()).get(repaired(seed, repairs(seed) or [], Blobs(blobs()))))
    left, top, right, bottom = seed.box
    assert cut.width < 3 * (right - left) and cut.height <= 3 * (bottom - top)


def test_a_picture_is_turned_only_where_a_turn_is_seen() -> None:
    [seed] = seeds("shapes", 1, "left_of")
    verdict = draw(("turn",), ("mirror",), ("turn", "dark")).of(seed)
    assert isinstance(verdict, Verdict) and verdict.reason == "no_fault_fits"
    other = draw(("mirror",), ("dark",)).of(seed)
    assert isinstance(other, PictureSeed) and other.faults == ("dark",)


def test_a_question_that_is_answered_by_a_box_is_not_asked_in_words() -> None:
    verdict = draw(()).of(seeds("shapes", 1, "where")[0])
    assert isinstance(verdict, Verdict) and verdict.reason == "box_wanted"


def test_the_place_of_an_answer_is_known_where_it_stands_as_text() -> None:
    chart = draw(()).of(seeds("chart", 1, "read")[0])
    assert isinstance(chart, PictureSeed) and not chart.box and PAGE.box
    assert edited(chart, Crop(box=(60, 30, 240, 170))) == "part"
    assert edited(chart, Noise(share=0.2, seed=0)) == "other"


def read(*texts: str | None, **fields: Any) -> tuple[Any, list[str]]:
    """What a reader that gives these texts, or fails, makes of a question, and its tallies."""
    given = iter(texts)

    def answer(effect: Any) -> Any:
        if isinstance(effect, Job):
            return sandbox().submit(effect).result()
        if not isinstance(effect, Invoke):
            return response(effect, said(PAGE.answer))
        text = next(given)
        return Invoked("", "no model") if text is None else Invoked(json.dumps([text]))

    turns, result = play(look("thyme", "look", reader="ocr", **fields).episode(PAGE), answer)
    return result, [each.key for turn in turns for each in turn if isinstance(each, Tally)]


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("Refer", f"Reference{PAGE.answer}", "needed"),
        (f"Reference {PAGE.answer}", f"Reference{PAGE.answer}", "not needed"),
        ("Refer", f"Reference {PAGE.answer}44", "not needed"),
        (None, None, "not measured"),
    ],
)
def test_a_reader_says_whether_the_right_edit_is_needed(
    before: str | None, after: str | None, key: str
) -> None:
    [(row, verdict)], tallies = read(before, after)
    assert verdict.kept and tallies == [key]
    assert row.needs_tool == {"needed": True, "not needed": False}.get(key)
    result, _ = read(before, after, only_needed=True)
    rejected = isinstance(result, Verdict) and result.reason == "no_tool_needed"
    assert rejected is (key == "not needed")


@pytest.mark.skipif(
    importlib.util.find_spec("rapidocr_onnxruntime") is None, reason="needs cotmill[ocr]"
)
def test_the_reader_reads_a_picture_of_the_run() -> None:
    cut = repaired(PAGE, repairs(PAGE) or [], Blobs(blobs()))
    texts = PictureReader(blobs())(file_name(cut), 262_144)
    assert is_read([Text(text, (0, 0, 0, 0)) for text in texts], PAGE.answer or "", merged=True)


def test_what_has_no_inverse_has_no_repair() -> None:
    found = draw(("blur",)).of(seeds("table", 1, "cell")[0])
    assert isinstance(found, PictureSeed) and repairs(found) is None
