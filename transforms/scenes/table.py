"""Tables: numbers of goods by place, in a grid of cells."""

from __future__ import annotations

import random
from typing import ClassVar, Self

from transforms.scenes.base import Box, Scene, SceneQuestion
from transforms.scenes.pen import GREY, INK, PALE, WHITE, Pen
from transforms.scenes.words import COLUMNS, NAMES

_WIDTH, _HEIGHT, _EDGE = 128, 40, 20


class Table(Scene):
    """The first row names the columns, the first column the places; all other cells are numbers."""

    name: ClassVar[str] = "table"
    has_text: ClassVar[bool] = True

    rows: tuple[tuple[str, ...], ...]
    """All of as many cells."""
    size: int
    """Of the letters, pixels."""

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self:
        columns = rng.sample(COLUMNS, 1 + level)
        most = rng.choice((90, 900, 9000))
        rows = [("Place", *columns)]
        for place in rng.sample(NAMES, 2 + 2 * level):
            rows.append((place, *(str(rng.randint(most // 9, most)) for _ in columns)))
        return cls(rows=tuple(rows), size=rng.randint(16, 20))

    @property
    def numbers(self) -> list[list[int]]:
        return [[int(cell) for cell in row[1:]] for row in self.rows[1:]]

    def cell(self, row: int, column: int) -> Box:
        """Returns the box of a cell."""
        left, top = _EDGE + column * _WIDTH, _EDGE + row * _HEIGHT
        return (left, top, left + _WIDTH, top + _HEIGHT)

    def draw(self) -> bytes:
        high, wide = len(self.rows), len(self.rows[0])
        pen = Pen(2 * _EDGE + wide * _WIDTH, 2 * _EDGE + high * _HEIGHT)
        for number, row in enumerate(self.rows):
            for column, text in enumerate(row):
                box = self.cell(number, column)
                pen.rectangle(box, PALE if number == 0 else WHITE)
                left, top, right, bottom = box
                at = (left + 12, (top + bottom) / 2)
                if number and column:
                    pen.text((right - 12, at[1]), text, self.size, INK, "rm")
                else:
                    pen.text(at, text, self.size, INK, "lm")
        left, top, *_ = self.cell(0, 0)
        *_, right, bottom = self.cell(high - 1, wide - 1)
        for number in range(high + 1):
            pen.rectangle((left, top + number * _HEIGHT, right, top + number * _HEIGHT + 1), GREY)
        for number in range(wide + 1):
            pen.rectangle((left + number * _WIDTH, top, left + number * _WIDTH + 1, bottom), GREY)
        return pen.png()

    def questions(self) -> list[SceneQuestion]:
        head, numbers, found = self.rows[0], self.numbers, []
        places = [row[0] for row in self.rows[1:]]
        for n, place in enumerate(places):
            for c, goods in enumerate(head[1:]):
                text = f"What is the number of {goods} at {place}?"
                found.append(SceneQuestion("cell", text, numbers[n][c], self.cell(n + 1, c + 1)))
            if len(head) > 2:
                text = f"What is the sum of all numbers at {place}?"
                found.append(SceneQuestion("row_sum", text, sum(numbers[n])))
        for c, goods in enumerate(head[1:]):
            values = [row[c] for row in numbers]
            text = f"What is the sum of {goods} over all places?"
            found.append(SceneQuestion("column_sum", text, sum(values)))
            if values.count(max(values)) == 1:
                text = f"Which place has the most {goods}?"
                found.append(SceneQuestion("most", text, places[values.index(max(values))]))
            limit = sorted(values)[len(values) // 2] - 1
            if limit not in values:
                text = f"How many places have more than {limit} {goods}?"
                found.append(SceneQuestion("more_than", text, sum(v > limit for v in values)))
            text = f"What is the largest of the numbers of {goods} minus the smallest?"
            found.append(SceneQuestion("range", text, max(values) - min(values)))
        return found
