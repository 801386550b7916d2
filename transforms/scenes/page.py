"""Document pages: sections of small text on a large sheet, each with a reference to be read."""

from __future__ import annotations

import random
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from transforms.scenes.base import Box, Scene, SceneQuestion
from transforms.scenes.pen import GREY, Pen, text_size
from transforms.scenes.words import LINES, NAMES, SECTIONS

_SIZES = {1: (1280, 960), 2: (1500, 1120), 3: (1800, 1350), 4: (2100, 1600), 5: (2400, 1800)}
"""Level -> width and height of the sheet."""
_CODE = "ACDEFHJKLMNPRTUVWXY34679"
"""Letters and digits that are not taken for each other."""


class Section(BaseModel):
    """A part of a page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    lines: tuple[str, ...]
    reference: str
    """Written in the line below the title."""
    amount: int
    """Written in the last line."""
    at: tuple[int, int]
    """Its upper left corner."""


class Page(Scene):
    """A page in two columns of sections; letters are small for the size of the sheet."""

    name: ClassVar[str] = "page"
    has_text: ClassVar[bool] = True

    width: int
    height: int
    size: int
    """Of the letters, pixels."""
    sections: tuple[Section, ...]

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self | None:
        width, height = _SIZES[level]
        size = 21 - level
        down, count = 2 * size, 2 + level
        step = (height - 2 * down) // count
        places = [(down + column * width // 2, down + row * step)
                  for column in range(2) for row in range(count)]  # fmt: skip
        lines = min(2 + level, int(step / (1.6 * size)) - 5)
        sections = [
            Section(
                title=title,
                lines=tuple(
                    line.format(rng.randint(3, 90), rng.choice(NAMES))
                    for line in rng.choices(LINES, k=lines)
                ),
                reference="".join(rng.choices(_CODE, k=6)),
                amount=rng.randint(100, 9999),
                at=at,
            )
            for at, title in zip(places, rng.sample(SECTIONS, len(places)), strict=True)
        ]
        page = cls(width=width, height=height, size=size, sections=tuple(sections))
        most = width // 2 - down
        fits = all(
            right - left <= most
            for section in sections
            for _, _, (left, _, right, _) in page._written(section)
        )
        return page if fits else None

    def _written(self, section: Section) -> list[tuple[str, int, Box]]:
        """The lines of a section with their size and box."""
        x, y = section.at
        texts = [section.title, f"Reference {section.reference}", *section.lines,
                 f"Amount due: {section.amount} crowns"]  # fmt: skip
        found = []
        for number, text in enumerate(texts):
            size = self.size if number else round(self.size * 1.5)
            width, height = text_size(text, size)
            found.append((text, size, (x, y, x + width, y + height)))
            y += round(height * 1.35)
        return found

    def line(self, section: int, number: int) -> Box:
        """Returns the box of a line: 0 is the title, 1 the reference, -1 the amount."""
        return self._written(self.sections[section])[number][2]

    def draw(self) -> bytes:
        pen = Pen(self.width, self.height, fine=1)
        for section in self.sections:
            for text, size, (left, top, *_) in self._written(section):
                pen.text((left, top), text, size, anchor="la")
            left, top, right, bottom = self._written(section)[0][2]
            pen.rectangle((left, bottom + 2, left + self.width // 2 - 4 * self.size, bottom + 3),
                          GREY)  # fmt: skip
        return pen.png()

    def questions(self) -> list[SceneQuestion]:
        found = []
        for number, section in enumerate(self.sections):
            text = f"What is the reference of the section {section.title}?"
            box = self.line(number, 1)
            found.append(SceneQuestion("reference", text, section.reference, box))
            text = f"How many crowns are due in the section {section.title}?"
            box = self.line(number, -1)
            found.append(SceneQuestion("amount", text, section.amount, box))
        text = "How many crowns are due in all sections together?"
        found.append(SceneQuestion("sum", text, sum(each.amount for each in self.sections)))
        return found
