"""Geometry: a triangle or a rectangle with some magnitudes given and one asked for."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import ClassVar, Literal, Self

from transforms.scenes.base import MARGIN, Box, Scene, SceneQuestion, gap, inside
from transforms.scenes.pen import INK, Pen, Point
from transforms.scenes.plane import mean, placed, towards

_SHEET = (0, 0, 560, 460)
_TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 12, 15), (6, 8, 10))


class Geometry(Scene):
    """A figure that is drawn to scale; all its magnitudes are whole numbers."""

    name: ClassVar[str] = "geometry"

    form: Literal["angles", "right", "rectangle"]
    """A triangle of which angles are given; a right triangle with sides; a rectangle with sides."""
    points: tuple[Point, ...]
    """Of the corners, in pixels, counter-clockwise as seen."""
    letters: str
    """The names of the corners."""
    sides: tuple[int, ...]
    """Of each side, from a corner to the next; empty for `angles`."""
    angles: tuple[int, ...]
    """At each corner, degrees."""
    given: tuple[int, ...]
    """Which sides, or which angles of `angles`, the picture states."""

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self | None:
        forms: tuple[Literal["angles", "right", "rectangle"], ...]
        forms = ("angles", "right", "rectangle") if level > 1 else ("angles", "rectangle")
        form, letters = rng.choice(forms), "".join(rng.sample("ABCDEFGHKLMNPQRST", 4))
        sides: tuple[int, ...] = ()
        angles: tuple[int, ...]
        if form == "angles":
            first, second = rng.randint(25, 110), rng.randint(25, 110)
            third = 180 - first - second
            if third < 25:
                return None
            angles = (first, second, third)
            base = math.sin(math.radians(third))
            reach = math.sin(math.radians(second)) / base
            ray = math.radians(first)
            corners = [(0.0, 0.0), (1.0, 0.0), (math.cos(ray) * reach, math.sin(ray) * reach)]
            given: tuple[int, ...] = tuple(sorted(rng.sample(range(3), 2)))
        elif form == "right":
            scale = rng.randint(1, level)
            one, other, long = (scale * side for side in rng.choice(_TRIPLES[: 2 + level]))
            sides, angles = (one, long, other), (90, 0, 0)
            corners = [(0.0, 0.0), (float(one), 0.0), (0.0, float(other))]
            given = tuple(sorted(rng.sample(range(3), 2)))
        else:
            wide, high = rng.randint(3, 9 * level), rng.randint(3, 9 * level)
            if not 1 / 3 <= wide / high <= 3 or wide == high:
                return None
            sides, angles = (wide, high, wide, high), (90,) * 4
            corners = [(0.0, 0.0), (wide, 0.0), (wide, high), (0.0, high)]
            given = (0, 1)
        letters = letters[: len(corners)]
        points = placed(corners, rng.uniform(0, 2 * math.pi) if level > 2 else 0.0, _SHEET[2:])
        scene = cls(
            form=form, points=points, letters=letters, sides=sides, angles=angles, given=given
        )
        boxes = [box for _, _, box in scene._labels(Pen(1, 1))]
        clear = [*boxes, *((int(x), int(y), int(x) + 1, int(y) + 1) for x, y in scene._edges())]
        for n, box in enumerate(boxes):
            if not inside(box, _SHEET, MARGIN) or any(gap(box, o) < MARGIN for o in clear[n + 1 :]):
                return None
        return scene

    def _edges(self) -> Iterator[Point]:
        """Yields points along the sides, two pixels apart at most."""
        for n, (x, y) in enumerate(self.points):
            to_x, to_y = self.points[n - 1]
            count = int(math.dist((x, y), (to_x, to_y)) / 2) + 1
            for step in range(count):
                share = step / count
                yield x + (to_x - x) * share, y + (to_y - y) * share

    def _labels(self, pen: Pen) -> list[tuple[Point, str, Box]]:
        """Writes the names of corners and what is given; returns where, what and its box."""
        middle = mean(self.points)
        found = []
        for at, letter in zip(self.points, self.letters, strict=True):
            found.append((towards(at, middle, -20), letter))
        count = len(self.points)
        for n in self.given:
            one, other, before = self.points[n], self.points[(n + 1) % count], self.points[n - 1]
            if self.form == "angles":
                half = mean([towards(one, other, 1), towards(one, before, 1)])
                reach = 26 + 14 / math.sin(math.radians(self.angles[n] / 2))
                found.append((towards(one, half, reach), f"{self.angles[n]}°"))
            else:
                found.append((towards(mean([one, other]), middle, -22), str(self.sides[n])))
        return [(at, text, pen.text(at, text, 18)) for at, text in found]

    def draw(self) -> bytes:
        pen = Pen(*_SHEET[2:])
        pen.line([*self.points, self.points[0], self.points[1]], INK, 2)
        count = len(self.points)
        for n, at in enumerate(self.points):
            after, before = self.points[(n + 1) % count], self.points[n - 1]
            if self.angles[n] == 90 and self.form != "angles":
                one, other = towards(at, after, 16), towards(at, before, 16)
                far = (one[0] + other[0] - at[0], one[1] + other[1] - at[1])
                pen.line([one, far, other], INK, 1)
            elif self.form == "angles" and n in self.given:
                start = math.degrees(math.atan2(before[1] - at[1], before[0] - at[0]))
                end = math.degrees(math.atan2(after[1] - at[1], after[0] - at[0]))
                pen.arc(at, 24, start, end if end > start else end + 360, INK)
        self._labels(pen)
        return pen.png()

    def questions(self) -> list[SceneQuestion]:
        if self.form == "angles":
            [asked] = {0, 1, 2} - {*self.given}
            letter = self.letters[asked]
            text = f"How many degrees has the angle at {letter}?"
            return [SceneQuestion("angle", text, self.angles[asked])]
        names = [f"{one}{other}" for one, other in zip(
            self.letters, self.letters[1:] + self.letters[0], strict=True)]  # fmt: skip
        found = [
            SceneQuestion("area", f"What is the area of {self.letters}?", self._area()),
            SceneQuestion("perimeter", f"What is the perimeter of {self.letters}?",
                          sum(self.sides)),
        ]  # fmt: skip
        if self.form == "right":
            [asked] = {0, 1, 2} - {*self.given}
            text = f"How long is the side {names[asked]}?"
            found.append(SceneQuestion("side", text, self.sides[asked]))
        return found

    def _area(self) -> int:
        if self.form == "rectangle":
            return self.sides[0] * self.sides[1]
        return self.sides[0] * self.sides[2] // 2
