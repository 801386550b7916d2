"""Numbers in a text: where they stand, how they are written, and how others are written so."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from transforms.text.answers.lexicon import SMALL_NUMBERS
from transforms.text.words import word_set

CARDINALS = [*SMALL_NUMBERS, "twenty"]
_ORDINALS = """zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh
    twelfth"""
ORDINALS = _ORDINALS.split()
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"

_NUMBER = re.compile(
    r"(?P<date>(?<![\w-])\d{4}-\d{2}-\d{2}(?![\w-]))"
    r"|(?P<clock>(?<![\w:.])\d{1,2}(?::\d{2}){1,2}(?![\w:]))"
    r"|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
    r"|(?P<number>(?<![\w.])(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?)(?P<suffix>st\b|nd\b|rd\b|th\b)?"
    r"|(?P<word>(?<![\w-])(?:" + "|".join([*CARDINALS, *ORDINALS]) + r")(?![\w]))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Numeral:
    """A number as a text writes it."""

    start: int
    end: int
    text: str
    kind: str
    """number, ordinal (8th), word (eight), ordinal_word (eighth), raised (⁸), clock or date."""
    value: float
    """For a clock its minutes or seconds, whichever it counts; 0 for a date."""
    decimals: int = 0
    commas: bool = False
    """Whether its text writes large numbers with commas."""
    truncated: bool = False
    """Followed by dots: the digits shown are the first of more."""
    unit: str = ""
    """The word after it without a plural's s, or the currency sign before it."""
    money: bool = False
    """An amount that is written with its cents."""


def rounding(decimals: int) -> float:
    """How far a number that shows so many decimals may be from what it stands for."""
    return 0.501 * 10.0**-decimals


def numerals(text: str) -> list[Numeral]:
    """Returns the numbers in a text, in their order."""
    commas = re.search(r"\d,\d{3}(?!\d)", text) is not None
    return [_numeral(text, match, commas) for match in _NUMBER.finditer(text)]


def _numeral(text: str, match: re.Match[str], commas: bool) -> Numeral:
    start, end, written = match.start(), match.end(), match.group()
    if match["date"]:
        return Numeral(start, end, written, "date", 0)
    if match["clock"]:
        value = 0
        for part in written.split(":"):
            value = value * 60 + int(part)
        return Numeral(start, end, written, "clock", value)
    if match["raised"]:
        digits = "".join(str(_SUPERSCRIPTS.index(sign)) for sign in written)
        return Numeral(start, end, written, "raised", int(digits))
    if match["word"]:
        word = written.lower()
        kind, listed = ("word", CARDINALS) if word in CARDINALS else ("ordinal_word", ORDINALS)
        return Numeral(start, end, written, kind, listed.index(word))
    digits = match["number"].replace(",", "")
    decimals = len(digits.partition(".")[2])
    kind = "ordinal" if match["suffix"] else "number"
    number = float(digits) if "." in digits else int(digits)
    cut = text.startswith(("...", "…"), end)
    unit = unit_of(text, start, end)
    money = decimals == 2 and unit in _MONEY
    return Numeral(start, end, written, kind, number, decimals, commas, cut, unit, money)


_UNIT = re.compile(r"[\s-]*([^\W\d_]+|%)")
_MONEY = ("$", "€", "£", "euro", "dollar", "franc", "pound", "crown", "coin")
_NO_UNITS = word_set("and or of in on to the a is are was at by per from for with more les each")


def unit_of(text: str, start: int, end: int) -> str:
    """The currency sign before a number, or the word after it without a plural's s; "" for none."""
    if start and text[start - 1] in "$€£":
        return text[start - 1]
    after = _UNIT.match(text, end)
    word = after.group(1).lower() if after else ""
    word = word.removesuffix("s") or word
    return "" if word in _NO_UNITS else word


def rendered(numeral: Numeral, value: float, exact: bool = True) -> str | None:
    """Returns `value` written like `numeral`, or None where that cannot be done.

    Args:
        exact: whether the numeral shows its value exactly; else the new one is rounded alike.
    """
    if not math.isfinite(value) or abs(value) >= 1e15:
        return None
    if numeral.kind in ("clock", "date"):
        return None
    whole = round(value)
    is_whole = math.isclose(value, whole, rel_tol=1e-10, abs_tol=1e-9)
    if numeral.kind == "number":
        return _digits(numeral, value, exact)
    if not is_whole or whole < 0:
        return None
    if numeral.kind == "ordinal":
        return f"{whole}{_suffix(whole)}"
    if numeral.kind == "raised":
        return "".join(_SUPERSCRIPTS[int(digit)] for digit in str(whole))
    words = CARDINALS if numeral.kind == "word" else ORDINALS
    if whole >= len(words):
        return None
    return words[whole].capitalize() if numeral.text[0].isupper() else words[whole]


def _digits(numeral: Numeral, value: float, exact: bool) -> str | None:
    if value < 0:
        return None
    if not exact:
        return _grouped(numeral, f"{value:.{numeral.decimals}f}")
    needed = next(
        (n for n in range(11) if math.isclose(round(value, n), value, rel_tol=1e-10, abs_tol=1e-9)),
        None,
    )
    if (
        needed is None
        or (numeral.decimals == 0 and needed > 0)
        or needed > max(numeral.decimals + 2, 2)
    ):
        return None
    padded = numeral.money or (numeral.decimals > 0 and numeral.text.endswith("0"))
    return _grouped(numeral, f"{value:.{max(needed, numeral.decimals) if padded else needed}f}")


def _grouped(numeral: Numeral, digits: str) -> str:
    whole, point, rest = digits.partition(".")
    large = int(whole) >= (1_000 if "," in numeral.text else 10_000)
    grouped = f"{int(whole):,}" if numeral.commas and large else whole
    return grouped + point + rest


def _suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
