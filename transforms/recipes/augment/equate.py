"""What the numbers of an equation in a text stand for: what makes it true on every run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from transforms.recipes.augment.explanation import Explanation, combined
from transforms.recipes.augment.meanings import (
    MOST_MEANINGS,
    UNITS,
    Known,
    Meaning,
    Vector,
    cut,
    different,
    equal,
    key_of,
    same,
)
from transforms.text.equations import Chain, decimals, leaves, parts
from transforms.text.expressions import Tree, evaluate_arrays
from transforms.text.numerals import Numeral, rounding

_MOST_WAYS = 1000
"""Choices of meanings that are tried for one side of an equation."""
_MOST_CONTINUED = 50
"""Choices for the first side that are tried with each of a further side."""

Way = dict[int, Meaning]
"""A meaning for each number of an equation."""
Valued = list[tuple[Way, Vector]]
"""Ways, each with the value that it gives the equation."""


class Unexplained(Exception):
    """A number of a text, or an equation, that stands for nothing known."""

    def __init__(self, text: str, place: int) -> None:
        super().__init__(text)
        self.place = place


def equate(chain: Chain, known: Known, result: Explanation) -> None:
    """Gives the numbers of an equation their meanings, in `result`.

    Where some choice of them gives on every run what the program computes, it is that choice;
    first among values as they stand, then with numbers of a formula's own, then a step away.

    Raises:
        Unexplained: there is no choice for which the equation holds, or far too many.
    """
    found = result.numerals
    likely: Valued = []
    confirmed = False
    for width in (0, 1, 2):
        ways, confirmed = _ways_of(chain, result, known, width)
        likely = likely or ways
        if ways and confirmed:
            likely = ways
            break
    leaf_places = chain.leaves()
    start, end = chain.span(found)
    shown = result.text[start:end]
    if not likely:
        raise Unexplained(shown, start)
    for leaf in leaf_places:
        meanings = result.meanings[leaf] = different(way[leaf] for way, _ in likely)
        if len(meanings) > MOST_MEANINGS:
            raise Unexplained(shown, start)
        for meaning in meanings:
            known.add(meaning.vector)
    if confirmed:
        result.certain.update(leaf_places)
    else:
        result.results.update(side[1] for side in chain.sides[1:] if side[0] == "number")


def _ways_of(chain: Chain, result: Explanation, known: Known, width: int) -> tuple[Valued, bool]:
    """The ways for which an equation holds, and whether the program confirms them."""
    found = result.numerals
    first, *others = chain.sides
    ways = [(way, _vector(first, way)) for way in _ways(first, result, known, [], width)]
    confirmed = False
    for side in others:
        if side[0] == "number":
            ways, anchored = _settled(ways, side[1], found[side[1]], known)
            confirmed = confirmed or anchored
        else:
            ways = _continued(ways, first, side, result, known, width)
    return ways, confirmed


def _within(leaf: int, result: Explanation, known: Known, width: int) -> list[Meaning]:
    """What a number within an equation may stand for; the equation will say which."""
    numeral = result.numerals[leaf]
    meanings = known.meanings(numeral)
    if width >= 1 or not meanings:
        if numeral.value in UNITS:
            meanings = different([*meanings, known.constant(numeral.value)])
        if width == 2 or not meanings:
            meanings = different([*meanings, *known.derived(numeral)])
    return meanings or combined(leaf, result, sentences=2)


def _vector(tree: Tree, way: Way) -> Vector:
    value = evaluate_arrays(tree, lambda leaf: way[leaf].vector)
    runs = len(next(iter(way.values())).vector)
    return np.broadcast_to(np.asarray(value, float), (runs,))


def _ways(
    side: Tree, result: Explanation, known: Known, extra: list[Vector], width: int
) -> Iterator[Way]:
    """Yields the ways to give each number of a side a meaning; `extra` are further vectors."""
    places = leaves(side)
    options = []
    for leaf in places:
        value = result.numerals[leaf].value
        more = [Meaning(v) for v in extra if np.isfinite(v[0]) and equal(v[0], value)]
        options.append(different([*more, *_within(leaf, result, known, width)]))
    if math.prod(map(len, options)) > _MOST_WAYS:
        fewer = max(2, int(_MOST_WAYS ** (1 / len(options))))
        options = [option[:fewer] for option in options]
    for combination in itertools.islice(itertools.product(*options), _MOST_WAYS):
        yield dict(zip(places, combination, strict=True))


def _settled(ways: Valued, leaf: int, numeral: Numeral, known: Known) -> tuple[Valued, bool]:
    """Gives the number after an equals sign its meaning, and drops the ways that it speaks against.

    Returns also whether the program computes on every run what the ways that are left give.
    """
    targets = known.meanings(numeral)
    slack = rounding(numeral.decimals) if numeral.decimals else 0.0
    exact_targets = {key_of(target.vector) for target in targets if target.exact}
    judged: dict[bytes, tuple[Meaning, bool]] = {}
    anchored: Valued = []
    free: Valued = []
    for way, value in ways:
        key = key_of(value)
        if key not in judged:
            exact = equal(value[0], numeral.value)
            meant = key in exact_targets or any(
                same(value, target.vector, slack)
                for target in targets
                if not (exact and target.exact)
            )
            judged[key] = Meaning(value if exact else cut(value, numeral), exact), meant
        meaning, meant = judged[key]
        (anchored if meant else free).append(({**way, leaf: meaning}, value))
    return anchored or free, bool(anchored)


def _continued(
    ways: Valued, first: Tree, side: Tree, result: Explanation, known: Known, width: int
) -> Valued:
    """Gives the numbers of a further side meanings with which it equals the first one."""
    found = result.numerals
    shown = decimals(side, found)
    slack = rounding(shown) if shown else 0.0
    longer: Valued = []
    as_fractions: set[bytes] = set()
    for way, value in ways[:_MOST_CONTINUED]:
        key = key_of(value)
        extra = [_vector(part, way) for part in parts(first)]
        for more in _ways(side, result, known, extra, width):
            other = _vector(side, more)
            if key_of(other) == key or (slack and same(other, value, slack)):
                longer.append(({**way, **more}, value))
        if side[0] == "/" and side[1][0] == side[2][0] == "number" and key not in as_fractions:
            as_fractions.add(key)
            longer += _as_fraction(way, value, side[1][1], side[2][1], found)
        longer += _as_division(way, value, side, result, known)
        if len(longer) > _MOST_WAYS:
            break
    return longer


def _as_fraction(
    way: Way, value: Vector, top: int, bottom: int, found: Sequence[Numeral]
) -> Valued:
    """The value of an equation written as a fraction in lowest terms, where it was one before."""
    numbers = [
        Fraction(float(number)).limit_denominator(100_000) if np.isfinite(number) else None
        for number in value
    ]
    first = numbers[0]
    written = (found[top].value, found[bottom].value)
    if first is None or (first.numerator, first.denominator) != written:
        return []
    tops = np.array([math.nan if n is None else float(n.numerator) for n in numbers])
    bottoms = np.array([math.nan if n is None else float(n.denominator) for n in numbers])
    return [({**way, top: Meaning(tops), bottom: Meaning(bottoms)}, value)]


def _as_division(way: Way, value: Vector, side: Tree, result: Explanation, known: Known) -> Valued:
    """The value of an equation as quotient times divisor plus remainder: 155 = 6 × 25 + 5."""
    match side:
        case ("+", ("*", ("number", one), ("number", other)), ("number", rest)):
            pass
        case _:
            return []
    found, ways = result.numerals, []
    for divisor, quotient in ((one, other), (other, one)):
        for meaning in known.meanings(found[divisor]):
            with np.errstate(all="ignore"):
                quotients, rests = np.divmod(value, meaning.vector)
            written = (found[quotient].value, found[rest].value)
            if np.isfinite(quotients[0]) and (quotients[0], rests[0]) == written:
                parts_of = {divisor: meaning, quotient: Meaning(quotients), rest: Meaning(rests)}
                ways.append(({**way, **parts_of}, value))
    return ways
