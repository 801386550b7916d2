"""Reading: whether an operation makes a text readable, by an OCR that is real."""

from __future__ import annotations

import importlib.util

import pytest

from transforms.scenes.operations import Fit, Levels, Stretch, Zoom
from transforms.scenes.page import Page
from transforms.scenes.readers import Text, is_read, ocr, ocr_version
from transforms.scenes.table import Table

WITH_OCR = pytest.mark.skipif(
    importlib.util.find_spec("rapidocr_onnxruntime") is None, reason="needs cotmill[ocr]"
)


@pytest.mark.parametrize(
    ("text", "read"),
    [("120", True), ("Due: 120.", True), ("1200", False), ("1.120", False), ("x120", False)],
)
def test_a_text_is_read_where_it_stands_alone(text: str, read: bool) -> None:
    assert is_read([Text("other", (0, 0, 1, 1)), Text(text, (0, 0, 1, 1))], "120") is read


def reads(*pictures: bytes, wanted: str) -> list[bool]:
    """Whether a text is read in each picture."""
    return [is_read(ocr(png), wanted) for png in pictures]


@WITH_OCR
def test_cells_of_a_table_are_read_where_they_are() -> None:
    table = Table.generate(3, 1)
    found = {each.text: each.box for each in ocr(table.draw())}
    for number, row in enumerate(table.rows):
        for column, text in enumerate(row):
            left, top, right, bottom = table.cell(number, column)
            x, y = (found[text][0] + found[text][2]) / 2, (found[text][1] + found[text][3]) / 2
            assert left < x < right and top < y < bottom


@WITH_OCR
def test_a_table_of_low_contrast_needs_its_levels_stretched() -> None:
    table = Table.generate(3, 1)
    low = Levels(low=126, high=129).apply(table.draw())
    assert reads(low, Stretch().apply(low), wanted=table.rows[1][1]) == [False, True]


@WITH_OCR
def test_a_line_of_a_large_page_needs_a_crop_where_a_model_sees_few_pixels() -> None:
    page = Page.generate(1, 3)
    left, top, right, bottom = page.line(0, 1)
    box = (left - 30, top - 40, right + 60, bottom + 40)
    crop = Zoom(box=box, factor=2).apply(page.draw())
    fit = Fit(pixels=120_000)
    wanted = page.sections[0].reference
    assert reads(fit.apply(page.draw()), fit.apply(crop), wanted=wanted) == [False, True]


@WITH_OCR
def test_the_version_of_the_reader_is_the_digest_of_its_models() -> None:
    assert len(ocr_version()) == 64
