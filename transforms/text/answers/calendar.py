"""Clock times, dates, durations and other sums of measures as texts state them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from transforms.text.answers import lexicon
from transforms.text.answers.quantity import read_quantity
from transforms.text.words import word_set

_CLOCK = re.compile(
    r"([0-9]{1,2})(?:\s?[:.h]\s?([0-9]{2})(?::([0-9]{2}))?)?\s*"
    r"(?:([ap])\.?\s?m\.?|(uhr|h|o'?clock))?",
    re.I,
)
_PART_OF_DAY = re.compile(r"(.+) in the (morning|afternoon|evening)", re.I)
_WORDED = re.compile(r"([a-z0-9-]+)(?: minutes?)? (past|to|after|before) ([a-z]+|[0-9]{1,2})", re.I)
_NAMED = {"noon": 43_200, "midday": 43_200, "midnight": 0}
_ISO = re.compile(
    r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})|([0-9]{4})年([0-9]{1,2})月([0-9]{1,2})日?"
)
_POINTED = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")

_FILLERS = word_set("the of de del st nd rd th er on года г den le")


@dataclass(frozen=True)
class Clock:
    """A time of day."""

    seconds: int
    half: bool
    """Whether it says which half of the day it is in, where its hour could be in either."""


def read_clock(text: str) -> Clock | None:
    """Reads `9:05`, `3 p.m.`, `15:45`, `noon` or `quarter past nine`; None where it is none."""
    text = text.strip()
    if (part := _PART_OF_DAY.fullmatch(text)) and (clock := read_clock(part[1])):
        late = 43_200 * (part[2].casefold() != "morning")
        return Clock(clock.seconds % 43_200 + late, True)
    if text.casefold() in _NAMED:
        return Clock(_NAMED[text.casefold()], True)
    if worded := _WORDED.fullmatch(text):
        return _worded(worded)
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    hour, minute, second = int(match[1]), int(match[2] or 0), int(match[3] or 0)
    half = (match[4] or "").casefold()
    if not (half or match[5]) and (not match[2] or "." in match[0]):
        return None  # a number
    if hour > 24 or minute > 59 or second > 59 or (half and not 0 < hour < 24):
        return None
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return Clock((hour * 60 + minute) * 60 + second, bool(half) or hour not in range(1, 13))


def _worded(match: re.Match[str]) -> Clock | None:
    minutes, hour = (
        {"half": 30, "quarter": 15}.get(part.casefold())
        or (int(part) if part.isdigit() else lexicon.spelled(part.casefold().split("-")))
        for part in match.group(1, 3)
    )
    if minutes is None or hour is None or not 0 < hour <= 12 or not 0 < minutes < 60:
        return None
    before = match[2].casefold() in ("to", "before")
    total = hour * 60 + (-minutes if before else minutes)
    return Clock(int(total * 60) % 43_200 or 43_200, False)


def same_time(one: Clock, other: Clock) -> bool:
    """Whether two times are the same; one that may be either half of the day is only itself."""
    if one.half != other.half:
        unsure = other if one.half else one
        if 3600 <= unsure.seconds < 13 * 3600:
            return False
    return one.seconds == other.seconds


def read_date(text: str) -> tuple[int | None, int, int] | None:
    """Year (None where it is not stated), month and day; None where the text is no whole date.

    The month has to be named, or the year to stand first: `3/5/2024` is two dates.
    """
    text = _POINTED.sub(r"\3-\2-\1", text)
    if match := _ISO.fullmatch(text.strip()):
        stated, month, day = (int(part) for part in match.groups() if part and part.isdigit())
        return (stated, month, day) if 0 < month <= 12 and 0 < day <= 31 else None
    tokens = re.findall(r"[^\W\d_]+|[0-9]+|[^\w\s.,]", text.casefold())
    if not 2 <= len(tokens) <= 8:
        return None
    named = [lexicon.MONTHS[token] for token in tokens if token in lexicon.MONTHS]
    numbers = [token for token in tokens if token.isdigit()]
    rest = set(tokens) - {*numbers, *lexicon.MONTHS, *lexicon.DAYS} - _FILLERS
    days = [number for number in numbers if len(number) < 3]
    years = [number for number in numbers if len(number) == 4]
    if rest or len(named) != 1 or len(days) != 1 or len(days) + len(years) != len(numbers):
        return None
    if len(years) > 1 or not 0 < int(days[0]) <= 31:
        return None
    return int(years[0]) if years else None, named[0], int(days[0])


def read_name(text: str) -> str | None:
    """The name of a weekday or month, long or short; None for any other text."""
    word = re.sub(r"^(?:it(?:'s| is) )?(?:on |an? )?", "", text.casefold()).rstrip(".")
    names = (lexicon.DAYS, lexicon.MONTHS)
    return word if len(word) > 2 and any(word in each for each in names) else None


def same_name(one: str, other: str) -> bool:
    """Whether one of two names of days or months is the other, or short for it."""
    return one.startswith(other) or other.startswith(one)


def read_measured(text: str) -> tuple[str, Fraction, Fraction] | None:
    """What `2 hours and 30 minutes` or `12 m 30 cm` measures, how much in base units, and the size
    of its largest unit; None where the text is no such sum."""
    text = text.casefold()
    if re.search(r"[0-9] ?h", text):
        text = re.sub(r"(?<=[0-9]) ?m\b", " min", text)
    if re.search(r"\^|[a-z][23]\b", text):
        return None  # a power: read_quantity reads past it
    parts = re.split(r"\s*(?:,|\band\b)\s*|\s+(?=[0-9])|(?<=[a-z])(?=[0-9])", text)
    total, measured = Fraction(0), list[tuple[str, Fraction]]()
    for quantity in (read_quantity(part) for part in parts if part):
        unit = quantity.unit.partition("-")[2] if quantity else ""
        kind, size = lexicon.SIZES.get(unit, ("", Fraction(0)))
        smaller = not measured or (measured[-1][0] == kind and measured[-1][1] > size)
        if quantity is None or not size or not smaller:  # 5 m, 3 m
            return None
        measured.append((kind, size))
        total += quantity.value * size
    return (measured[0][0], total, measured[0][1]) if total else None
