"""Charts: bars or lines of one to three series over named places, with an axis of round numbers."""

from __future__ import annotations

import random
from itertools import combinations
from typing import ClassVar, Literal, Self

from transforms.scenes.base import Box, Scene, SceneQuestion
from transforms.scenes.pen import COLOURS, GREY, INK, PALE, WHITE, Pen
from transforms.scenes.words import NAMES, TITLES

_PLOT = (70, 60, 690, 380)
"""The box of the plot; a value of 0 stands on its lower side."""
_COLOURS = ("blue", "orange", "green")


class Chart(Scene):
    """Values that are multiples of half a tick, so that each can be read without doubt."""

    name: ClassVar[str] = "chart"

    form: Literal["bars", "lines"]
    title: str
    places: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    """Of each series, one a place."""
    tick: int
    """Between lines of the axis, of which there are `ticks` above 0."""
    ticks: int

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self | None:
        places = rng.sample(NAMES, 3 + level)
        count, ticks, tick = 1 + level // 2, rng.randint(4, 7), rng.choice((2, 4, 10, 20, 50, 100))
        title, words = rng.choice(TITLES)
        form: Literal["bars", "lines"] = "bars" if level < 3 else rng.choice(("bars", "lines"))
        values = tuple(
            tuple(rng.randint(1, 2 * ticks) * tick // 2 for _ in places) for _ in range(count)
        )
        if form == "lines" and any(len({*column}) < count for column in zip(*values, strict=True)):
            return None  # one dot would hide another
        series = tuple(rng.sample(words, count))
        return cls(
            form=form, title=title, places=tuple(places), series=series, values=values, tick=tick,
            ticks=ticks,
        )  # fmt: skip

    def height(self, value: float) -> float:
        """Returns the y of a value."""
        _, top, _, bottom = _PLOT
        return bottom - (bottom - top) * value / (self.tick * self.ticks)

    def mark(self, series: int, place: int) -> Box:
        """Returns the box of a bar, or of the dot of a line."""
        left, _, right, bottom = _PLOT
        step = (right - left) / len(self.places)
        y, middle = round(self.height(self.values[series][place])), left + step * (place + 0.5)
        if self.form == "lines":
            return (round(middle) - 4, y - 4, round(middle) + 4, y + 4)
        wide = int(step * 0.7 / len(self.series))
        x = round(middle - wide * len(self.series) / 2) + wide * series
        return (x, y, x + wide - 2, bottom)

    def draw(self) -> bytes:
        pen, (left, top, right, bottom) = Pen(720, 440), _PLOT
        pen.text(((left + right) / 2, 20), self.title, 20)
        for tick in range(self.ticks + 1):
            y = round(self.height(tick * self.tick))
            pen.rectangle((left, y, right, y + 1), GREY if tick == 0 else PALE)
            pen.text((left - 8, y), str(tick * self.tick), 14, anchor="rm")
        for number, place in enumerate(self.places):
            middle = left + (right - left) / len(self.places) * (number + 0.5)
            pen.text((middle, bottom + 16), place, 14)
        for number, name in enumerate(self.series):
            x = left + 10 + 150 * number
            pen.rectangle((x, bottom + 38, x + 12, bottom + 50), COLOURS[_COLOURS[number]])
            pen.text((x + 20, bottom + 44), name, 14, anchor="lm")
            self._series(pen, number)
        pen.line([(left, top - 8), (left, bottom)], INK)
        return pen.png()

    def _series(self, pen: Pen, number: int) -> None:
        colour = COLOURS[_COLOURS[number]]
        boxes = [self.mark(number, place) for place in range(len(self.places))]
        if self.form == "bars":
            for box in boxes:
                pen.rectangle(box, colour)
            return
        pen.line([((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in boxes], colour, 2)
        for box in boxes:
            pen.ellipse(box, colour if number != 1 else WHITE, colour, 2)

    def questions(self) -> list[SceneQuestion]:
        found = []
        for number, (name, values) in enumerate(zip(self.series, self.values, strict=True)):
            whose = f"the value of {name}" if len(self.series) > 1 else "the value"
            for place, value in enumerate(values):
                text = f"What is {whose} at {self.places[place]}?"
                found.append(SceneQuestion("read", text, value, self.mark(number, place)))
            for what, most in (("highest", max(values)), ("lowest", min(values))):
                if values.count(most) == 1:
                    text = f"Where is {whose} {what}?"
                    found.append(SceneQuestion(what, text, self.places[values.index(most)]))
            for one, other in combinations(range(len(values)), 2):
                if values[one] != values[other]:
                    text = f"By how much does {whose} differ between {self.places[one]} and "
                    answer = abs(values[one] - values[other])
                    found.append(
                        SceneQuestion("difference", f"{text}{self.places[other]}?", answer)
                    )
            limit = self.tick * (self.ticks // 2)
            if limit not in values:
                text = f"At how many places is {whose} above {limit}?"
                found.append(SceneQuestion("above", text, sum(v > limit for v in values)))
            found.append(SceneQuestion("sum", f"What is {whose} at all places together?",
                                       sum(values)))  # fmt: skip
        return found
