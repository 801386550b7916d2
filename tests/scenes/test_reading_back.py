"""Pictures are unambiguous: what the scene says is read back from the pixels alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from transforms.scenes.base import MARGIN, apart, decoded
from transforms.scenes.board import WORLDS, Board
from transforms.scenes.chart import Chart
from transforms.scenes.page import Page
from transforms.scenes.pen import COLOURS, text_size
from transforms.scenes.pixels import shapes_in
from transforms.scenes.shape import KINDS, Shape
from transforms.scenes.shape_questions import asked
from transforms.scenes.shapes import Shapes
from transforms.scenes.table import Table
from transforms.worlds import world


def test_shapes_of_plain_scenes_are_found_exactly_by_their_pixels() -> None:
    for seed in range(45):
        scene = Shapes.generate(seed, 1 + seed % 3)
        found = shapes_in(scene.draw())
        assert {*found} == {*scene.shapes} and len(found) == len(scene.shapes)


@pytest.mark.parametrize("level", [1, 3, 5])
def test_values_of_bars_are_read_from_how_high_their_colour_reaches(level: int) -> None:
    drawn = (Chart.generate(seed, level) for seed in range(40))
    for chart in [each for each in drawn if each.form == "bars"][:6]:
        pixels = np.asarray(decoded(chart.draw())).astype(int)
        for series, colour in zip(
            range(len(chart.series)), ("blue", "orange", "green"), strict=False
        ):
            for place, value in enumerate(chart.values[series]):
                left, _, right, _ = chart.mark(series, place)
                column = pixels[60:380, (left + right) // 2]
                inked = np.flatnonzero(np.abs(column - COLOURS[colour]).max(axis=1) < 10)
                halves = round((320 - inked[0]) / 320 * 2 * chart.ticks)
                assert halves * chart.tick // 2 == value


def test_dots_of_lines_are_seen_at_the_heights_of_their_values() -> None:
    drawn = (Chart.generate(seed, 4) for seed in range(40))
    for chart in [each for each in drawn if each.form == "lines"][:6]:
        marks = [chart.mark(s, p) for s in range(len(chart.series))
                 for p in range(len(chart.places))]  # fmt: skip
        assert apart(marks)
        pixels = np.asarray(decoded(chart.draw())).astype(int)
        for series, colour in zip(
            range(len(chart.series)), ("blue", "orange", "green"), strict=False
        ):
            for place in range(len(chart.places)):
                left, top, right, bottom = chart.mark(series, place)
                dot = pixels[top:bottom, left:right].reshape(-1, 3)
                assert (np.abs(dot - COLOURS[colour]).max(axis=1) < 10).sum() > 8


def test_every_symbol_of_boards_has_a_square_of_its_own_looks() -> None:
    looks: dict[str, bytes] = {}
    for number, name in enumerate(WORLDS):
        made = world(name)
        board = Board.of(name, 3, number, (), made.generate(number, 3))
        pixels = np.asarray(decoded(board.draw()))
        for row, symbols in enumerate(board.squares):
            for column, symbol in enumerate(symbols):
                left, top, right, bottom = board.square(row, column)
                inner = pixels[top + 2 : bottom - 2, left + 2 : right - 2].tobytes()
                assert looks.setdefault(symbol, inner) == inner
    assert len({*looks.values()}) == len(looks) > 20


def asked_of(name: str, state: Any) -> dict[str, Any]:
    """What is asked of a state, with its answers."""
    return dict(world(name).facts(state))


def test_no_question_is_about_what_a_board_hides() -> None:
    hitori = world("hitori").generate(0, 1)._replace(shaded=((0, 0),))
    rows = [list(row) for row in hitori.numbers]
    rows[0][0] += 1
    other = hitori._replace(numbers=tuple(map(tuple, rows)))
    assert world("hitori").render(hitori) == world("hitori").render(other)
    assert asked_of("hitori", hitori) == asked_of("hitori", other)

    snake = world("snake").generate(0, 1)._replace(body=((1, 1), (1, 2), (0, 2), (0, 1)))
    other = snake._replace(body=((1, 1), (0, 1), (0, 2), (1, 2)))
    assert world("snake").render(snake) == world("snake").render(other)
    assert asked_of("snake", snake) == asked_of("snake", other)
    straight = asked_of("snake", snake._replace(body=((1, 1), (1, 2), (0, 2))))
    assert straight["the square of the last piece of the body"] == "c1"


def test_a_piece_is_asked_for_by_what_is_drawn_where_it_is_the_only_one_of_its_sort() -> None:
    made = world("draughts")
    board = Board.of("draughts", 1, 0, (), made.generate(0, 1))

    def found(*row: str) -> list[str]:
        there = board.model_copy(update={"squares": (row,)})
        return [each.text for each in there.questions() if each.kind == "find"]

    assert found("X", ".", "o") == [
        "On which square is the framed blue cross?", "On which square is the red circle?",
    ]  # fmt: skip
    assert found("X", "x", ".") == []


def test_what_is_larger_is_so_by_its_sides_and_by_its_area() -> None:
    square = Shape(kind="square", colour="red", box=(0, 0, 70, 70))
    star = Shape(kind="star", colour="blue", box=(100, 100, 190, 190))
    assert asked([square, star], "larger", ("blue star", "red square")) is None
    small = star.model_copy(update={"box": (100, 100, 150, 150)})
    question = asked([square, small], "larger", ("red square", "blue star"))
    assert question is not None and question.answer == "yes"


@pytest.mark.parametrize("kind", KINDS)
def test_a_shape_fills_the_share_of_its_box_that_its_area_is_counted_by(kind: str) -> None:
    shape = Shape(kind=kind, colour="black", box=(20, 20, 116, 116))
    png = Shapes(width=140, height=140, shapes=(shape,)).draw()
    ink = (255 - np.asarray(decoded(png).convert("L")).astype(float)).sum() / (255 - 24)
    assert ink == pytest.approx(shape.spread**2, rel=0.05)


def test_a_world_that_is_not_played_on_a_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="hanoi is not played on a grid"):
        Board.of("hanoi", 1, 0, (), world("hanoi").generate(0, 1))


@pytest.mark.parametrize("level", [1, 5])
def test_texts_of_tables_keep_within_their_cells(level: int) -> None:
    for seed in range(10):
        table = Table.generate(seed, level)
        for number, row in enumerate(table.rows):
            for column, text in enumerate(row):
                left, top, right, bottom = table.cell(number, column)
                width, height = text_size(text, table.size)
                assert width <= right - left - 12 - MARGIN and height <= bottom - top - MARGIN


@pytest.mark.parametrize("level", [1, 3, 5])
def test_lines_of_pages_keep_apart(level: int) -> None:
    for seed in range(5):
        page = Page.generate(seed, level)
        boxes: list[Any] = [
            page.line(number, line)
            for number, section in enumerate(page.sections)
            for line in range(len(section.lines) + 3)
        ]
        assert apart(boxes)
