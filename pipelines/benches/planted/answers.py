"""Answers as solutions state them: a value in many notations, and values wrong in a known way."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from transforms.text.answers import SMALL_NUMBERS

_MARGIN = 2e-3
"""A wrong number differs by more than this share from the right one: a float's answer may be
rounded by up to 1e-3 (see `transforms.text.answers`), and what is within is right."""

_STATEMENTS = (
    "The answer is {}.",
    "So the answer is \\boxed{{{}}}.",
    "**Final answer:** {}",
    "#### {}",
    "Answer: {}",
    "Therefore, the final answer is ${}$.",
)
_WORDS = SMALL_NUMBERS[:11]


def notations(value: Any) -> list[str]:
    """Returns ways to write a value (as read from JSON), all of which mean it; plainest first."""
    if isinstance(value, bool):
        return [str(value), str(value).lower(), "Yes" if value else "No"]
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return [value, f'"{value}"', value] if value.strip() == value else [value]
    plain = json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        listed = ", ".join(map(str, value))
        return [plain, f"({listed})", listed] if len(value) > 1 else [plain]
    return [plain, repr(value)]


def _integer(value: int) -> list[str]:
    found = [str(value), f"{value}.0"]
    if abs(value) >= 1000:
        found += [f"{value:,}", f"{value:,}".replace(",", "{,}")]
    if 0 <= value < len(_WORDS):
        found.append(_WORDS[value])
    return found


def _float(value: float) -> list[str]:
    found = [repr(value)]
    for decimals in range(1, 7):
        rounded = round(value, decimals)
        if value and abs(rounded - value) <= 5e-4 * abs(value):
            found.append(f"{rounded:.{decimals}f}")
            break
    exact = Fraction(repr(value))
    if exact.denominator <= 1000 and exact.denominator > 1:
        sign = "-" if exact < 0 else ""
        found.append(f"{sign}\\frac{{{abs(exact.numerator)}}}{{{exact.denominator}}}")
    return found


def stated(
    value: Any, rng: random.Random, *, reasoning: str = "", closing: str = "", exact: bool = False
) -> str:
    """Returns a language solution that ends in `value`, in a notation and a phrase drawn by `rng`.

    The dollar signs of a formula are left to values that are formulas.

    Args:
        exact: whether a rounded value is another answer, since decimals are asked for.
        closing: the sentence to state a plain number in, or in a box, in place of English phrases.
    """
    if closing:
        phrase = rng.choice((closing, "\\boxed{{{}}}"))
        return f"{reasoning}\n{phrase.format(notations(value)[0])}"
    written = rng.choice(notations(value)[: 1 if exact else None])
    formula = isinstance(value, (int, float)) and written not in _WORDS
    phrases = _STATEMENTS if formula else _STATEMENTS[:1] + _STATEMENTS[2:5]
    return f"{reasoning}\n{rng.choice(phrases).format(written)}".strip()


FORMS = (
    "The answer is {} in all.",
    "<answer>{}</answer>",
    "\\[\n\\boxed{{{}}}\n\\]",
    "$$\\boxed{{\\text{{{}}}}}$$",
    "**The final answer is: {}**",
    "Answer: ${}$",
    "Answer: `{}`",
    "\\boxed{{{} \\text{{ units}}}}",
    "\\boxed{{x = {}}}",
    "The final answer is **{}**!",
    "### Final Answer\n{}",
    "Thus, we obtain {}.\n\nAnswer: {}",
)
"""Other forms that models state a plain number in."""


def other_forms(value: int, rng: random.Random) -> list[str]:
    """Returns statements of a whole number, each in a form of its own, with other digits too."""
    full_width = str.maketrans("0123456789", "０１２３４５６７８９")
    arabic = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
    written = [str(value), f"{value:,}".replace(",", "\u202f"), f"{value:,}", f"{value}.00"]
    written += [str(value).translate(full_width), str(value).translate(arabic)]
    return [form.format(rng.choice(written), str(value)) for form in FORMS]


Wrong = Callable[[Any, random.Random], Iterator[Any]]


def off_by_one(value: Any, rng: random.Random) -> Iterator[Any]:
    """A count that is one too many or too few; of a list, one item more or less."""
    if _is_number(value):
        yield value + rng.choice((-1, 1))
    elif isinstance(value, list) and value:
        yield value[:-1]
        yield [*value, value[-1]]


def sign(value: Any, rng: random.Random) -> Iterator[Any]:
    """A number with its sign turned, or a truth value turned."""
    if isinstance(value, bool):
        yield not value
    elif _is_number(value):
        yield -value


def unit(value: Any, rng: random.Random) -> Iterator[Any]:
    """A number in another unit: cents for euros, a share for a percentage, minutes for hours."""
    if _is_number(value):
        for factor in rng.sample((100, 60, 1000, 12), 2):
            yield value * factor
            yield value / factor


def rounding(value: Any, rng: random.Random) -> Iterator[Any]:
    """A number rounded further than its value allows."""
    if _is_number(value):
        for digits in (2, 1):
            yield type(value)(float(f"{value:.{digits}g}"))
        if isinstance(value, float):
            yield int(value)
            yield int(value) + 1


def digits(value: Any, rng: random.Random) -> Iterator[Any]:
    """Two neighbouring digits, letters or items changed about."""
    if isinstance(value, list):
        yield from _swapped(value, rng)
    elif isinstance(value, str):
        yield from ("".join(text) for text in _swapped(list(value), rng))
    elif _is_number(value):
        for text in _swapped(list(repr(value)), rng):
            new = "".join(text)
            if re.fullmatch(r"-?[1-9]\d*(\.\d+)?", new):
                yield json.loads(new)


def _swapped(items: list[Any], rng: random.Random) -> Iterator[list[Any]]:
    places = [index for index in range(len(items) - 1) if items[index] != items[index + 1]]
    for place in rng.sample(places, len(places)):
        yield [*items[:place], items[place + 1], items[place], *items[place + 2 :]]


def first_wrong(make: Wrong, value: Any, rng: random.Random) -> Any | None:
    """Returns the first value of `make` that is really wrong; None where it makes none."""
    return next((new for new in make(value, rng) if is_wrong(value, new)), None)


def is_wrong(value: Any, new: Any) -> bool:
    """Whether `new` is another answer than `value`, beyond what rounding excuses."""
    if _is_number(value) and _is_number(new):
        if isinstance(value, int):
            return bool(value != new)
        return bool(abs(value - new) > _MARGIN * max(abs(value), abs(new)))
    if isinstance(value, str) and isinstance(new, str):
        return _letters(value) != _letters(new)
    return bool(value != new)


def _letters(text: str) -> str:
    return "".join(text.lower().split())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


WRONG: dict[str, Wrong] = {
    "off_by_one": off_by_one,
    "sign": sign,
    "unit": unit,
    "rounding": rounding,
    "digits": digits,
}
"""Name of the fault -> what makes it."""
