"""Units of the numbers in a calculation: compounds read as one number, and values in base units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from transforms.text.answers.lexicon import SIZES
from transforms.text.notation import Token
from transforms.text.stated import unit_of

_ALSO = re.compile(r"(?:c|d)m|ft|in|cup|degree|mph|kph|quarter|dime|nickel|penn(?:y|ie)|pence|h|l")
_LENGTH, _TIME, _MASS, _MONEY = 1.37, 2.11, 0.73, 3.19
_SCALES = {
    **{"length": _LENGTH, "area": _LENGTH**2, "volume": _LENGTH**3, "speed": _LENGTH / _TIME},
    **{"duration": _TIME, "mass": _MASS, "money": _MONEY},
    "energy": _MASS * _LENGTH**2 / _TIME**2,
}
"""What is measured -> its base unit in another system of units. An equation whose sides are in the
same proportion in both systems measures the same on both sides."""
_SMALL_FACTORS = (2 * 3 * 5 * 7 * 11) ** 64
"""A multiple of every product of small primes that is a ratio of units."""
_ROUGHLY = {"duration": (4.0, 20.0, 30.0, 31.0, 52.0, 365.0, 366.0)}
_COINS = (4.0, 10.0, 20.0, 100.0)
_AND = ("and", "und", "et", "y", "и", "e")
_CLOSES = ("end", "comma", "close", "equal", "approx", "op")
_NO_SIZES = frozenset(["in", "points", "point", "time", "times", "quarters", "quarter"])


def is_measure(unit: str) -> bool:
    """Whether a word is a unit of measure, of which others make up so many: cm, hours, cents."""
    word = unit.lower().partition("/")[0]
    return unit_of(word) != "" or _ALSO.fullmatch(word.removesuffix("s")) is not None


@lru_cache(1000)
def ratios_of(unit: str) -> tuple[float, ...]:
    """How many of one common unit are another, of those that measure the same as this one."""
    measure = size_of(unit)
    if measure is None:
        return _COINS if is_measure(unit) else ()
    kind, size = measure
    ratios = {size / other for same, other in SIZES.values() if same == kind} - {1}
    return (*(float(max(r, 1 / r)) for r in ratios), *_ROUGHLY.get(kind, ()))


@lru_cache(10_000)
def size_of(word: str) -> tuple[str, Fraction] | None:
    """What a word measures and its size in base units; None where it is no unit with a size.

    >>> size_of("km/h"), size_of("apples")
    (('speed', Fraction(5, 18)), None)
    """
    word = re.sub(r"\^\{?([23])\}?", lambda power: "²³"[int(power[1]) - 2], word)
    squared = {"²": "square-", "³": "cubic-"}.get(word[-1:], "")
    name = squared + unit_of(word[:-1] if squared else word)
    if word.lower() in ("pound", "pounds", "lbs"):
        return SIZES["pound"]  # not the money
    if word.lower() in _NO_SIZES or name in ("percent", "share"):
        return None
    return SIZES.get(name) or SIZES.get(unit_of(word.lower()))


def joined(tokens: Sequence[Token]) -> list[Token]:
    """Tokens in which 1 hour 30 minutes is one number, 90, with the smaller unit."""
    found: list[Token] = []
    for token, after in zip(tokens, [*tokens[1:], Token("end", -1, -1)], strict=False):
        if token.text == "in" and found and found[-1].kind == "number" and after.kind in _CLOSES:
            token = token._replace(text="inch")
        found.append(token)
        spaced = found[-3:-2] and found[-3].text in _AND and after.kind != "op"
        parts = [*found[-5:-3], *found[-2:]] if spaced else found[-4:]
        two = token.kind == "word" and [t.kind for t in parts] == ["number", "word"] * 2
        if two and (whole := _sum(*parts)):
            found[-5 if spaced else -4 :] = [whole, token]
    return found


def _sum(larger: Token, unit: Token, smaller: Token, its_unit: Token) -> Token | None:
    """Two numbers as one in the smaller unit; None where the second is no part of the first."""
    one, other = size_of(unit.text), size_of(its_unit.text)
    if not one or not other or one[0] != other[0]:
        return None
    ratio = float(one[1] / other[1])
    if not smaller.values[0] * smaller.multiple < ratio or ratio % 1:
        return None
    first, second = larger.multiple * ratio, smaller.multiple
    english, european = (
        a * first + b * second for a, b in zip(larger.values, smaller.values, strict=True)
    )
    start, end, values = larger.start, smaller.end, (english, european)
    return Token("number", start, end, f"{english:g}", values, smaller.decimals)


def measures(tokens: Sequence[Token]) -> dict[int, tuple[str, Fraction]]:
    """The start of each number with a unit that has a size -> what that measures, and its size."""
    found = {t.start: SIZES["money"] for t in tokens if t.kind == "number" and t.sign}
    for number, unit in pairwise(tokens):
        if (number.kind, unit.kind) == ("number", "word") and (size := size_of(unit.text)):
            found[number.start] = size
    return found


def factors(measured: Mapping[int, tuple[str, Fraction]], others: bool) -> dict[int, float]:
    """What to multiply each number by for base units, or for those of another system."""
    return {
        start: float(size) * (_SCALES[kind] if others else 1)
        for start, (kind, size) in measured.items()
    }


def same_system(units: Iterable[tuple[str, Fraction]]) -> bool:
    """Whether units are made up of each other, as hours of seconds; not miles of metres.

    Sizes within a system are products of small numbers.
    """
    one, *others = {size for _, size in units}
    ratios = (one / other for other in others)
    return all(_SMALL_FACTORS % (ratio.numerator * ratio.denominator) == 0 for ratio in ratios)
