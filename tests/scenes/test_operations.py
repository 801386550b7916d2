"""Operations on pictures: which undo each other, and that proofs hold for those alone."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from transforms.scenes import scene_type
from transforms.scenes.base import Box, decoded, encoded, inside
from transforms.scenes.operations import (
    OPERATION,
    Blur,
    Crop,
    Denoise,
    Levels,
    Mirror,
    Noise,
    Operation,
    Rotate,
    Stretch,
    Transpose,
    Zoom,
    undone,
)
from transforms.scenes.proofs import (
    crop_fault,
    is_zoom_of,
    least_likeness,
    place_of,
    restores,
    turned,
)
from transforms.scenes.table import Table

BOXES = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 60)] * 2).map(
    lambda each: (each[0], each[1], each[0] + each[2], each[1] + each[3])
)
FAULTS = (
    Transpose(quarters=1), Transpose(quarters=2), Mirror(), Mirror(axis="vertical"),
    Levels(low=115, high=140), Levels(low=0, high=40), Levels(low=215, high=255),
    Noise(share=0.12, seed=1), Rotate(degrees=17), Rotate(degrees=-130),
)  # fmt: skip


@cache
def shown() -> bytes:
    return scene_type("table").generate(1, 1).draw()


@cache
def faulty(fault: Operation) -> bytes:
    return fault.apply(shown())


def small(rows: int, columns: int, seed: int) -> bytes:
    drawn = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    return encoded(Image.fromarray(drawn))


SMALL = st.builds(small, *[st.integers(2, 12)] * 2, st.integers(0, 99))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}")
def test_a_fault_that_is_undone_is_proved_and_left_alone_it_is_not(fault: Operation) -> None:
    cure = undone(fault)
    assert cure is not None
    assert restores(fault, shown(), faulty(fault), cure.apply(faulty(fault))).holds
    assert not restores(fault, shown(), faulty(fault), faulty(fault)).holds


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}")
def test_a_blank_picture_and_another_one_restore_nothing(fault: Operation) -> None:
    blank = Levels(low=255, high=255).apply(shown())
    other = scene_type("geometry").generate(1, 1).draw()
    red = encoded(Image.new("RGB", decoded(shown()).size, (255, 0, 0)))
    for restored in (blank, other, red):
        assert not restores(fault, shown(), faulty(fault), restored).holds


@given(SMALL, st.sampled_from([each for each in FAULTS[:4]]))
def test_transposing_and_mirroring_back_gives_the_same_bytes(png: bytes, fault: Any) -> None:
    cure = undone(fault)
    assert cure is not None and cure.apply(fault.apply(png)) == png


@given(st.integers(0, 120), st.integers(0, 120))
def test_contrast_is_restored_in_the_order_of_its_levels(low: int, more: int) -> None:
    ramp = encoded(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB"))
    fault = Levels(low=low, high=low + 2 + more)
    changed = fault.apply(ramp)
    assert restores(fault, ramp, changed, Stretch().apply(changed)).holds


def test_a_negative_is_no_restored_contrast() -> None:
    fault = Levels(low=115, high=140)
    restored = Stretch().apply(faulty(fault))
    negative = Levels(low=255, high=0).apply(restored)
    assert not restores(fault, shown(), faulty(fault), negative).holds


def test_a_turn_is_restored_within_a_degree() -> None:
    fault = Rotate(degrees=33)
    for left, holds in ((-0.7, True), (0.7, True), (1.6, False), (-2.0, False), (180.0, False)):
        restored = Rotate(degrees=left - 33).apply(faulty(fault))
        assert restores(fault, shown(), faulty(fault), restored).holds is holds


@pytest.mark.parametrize("degrees", [3.0, 90.0, -178.5])
def test_the_angle_of_a_turn_is_found(degrees: float) -> None:
    board = scene_type("board").generate(1, 2).draw()
    assert abs(turned(board, Rotate(degrees=degrees).apply(board)).degrees - degrees) <= 0.25


def test_a_fault_that_only_takes_away_cannot_be_undone() -> None:
    with pytest.raises(ValueError, match="crop is not a fault"):
        restores(Crop(box=(0, 0, 9, 9)), shown(), shown(), shown())
    assert undone(Blur(radius=2)) is None


@pytest.mark.parametrize("name", ["table", "page", "chart", "board"])
def test_text_that_was_noisy_is_like_it_was_before(name: str) -> None:
    original = decoded(scene_type(name).generate(3, 4).draw())
    cured = Denoise().of(Noise(share=0.12, seed=0).of(original))
    assert least_likeness(original, cured, 16) > 0.85


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("paint", ["white", "black", "grey"])
def test_what_is_painted_over_is_not_restored(fault: Operation, paint: str) -> None:
    table = scene_type("table").generate(5, 3)
    [box, *_] = [question.box for question in table.questions() if question.box]
    cure, original = undone(fault), table.draw()
    assert cure is not None and box is not None
    faulty = fault.apply(original)
    image = decoded(cure.apply(faulty))
    assert restores(fault, original, faulty, encoded(image)).holds
    across, down = ((image.size[n] - decoded(original).size[n]) // 2 for n in (0, 1))
    left, top, right, bottom = box
    image.paste(paint, (left + across, top + down, right + across, bottom + down))
    assert not restores(fault, original, faulty, encoded(image)).holds


@pytest.mark.parametrize(
    ("fault", "cure"),
    [(FAULTS[7], Denoise()), (FAULTS[7], None), (FAULTS[8], Rotate(degrees=-17))],
    ids=["denoise", "median", "turn"],
)
def test_a_digit_that_is_painted_as_another_is_not_restored(
    fault: Operation, cure: Operation | None
) -> None:
    table = Table.generate(4, 1)

    def cured(shown: Table) -> Image.Image:
        image = fault.of(decoded(shown.draw()))
        return image.filter(ImageFilter.MedianFilter(3)) if cure is None else cure.of(image)

    original, right = table.draw(), cured(table)
    faulty = fault.apply(original)
    assert restores(fault, original, faulty, encoded(right)).holds
    number = table.rows[1][1]
    left, top, end, bottom = table.cell(1, 1)
    across, down = ((right.size[n] - decoded(original).size[n]) // 2 for n in (0, 1))
    box = (left + across - 4, top + down - 4, end + across + 4, bottom + down + 4)
    for digit in {*"0123456789"} - {number[0]}:
        rows = [list(row) for row in table.rows]
        rows[1][1] = digit + number[1:]
        other = cured(table.model_copy(update={"rows": tuple(map(tuple, rows))}))
        painted = right.copy()
        painted.paste(other.crop(box), box[:2])
        assert not restores(fault, original, faulty, encoded(painted)).holds


@given(BOXES, BOXES, st.floats(0.01, 1))
def test_a_crop_is_right_where_it_covers_its_target_and_not_much_more(
    box: Box, target: Box, share: float
) -> None:
    fault = crop_fault(box, target, share)
    assert (fault == "missed") is not inside(target, box)
    assert crop_fault(target, target, share) is None


@settings(max_examples=25)
@given(st.integers(0, 300), st.integers(0, 100), st.integers(40, 90), st.integers(20, 60))
def test_a_crop_is_found_where_it_was_cut_or_where_the_same_pixels_come_first(
    left: int, top: int, wide: int, high: int
) -> None:
    box = (left, top, left + wide, top + high)
    piece = Crop(box=box).apply(shown())
    found = place_of(piece, shown())
    assert found is not None and found[:2][::-1] <= (top, left)
    assert Crop(box=found).apply(shown()) == piece


def test_what_is_no_piece_of_a_picture_has_no_place_in_it() -> None:
    assert place_of(scene_type("geometry").generate(1, 1).draw(), shown()) is None
    assert place_of(small(9, 9, 0), shown()) is None


def test_a_zoom_is_that_of_its_own_box() -> None:
    box, beside = (150, 60, 270, 120), (170, 70, 290, 130)
    zoomed = Zoom(box=box, factor=3).apply(shown())
    assert decoded(zoomed).size == (360, 180)
    assert is_zoom_of(zoomed, shown(), box).holds and not is_zoom_of(zoomed, shown(), beside).holds
    assert not is_zoom_of(Crop(box=box).apply(shown()), shown(), box).holds


@pytest.mark.parametrize(
    "change",
    [*FAULTS, Crop(box=(1, 2, 30, 40)), Zoom(box=(1, 2, 30, 40), factor=2), Stretch(), Denoise(),
     Blur(radius=1.5)],
    ids=lambda each: f"{each.name}",
)  # fmt: skip
def test_an_operation_is_equal_through_json_and_gives_the_same_bytes_twice(
    change: Operation,
) -> None:
    again = OPERATION.validate_json(change.model_dump_json())
    assert again == change and again.apply(shown()) == change.apply(shown())


def test_operations_leave_no_metadata_of_the_picture_behind() -> None:
    image = decoded(shown())
    image.info["title"] = "turned by 90"
    assert encoded(image) == shown()
