"""What programs look at a picture with: a patch, and the things that are found in it.

Its source runs in the sandbox in front of a program that a model wrote, so it imports nothing of
cotmill. Where the things come from, a scene or pixels, it does not know. The reach of the functions
is that of ViperGPT (arXiv 2303.08128); y grows downwards, as in images.
"""

from __future__ import annotations

import math

_ANY = ("shape", "object", "thing")


class Patch:
    """A part of the picture. `left`, `top`, `right`, `bottom`, `width`, `height` and its middle
    `x`, `y` are in pixels of the whole picture; y grows downwards."""

    def __init__(self, things, box, shape=None):
        self._things, self._shape = things, shape
        self.left, self.top, self.right, self.bottom = box
        self.width, self.height = self.right - self.left, self.bottom - self.top
        self.x, self.y = (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def find(self, name: str) -> list[Patch]:
        """Returns a patch for each shape of that name in this one, from left to right. A name is a
        kind, a colour or both: "star", "red", "red star"; "shape" is any."""
        inner = [t for t in self._things if _is_called(t, name) and _holds(self, t["box"])]
        inner.sort(key=lambda thing: thing["box"])
        return [Patch(self._things, thing["box"], thing) for thing in inner]

    def exists(self, name: str) -> bool:
        """Whether a shape of that name is in this patch."""
        return bool(self.find(name))

    def has(self, property: str) -> bool:
        """Whether this patch, which was found, is of that colour or kind."""
        return self._shape is not None and _is_called(self._shape, property)

    def choose(self, options: list[str]) -> str:
        """Returns the option that describes this patch best."""
        words = [set(option.lower().split()) for option in options]
        own = set(self.ask("What is it?").split())
        return options[max(range(len(options)), key=lambda n: len(words[n] & own))]

    def ask(self, question: str) -> str:
        """Answers a simple question about this patch: "What colour is it?", "What kind is it?",
        "What is it?" (as "red star"), or "How many NAMEs are there?"."""
        words = question.lower().strip(" ?.").split()
        if words[:2] == ["how", "many"]:
            name = " ".join(words[2:]).removesuffix(" are there")
            return str(len(self.find(name)))
        shape = self._shape or {"colour": "white", "kind": "picture"}
        if "colour" in words or "color" in words:
            return shape["colour"]
        return shape["kind"] if "kind" in words else f"{shape['colour']} {shape['kind']}"

    def depth(self) -> float:
        """Returns how far away this patch is: what stands lower in the picture is nearer."""
        return max(t["box"][3] for t in self._things) - self.bottom if self._things else 0

    def crop(self, left: float, top: float, right: float, bottom: float) -> Patch:
        """Returns the part between these sides, in pixels of the whole picture."""
        return Patch(self._things, (left, top, right, bottom))

    def overlaps(self, other: Patch) -> bool:
        """Whether two patches share pixels."""
        return distance(self, other) < 0


def distance(one: Patch, other: Patch) -> float:
    """Returns the pixels between the edges of two patches, negative where they overlap."""
    across = max(one.left - other.right, other.left - one.right)
    down = max(one.top - other.bottom, other.top - one.bottom)
    return math.hypot(across, down) if across > 0 and down > 0 else max(across, down)


def yes_no(holds: bool) -> str:
    """Returns "yes" or "no"."""
    return "yes" if holds else "no"


def _is_called(thing, name):
    words = name.lower().split()
    own = (thing["kind"], thing["colour"], *_ANY)
    return bool(words) and all(w in own or w.removesuffix("s") in own for w in words)


def _holds(patch, box):
    left, top, right, bottom = box
    across = patch.left <= left and right <= patch.right
    return across and patch.top <= top and bottom <= patch.bottom


def _plain(value):
    """A patch as the list of its sides; any other value as it is."""
    if isinstance(value, Patch):
        return [value.left, value.top, value.right, value.bottom]
    return value
