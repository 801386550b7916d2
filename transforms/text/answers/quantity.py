"""Reads one number with its unit, in digits or in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from transforms.text.answers import lexicon
from transforms.text.answers.brackets import peel
from transforms.text.words import word_set

EXPONENT_CAP = 12_000
"""Powers of ten; covers every output and is far from filling the memory."""


@dataclass(frozen=True)
class Quantity:
    """A number as a text states it."""

    value: Fraction
    step: Fraction | None
    """The worth of its last stated decimal; None where it states none."""
    unit: str
    """The unit in its simplest spelling, "%" for percent, "" for none."""


_SIGNS = "$¢£¤¥฿₠-⃏"
_CODES = "|".join(sorted(map(re.escape, lexicon.CURRENCY_CODES), key=len, reverse=True))
_CURRENCY = rf"(?:(?:US\s?)?[{_SIGNS}]\s?|US\s?|(?:{_CODES})\b\.?\s?)?"
GROUPED = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]{1,3}(?:[ '][0-9]{3})+(?![0-9])"
_PLAIN = rf"(?:(?:{GROUPED}|[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+)"
QUANTITY = re.compile(
    rf"""
    (?P<sign>[-+]|(?i:minus|negative)\b)? \s* {_CURRENCY} (?P<inner_sign>[-+])? \s*
    (?: (?: (?P<whole>[0-9][0-9,]*) (?:\s+|\s+and\s+) )?
        (?P<over>{_PLAIN}) \s*/\s* (?P<under>{_PLAIN})
      | (?P<plain>{_PLAIN})
        (?: (?<=[0-9.]) \((?P<period>[0-9]+)\) | (?P<dots>\s?\.{{3}})
          | [eE] (?P<power>[-+]?[0-9]+) (?![0-9A-Za-z])
          | \s* (?:\\times|\\cdot|\*|x) \s* 10 \s* (?:\^|\*\*)
            \s* [{{(]? (?P<tens>[-+]?[0-9]+) [)}}]?
        )?
    )
    (?P<rest>.*)
    """,
    re.X | re.S,
)
_PERCENT = re.compile(r"\s*(?:%|(?:percent|per\s?cent|pct)(?:age)?\b)(?:\s*points?\b)?", re.I)
_REPEATS = re.compile(r"([0-9]*?)([0-9]{1,6}?)\2{2,}|()([0-9]{1,6}?)\4+")
_SAID_TWICE = re.compile(r"([A-Za-z -]{1,80}) ?\(([0-9]{1,15})\)")
_BASE = re.compile(
    r"\(?([0-9A-Z]+)\)? ?(?:_ ?\{? ?\(?([0-9]{1,2})\)? ?\}?|\(?(?:in )?base (\w+)\)?)"
    r"|0([box])([0-9A-Fa-f]+)"
)
_PREFIXES = {"b": "2", "o": "8", "x": "16"}

_LETTERS, _ATTACHED_LETTERS = map(lexicon.table, ("unit_letters", "attached_unit_letters"))
_SHORT_WORDS = lexicon.table("short_unit_words")
_ORDINALS = word_set("st nd rd th")
_FUNCTIONS = """sqrt cbrt exp log ln sin cos tan asin acos atan sinh cosh tanh factorial binomial
    abs rational"""
FUNCTIONS = word_set(_FUNCTIONS)
CHANGING = lexicon.table("changing")
"""Words that make another number of the one before them, or an alternative, wherever they stand."""
_NO_UNITS = CHANGING.union(
    lexicon.table("no_units"), lexicon.SMALL_NUMBERS, lexicon.PARTS, FUNCTIONS
)
_TENS = word_set("twenty thirty forty fifty sixty seventy eighty ninety")
_NO_FIRST_UNITS = word_set("squared cubed times am pm")
_AND_A_HALF = re.compile("([个個打年天米斤元块岁])半")
_UNSPACED = "\u2e80-\u9fff\uac00-\ud7a3\u0e00-\u0e7f"  # scripts that write no spaces
_CHARACTERS_NO_UNITS = re.compile(
    "[万萬亿億兆百十半倍折成打双雙对對]|千(?![克米瓦帕卡焦])|[^个個]前"
)
FRACTION = re.compile(r"\\frac ?(?:\{ ?(-?[0-9.,]+) ?\} ?\{ ?([0-9.,]+) ?\}|([0-9]) ?([0-9]))")
_UNIT_FRACTION = re.compile(
    r"\\frac ?\{([^{}0-9]+)\} ?\{([^{}0-9]+?(?: ?\^ ?(?:\{ ?)?[0-9](?: ?\})?)?) ?\}"
)


def read_quantity(text: str) -> Quantity | None:
    """Reads one number with its unit; None where the text says more, or something else.

    Digits may have thousands separators, a currency sign, a power of ten, a period that recurs, be
    a fraction or a mixed number, and be followed by `million` and the like, then by a percent sign
    or a unit.

    Args:
      text: as `tidy` gives it.
    """
    text = re.sub(r" ?\([A-Za-z -]+\)$", "", peel(text, "("))
    if twice := _SAID_TWICE.fullmatch(text):
        stated = _read_words(twice[1])
        return stated if stated and stated.value == int(twice[2]) else None
    text = FRACTION.sub(slash, text).strip()
    based = read_based(text)
    match = QUANTITY.fullmatch(based[0] if based and not text.startswith("0") else text)
    number = in_digits(match) if match else None
    if not match or not number:
        return _read_words(text)
    (value, step), rest = number, match["rest"]
    scale = re.match(rf"\s*([{_UNSPACED}]{{1,2}}|[^\W\d_]+)", rest)
    word = scale[1].casefold() if scale else ""
    while word and word not in lexicon.SCALES and re.match(f"[{_UNSPACED}]", word):
        word = word[:-1]
    if scale and (size := lexicon.SCALES.get(word)):
        if scale[0][:1] not in (" ", word[0]) or (rest[0].isalpha() and word.isascii()):
            return None
        value, step, rest = value * size, step and step * size, rest[scale.start(1) + len(word) :]
    unit = _unit(rest)
    return None if unit is None else Quantity(value, step, unit)


def read_based(text: str) -> tuple[str, int] | None:
    """The digits and the value of a number marked with its base; None for any other text.

    >>> read_based("1010_2"), read_based("17 in base 8"), read_based("0x1A")
    (('1010', 10), ('17', 15), ('1A', 26))
    """
    match = _BASE.fullmatch(text)
    if not match:
        return None
    digits, base = match[1] or match[5], match[2] or match[3] or _PREFIXES[match[4]]
    size = int(base) if base.isdigit() else int(lexicon.spelled([base.lower()]) or 0)
    try:
        return digits, int(digits, size)
    except ValueError:
        return None


def slash(fraction: re.Match[str]) -> str:
    """Writes a numeric LaTeX fraction with a slash, and apart from a whole number before it."""
    over, under = (part for part in fraction.groups() if part)
    return f" {over}/{under}"


def in_digits(match: re.Match[str]) -> tuple[Fraction, Fraction | None] | None:
    """The value and last decimal of the number that `QUANTITY` matched."""
    number = _unsigned(match)
    negative = (match["sign"] not in (None, "+")) != (match["inner_sign"] == "-")
    return (-number[0], number[1]) if number and negative else number


def _unsigned(match: re.Match[str]) -> tuple[Fraction, Fraction | None] | None:
    parts = {name: re.sub("[, ']", "", match[name] or "") for name in ("whole", "over", "under")}
    if parts["over"]:
        over, under = Fraction(Decimal(parts["over"])), Fraction(Decimal(parts["under"]))
        if not under or (parts["whole"] and over >= under):
            return None
        return Fraction(Decimal(parts["whole"] or 0)) + over / under, None
    digits = re.sub("[, ']", "", match["plain"])
    decimals = digits.partition(".")[2]
    if match["period"] is not None:
        return (_recurring(digits, match["period"]), None) if "." in digits else None
    if match["dots"]:
        repeats = _REPEATS.fullmatch(decimals) if len(decimals) < 100 else None
        if repeats:
            return _recurring(digits, repeats[2] or repeats[4]), None
        # Cut off, not rounded: off by up to one in the last decimal.
        return Fraction(Decimal(digits)), 2 * Fraction(10) ** -len(decimals)
    power = int((match["power"] or match["tens"] or "0")[:9])
    if abs(power) > EXPONENT_CAP:
        return None
    step = Fraction(10) ** (power - len(decimals)) if decimals else None
    return Fraction(Decimal(digits)) * Fraction(10) ** power, step


def _recurring(digits: str, period: str) -> Fraction:
    """The value of the digits with a period that recurs behind them for ever."""
    size = Fraction(10) ** -len(digits.partition(".")[2])
    return Fraction(Decimal(digits)) + size * Fraction(int(period), 10 ** len(period) - 1)


def _unit(text: str) -> str | None:
    """The unit in its simplest spelling, "" for none; None where the text is no plain unit."""
    percent = _PERCENT.match(text)
    if percent:
        return None if _unit(text[percent.end() :]) is None else "%"
    if re.match(r"\s+-", text):
        return None  # a difference; a hyphen stands close ("5-inch")
    text = _UNIT_FRACTION.sub(r"\1/\2", text)
    text = re.sub(r"(?<=[^\W0-9_]) ?\^ ?\{?(?:-?[0-9]|st|nd|rd|th)\}?|(?<=[mt])[23]\b", "", text)
    text = re.sub(r"^ ?\^ ?\{? ?(?=(?:st|nd|rd|th)\b)", "", text).rstrip("}")
    attached = text[:1].isalpha()
    text = re.sub(rf"[{_SIGNS}°]", " ", text).replace("\\cdot", "·").strip()
    if not re.fullmatch(r"[^\W0-9_]*(?:(?:\s?[/·.']\s?|\s|-)[^\W0-9_]+)*[.']?", text):
        return None
    spoken = re.findall(r"[^\W0-9_]+", text)
    folded = [word.casefold() for word in spoken]
    if len(spoken) > 6 or not _NO_UNITS.isdisjoint(folded) or not _TENS.isdisjoint(folded):
        return None
    if folded and (folded[0] in _NO_FIRST_UNITS or folded[0] in lexicon.MONTHS):
        return None
    if not all(map(_is_unit_word, spoken)) or (attached and not _may_be_attached(spoken[0])):
        return None
    known = lexicon.UNITS
    whole = known.get(text) or known.get(" ".join(spoken)) or known.get(" ".join(folded))
    return whole or " ".join(known.get(word) or _simplest(word.casefold()) for word in spoken)


def _simplest(word: str) -> str:
    singular = word.removesuffix("s") if len(word) > 3 else word
    return lexicon.UNITS.get(word) or lexicon.UNITS.get(singular, singular)


def _is_unit_word(word: str) -> bool:
    if re.match(f"[{_UNSPACED}]", word):
        return not _CHARACTERS_NO_UNITS.search(word)
    if len(word) == 1:
        return word in _LETTERS or word in _SHORT_WORDS
    if len(word) == 2:
        known = word.casefold() in _SHORT_WORDS or word.casefold() in lexicon.UNITS
        return known or word in lexicon.CURRENCY_CODES
    return True


def _may_be_attached(word: str) -> bool:
    if re.match(f"[{_UNSPACED}]", word):
        return True
    if len(word) == 1:
        return word in _ATTACHED_LETTERS or (not word.isascii() and word in _SHORT_WORDS)
    known = lexicon.UNITS
    return word in _ORDINALS or word in known or word.casefold().removesuffix("s") in known


def _read_words(text: str) -> Quantity | None:
    """Reads a number in words ("minus three and a half", "twelve apples")."""
    if re.search("[0-9]", text):
        return None
    bare = text.lstrip("负負")
    if (han := lexicon.HAN.match(bare)) and (value := lexicon.han(han[0])) is not None:
        rest = bare[han.end() :]
        if half := _AND_A_HALF.match(bare, han.end() - han[0].endswith("打")):
            value += 6 if half[1] == "打" else Fraction(1, 2)
            rest = rest.replace("半", "", 1)
        unit = _unit(f" {rest}")
        return None if unit is None else Quantity(-value if bare != text else value, None, unit)
    spoken = text.lower().replace("-", " ").split()
    if not spoken:
        return None
    negative = spoken[0] in ("minus", "negative")
    spoken = spoken[1:] if negative else spoken
    for end in range(min(len(spoken), 20), 0, -1):
        value = lexicon.spelled_anywhere(spoken[:end])
        unit = _unit(" " + " ".join(spoken[end:])) if value is not None else None
        if value is not None and unit is not None:
            return Quantity(-value if negative else value, None, unit)
    return None
