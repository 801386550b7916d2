"""One coloured shape: what it is and how it is drawn."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

from transforms.scenes.base import Box
from transforms.scenes.pen import COLOURS, Pen

KINDS = ("circle", "square", "triangle", "diamond", "star")
SIDES = (640, 480)
"""Width and height of a picture of shapes, pixels."""
_FILLED = {
    "circle": math.pi / 4, "square": 1.0, "triangle": 0.5, "diamond": 0.5, "star": 0.38,
}  # fmt: skip
"""Kind -> share of its box that it fills."""


class Shape(BaseModel):
    """One shape, as wide as high."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    colour: str
    box: Box

    @property
    def called(self) -> str:
        return f"{self.colour} {self.kind}"

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2

    @property
    def side(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def spread(self) -> float:
        """Side of a square of the same area, pixels."""
        return self.side * math.sqrt(_FILLED[self.kind])


def outline(pen: Pen, shape: Shape) -> None:
    """Draws one shape, which reaches all four sides of its box."""
    left, top, right, bottom = shape.box
    (x, y), colour = shape.middle, COLOURS[shape.colour]
    if shape.kind == "circle":
        pen.ellipse(shape.box, colour)
    elif shape.kind == "square":
        pen.rectangle(shape.box, colour)
    elif shape.kind == "triangle":
        pen.polygon([(x, top), (right - 0.5, bottom - 0.5), (left, bottom - 0.5)], colour)
    elif shape.kind == "diamond":
        pen.polygon([(x, top), (right - 0.5, y), (x, bottom - 0.5), (left, y)], colour)
    else:
        points = [
            (math.sin(math.pi * n / 5) * r, -math.cos(math.pi * n / 5) * r)
            for n in range(10)
            for r in [(1, 0.45)[n % 2]]
        ]
        wide, low, high = (max(px for px, _ in points), max(py for _, py in points), -1)
        width, height = right - left - 1, bottom - top - 0.5
        pen.polygon(
            [
                (
                    left + 0.5 + (px + wide) / (2 * wide) * width,
                    top + (py - high) / (low - high) * height,
                )
                for px, py in points
            ],
            colour,
        )
