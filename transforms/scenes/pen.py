"""A pen: shapes with smooth edges, and text in the font that Pillow carries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from transforms.scenes.base import Box, encoded

Point = tuple[float, float]
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
INK: Colour = (30, 30, 36)
GREY: Colour = (150, 150, 158)
PALE: Colour = (226, 228, 234)
COLOURS: dict[str, Colour] = {
    "red": (214, 39, 40),
    "blue": (31, 93, 196),
    "green": (34, 139, 58),
    "yellow": (246, 205, 30),
    "purple": (126, 58, 168),
    "orange": (245, 130, 22),
    "black": (24, 24, 24),
    "pink": (247, 150, 190),
}
"""Name -> colour; any two differ by 70 of 255 in a channel at least."""


@cache
def font(size: int) -> Any:
    """Returns the font that Pillow carries (Aileron, CC0), in pixels."""
    return ImageFont.load_default(size)


def brightness(colour: Colour) -> float:
    """Returns how bright a colour is, 0 to 255 (ITU-R BT.601)."""
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


@lru_cache(maxsize=10_000)
def text_size(text: str, size: int) -> tuple[int, int]:
    """Returns the width of a text as drawn, and the height of its line, in pixels."""
    up, down = font(size).getmetrics()
    return round(font(size).getlength(text) + 0.5), up + down


class Pen:
    """Draws on a white sheet. Text comes on top of all shapes."""

    def __init__(self, width: int, height: int, fine: int = 2) -> None:
        """Opens a sheet.

        Args:
            fine: scale at which shapes are drawn and then averaged, which smooths their edges; 1
                where there are only upright lines.
        """
        self._scale = fine
        self._fine = Image.new("RGB", (width * fine, height * fine), WHITE)
        self._draw = ImageDraw.Draw(self._fine)
        self._texts: list[tuple[Point, str, int, Colour, str]] = []

    def _inside(self, box: Sequence[float]) -> Box:
        """The pixels of a box: right and bottom are the last ones in it."""
        left, top, right, bottom = (round(self._scale * each) for each in box)
        return left, top, right - 1, bottom - 1

    def _line(self, width: float) -> int:
        return max(1, round(width * self._scale))

    def rectangle(
        self,
        box: Sequence[float],
        fill: Colour | None,
        outline: Colour | None = None,
        width: int = 1,
    ) -> None:
        self._draw.rectangle(self._inside(box), fill, outline, self._line(width))

    def ellipse(
        self,
        box: Sequence[float],
        fill: Colour | None,
        outline: Colour | None = None,
        width: int = 1,
    ) -> None:
        self._draw.ellipse(self._inside(box), fill, outline, self._line(width))

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon([(x * self._scale, y * self._scale) for x, y in points], fill)

    def line(self, points: Sequence[Point], colour: Colour, width: float = 1) -> None:
        fine = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.line(fine, colour, self._line(width), joint="curve")

    def arc(self, centre: Point, radius: float, start: float, end: float, colour: Colour) -> None:
        """Draws an arc, clockwise between two angles in degrees from 3 o'clock."""
        (x, y), r = centre, radius
        box = [each * self._scale for each in (x - r, y - r, x + r, y + r)]
        self._draw.arc(box, start, end, colour, 2 * self._scale)

    def text(
        self, at: Point, text: str, size: int = 16, colour: Colour = INK, anchor: str = "mm"
    ) -> Box:
        """Writes a text at an anchor of Pillow's (`mm` is its middle, `ls` the left end of its
        baseline); returns the box of its ink."""
        self._texts.append((at, text, size, colour, anchor))
        left, top, right, bottom = font(size).getbbox(text, anchor=anchor)
        x, y = at
        return (int(left + x), int(top + y), int(right + x + 0.999), int(bottom + y + 0.999))

    def png(self) -> bytes:
        """Returns the picture."""
        image = self._fine.reduce(self._scale) if self._scale > 1 else self._fine
        draw = ImageDraw.Draw(image)
        for at, text, size, colour, anchor in self._texts:
            draw.text(at, text, colour, font(size), anchor)
        return encoded(image)
