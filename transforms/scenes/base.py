"""A scene: what a drawn picture shows, as typed data, so that every answer about it is known.

Nothing here imports Beam. The frame is that of images: pixels, x to the right, y downwards.
"""

from __future__ import annotations

import random
from io import BytesIO
from typing import Any, ClassVar, NamedTuple, Self

from PIL import Image, __version__
from pydantic import BaseModel, ConfigDict

from transforms.worlds.base import drawn

MARGIN = 4
"""Pixels between things that are told apart, at least."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom are the first pixels outside."""


class SceneQuestion(NamedTuple):
    """A question about a picture, answered from its scene."""

    kind: str
    text: str
    answer: Any
    """A JSON value."""
    box: Box | None = None
    """Where in the picture the answer is read; None where all of it is."""
    names: tuple[str, ...] = ()
    """What the question is about, where the same can be asked of another scene."""


class Scene(BaseModel):
    """One picture as data. Scenes are frozen, and equal through `model_dump_json` and back.

    A subclass writes `start`, `draw` and `questions`. What is drawn depends on the fields alone:
    equal scenes give equal bytes under equal library versions (`drawer`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    has_text: ClassVar[bool] = False
    """Whether the answer of a question with a box stands there as text."""
    shows_turns: ClassVar[bool] = True
    """Whether it is seen that the picture is turned or mirrored, as text in it is."""

    @classmethod
    def generate(cls, seed: int, level: int) -> Self:
        """Returns the scene of a seed: always the same, whatever else was drawn.

        Raises:
            ValueError: there is no such level.
        """
        return drawn(cls.name, seed, level, cls.start)

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self | None:
        """Draws a scene; None where what was drawn keeps no margins, so that it is drawn again."""
        raise NotImplementedError

    def draw(self) -> bytes:
        """Returns the picture as PNG."""
        raise NotImplementedError

    def questions(self) -> list[SceneQuestion]:
        """Returns all questions of all kinds that the picture answers without doubt."""
        raise NotImplementedError

    @classmethod
    def drawer(cls) -> str:
        """Returns what has to be equal for equal bytes: the drawer and the versions it draws by."""
        return f"{cls.name}, pillow {__version__}"


def decoded(png: bytes) -> Image.Image:
    """Returns a PNG of ours as RGB; pictures of others go through the walls of `images` first."""
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        return image.convert("RGB")


def encoded(image: Image.Image) -> bytes:
    """Returns an image as PNG without metadata: equal pixels give equal bytes."""
    file, plain = BytesIO(), image.copy()
    plain.info = {}
    plain.save(file, "PNG")
    return file.getvalue()


def gap(one: Box, other: Box) -> int:
    """Returns the pixels between two boxes along the axis that parts them most; negative where
    they overlap.

    >>> gap((0, 0, 10, 10), (14, 2, 20, 9))
    4
    """
    across = max(one[0] - other[2], other[0] - one[2])
    down = max(one[1] - other[3], other[1] - one[3])
    return max(across, down)


def inside(inner: Box, outer: Box, margin: int = 0) -> bool:
    """Whether a box lies within another, that far from its sides at least.

    >>> inside((2, 2, 8, 8), (0, 0, 10, 10), 2)
    True
    """
    return all(inner[n] - outer[n] >= margin for n in (0, 1)) and all(
        outer[n] - inner[n] >= margin for n in (2, 3)
    )


def apart(boxes: list[Box], margin: int = MARGIN) -> bool:
    """Whether all boxes keep that distance from each other."""
    return all(gap(one, other) >= margin for n, one in enumerate(boxes) for other in boxes[:n])
