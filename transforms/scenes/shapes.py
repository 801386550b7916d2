"""Shapes: coloured shapes on a white floor, some within others from level 4 on."""

from __future__ import annotations

import random
from typing import ClassVar, Self

from transforms.scenes.base import MARGIN, Scene, SceneQuestion, apart, gap
from transforms.scenes.pen import COLOURS, Pen, brightness
from transforms.scenes.shape import KINDS, SIDES, Shape, outline
from transforms.scenes.shape_questions import questions


class Shapes(Scene):
    """Shapes on a floor. No two touch: they are `MARGIN` pixels apart, or one in the other."""

    name: ClassVar[str] = "shapes"
    shows_turns: ClassVar[bool] = False

    width: int
    height: int
    shapes: tuple[Shape, ...]
    """From back to front."""

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self | None:
        count, colours = 2 + 2 * level, list(COLOURS)[: 3 + level]
        shapes: list[Shape] = []
        for _ in range(200):
            side = 2 * rng.randint(16, 48)
            left, top = rng.randint(4, SIDES[0] - side - 4), rng.randint(4, SIDES[1] - side - 4)
            new = (left, top, left + side, top + side)
            if all(gap(new, each.box) >= 2 * MARGIN for each in shapes):
                shape = Shape(kind=rng.choice(KINDS), colour=rng.choice(colours), box=new)
                shapes.append(shape)
            if len(shapes) == count:
                break
        hosts = [s for s in shapes if s.kind in ("square", "circle") and s.side >= 64]
        for host in hosts[: max(0, level - 3)]:
            (x, y), half = host.middle, rng.randint(11, host.side // 4)
            box = (int(x) - half, int(y) - half, int(x) + half, int(y) + half)
            light = brightness(COLOURS[host.colour])
            colour = rng.choice([c for c in colours if abs(brightness(COLOURS[c]) - light) > 50])
            shapes.append(Shape(kind=rng.choice(KINDS), colour=colour, box=box))
        if level > 3 and not hosts:
            return None
        return cls(width=SIDES[0], height=SIDES[1], shapes=tuple(shapes))

    @property
    def is_plain(self) -> bool:
        """Whether no shape lies within another."""
        return apart([shape.box for shape in self.shapes])

    def draw(self) -> bytes:
        pen = Pen(self.width, self.height)
        for shape in self.shapes:
            outline(pen, shape)
        return pen.png()

    def questions(self) -> list[SceneQuestion]:
        return questions(self.shapes)
