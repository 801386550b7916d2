"""What is asked about shapes. A question is a kind and the names it is about, so that the same one
can be asked of other pictures too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from transforms.scenes.base import SceneQuestion, inside
from transforms.scenes.shape import KINDS, SIDES, Shape

FAR = 12
"""Pixels by which compared places, sizes and distances differ, at least."""


class Kind(NamedTuple):
    """A kind of question about shapes."""

    text: str
    """With a place for each name."""
    answer: Callable[..., Any]
    """Shapes and one name a place -> the answer, or None where the picture has no clear one.

    Of two names, each is that of one shape."""


def _the(shapes: Sequence[Shape], called: str) -> Shape | None:
    """The one shape that is called so; None where there are none or several."""
    found = [shape for shape in shapes if shape.called == called]
    return found[0] if len(found) == 1 else None


def _of_kind(shapes: Sequence[Shape], kind: str) -> list[Shape]:
    return [shape for shape in shapes if shape.kind == kind]


def _compared(*measures: Callable[[Shape], float]) -> Callable[..., str | None]:
    """Asks whether one shape comes before another by all measures."""

    def answer(shapes: Sequence[Shape], one: str, other: str) -> str | None:
        first, second = _the(shapes, one), _the(shapes, other)
        if first is None or second is None:
            return None
        found = [measure(second) - measure(first) for measure in measures]
        if min(found) >= FAR:
            return "yes"
        return "no" if max(found) <= -FAR else None

    return answer


def _first(*orders: Callable[[Shape], float]) -> Callable[..., str | None]:
    """Asks for the colour of the shape of a kind that is the first in all orders."""

    def answer(shapes: Sequence[Shape], kind: str) -> str | None:
        alike = _of_kind(shapes, kind)
        if len(alike) < 2:
            return None
        first = min(alike, key=orders[0])
        gaps = [order(each) - order(first) for order in orders for each in alike
                if each is not first]  # fmt: skip
        return first.colour if min(gaps) >= FAR else None

    return answer


def _count(shapes: Sequence[Shape], kind: str) -> int:
    return len(_of_kind(shapes, kind))


def _exists(shapes: Sequence[Shape], called: str) -> str:
    return "yes" if any(shape.called == called for shape in shapes) else "no"


def _colour(shapes: Sequence[Shape], kind: str) -> str | None:
    found = _of_kind(shapes, kind)
    return found[0].colour if len(found) == 1 else None


def _nearest(shapes: Sequence[Shape], called: str) -> str | None:
    one = _the(shapes, called)
    if one is None or len(shapes) < 3:
        return None
    away = sorted((math.dist(one.middle, each.middle), each.called) for each in shapes
                  if each is not one)  # fmt: skip
    return away[0][1] if away[1][0] - away[0][0] >= FAR else None


def _within(shapes: Sequence[Shape], called: str) -> str | None:
    host = _the(shapes, called)
    if host is None:
        return None
    found = [each for each in shapes if each is not host and inside(each.box, host.box)]
    return found[0].called if len(found) == 1 else None


def _alike(shapes: Sequence[Shape], called: str) -> int | None:
    one = _the(shapes, called)
    if one is None:
        return None
    return sum(each.colour == one.colour for each in shapes) - 1


def _box(shapes: Sequence[Shape], called: str) -> list[int] | None:
    one = _the(shapes, called)
    return list(one.box) if one else None


_ACROSS = (lambda shape: shape.box[0], lambda shape: shape.middle[0], lambda shape: shape.box[2])
_DOWN = (lambda shape: shape.box[1], lambda shape: shape.middle[1], lambda shape: shape.box[3])
"""Edges and middles: what is left of or above another is so by all three."""

QUESTIONS: Mapping[str, Kind] = {
    "count": Kind("How many {}s are there?", _count),
    "exists": Kind("Is there any {}?", _exists),
    "colour": Kind("What colour is the {}?", _colour),
    "leftmost": Kind("What colour is the leftmost {}?", _first(*_ACROSS)),
    "largest": Kind("What colour is the largest {}?", _first(lambda shape: -shape.side)),
    "left_of": Kind("Is the {} left of the {}?", _compared(*_ACROSS)),
    "above": Kind("Is the {} above the {}?", _compared(*_DOWN)),
    "larger": Kind(
        "Is the {} larger than the {}?",
        _compared(lambda shape: -shape.side, lambda shape: -shape.spread),
    ),
    "nearer": Kind(
        "If what stands lower is nearer to the viewer, is the {} nearer than the {}?",
        _compared(lambda shape: -shape.box[3]),
    ),
    "nearest": Kind("Which shape is nearest to the {}, middle to middle?", _nearest),
    "within": Kind("Which shape lies within the {}?", _within),
    "alike": Kind("How many other shapes have the colour of the {}?", _alike),
    "where": Kind(
        f"Where is the {{}} in this picture of {SIDES[0]} x {SIDES[1]} pixels? Give its box: "
        "[left, top, right, bottom].",
        _box,
    ),
}
"""What is larger is so by its box and by its area. Names of `count`, `colour`, `leftmost`
and `largest` are kinds of shapes, those of others a colour and a kind."""
_OF_KINDS = ("count", "colour", "leftmost", "largest")


def asked(shapes: Sequence[Shape], kind: str, names: Sequence[str]) -> SceneQuestion | None:
    """Returns a question of a kind about those names; None where the picture has no clear answer.

    Raises:
        KeyError: there is no such kind.
    """
    words, answer = QUESTIONS[kind]
    gold = answer(shapes, *names)
    if gold is None:
        return None
    shown = [_the(shapes, name) for name in names]
    box = shown[0].box if len(shown) == 1 and shown[0] else None
    return SceneQuestion(kind, words.format(*names), gold, box, tuple(names))


def names_for(shapes: Sequence[Shape], kind: str) -> list[tuple[str, ...]]:
    """Returns the names that a question of a kind may be about, in a fixed order."""
    if kind in _OF_KINDS:
        return [(each,) for each in KINDS]
    called = sorted({shape.called for shape in shapes})
    if kind == "exists":
        swapped = {f"{one.colour} {other.kind}" for one in shapes for other in shapes}
        return [(each,) for each in sorted(swapped)]
    places = QUESTIONS[kind].text.count("{}")
    return list(permutations(called, places))


def questions(shapes: Sequence[Shape]) -> list[SceneQuestion]:
    """Returns every question of every kind that the picture answers."""
    found = (asked(shapes, kind, names) for kind in QUESTIONS for names in names_for(shapes, kind))
    return [question for question in found if question is not None]
