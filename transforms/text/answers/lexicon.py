"""Names of units, currencies, large numbers, months and conjunctions (CLDR, gathered by
pipelines/cldr.py), and numbers in words (text2num)."""

from __future__ import annotations

import json
import re
import unicodedata
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml
from text_to_num import text2num

from transforms.text.answers.arabic import arabic

_NAMES = Path(__file__).with_name("cldr.json")
_WORDS = Path(__file__).parents[1] / "words.yaml"


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


@cache
def wordings() -> dict[str, Any]:
    """The tables of words.yaml."""
    read: dict[str, Any] = yaml.safe_load(_WORDS.read_text("utf-8"))
    return read


def table(name: str) -> frozenset[str]:
    """The words of a table of words.yaml."""
    return words(wordings()[name])


def either(*names: str) -> str:
    """A pattern of all words of tables of words.yaml."""
    return "|".join(word for name in names for word in wordings()[name])


def stating(name: str) -> dict[str, int]:
    """Each word of a table of words.yaml -> the number that it states."""
    return {word: n for n, listed in wordings()[name].items() for word in listed.split()}


_NUMBER_WORDS = ["en", "de", "fr", "es", "pt", "ru"]

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen eighteen nineteen"""
SMALL_NUMBERS = _SMALL.split()
"""Zero to nineteen in words."""
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8}
_PARTS |= {"halves": 2, "seventh": 7, "ninth": 9, "tenth": 10}
_PARTS |= {f"{part}s": size for part, size in _PARTS.items() if part not in {"half", "halves"}}
PARTS = frozenset(_PARTS)
"""The words for a half to a tenth."""

# Numbers of one language that are words of English.
_HOMOGRAPHS = words("once elf null cent die mil")
_AND = re.compile(r"\b(hundred|thousand|million|billion|trillion) and (?=\w)")


@cache
def _names() -> dict[str, Any]:
    """What is gathered once: Babel takes each process 0.4 s to read the files of all languages."""
    names: dict[str, Any] = json.loads(_NAMES.read_text("utf-8"))
    return names


def units() -> dict[str, str]:
    """Each word and symbol for a unit of measurement -> CLDR's key (`hrs`: `duration-hour`)."""
    units: dict[str, str] = _names()["units"]
    return units


def sizes() -> dict[str, list[str]]:
    """Each unit (`hour`) -> what it measures ("duration") and its size in base units."""
    sizes: dict[str, list[str]] = _names()["sizes"]
    return sizes


def numbers() -> dict[str, int]:
    """Each number below 1,000 in the words of Italian and other languages -> its value."""
    numbers: dict[str, int] = _names()["numbers"]
    return numbers


def scales() -> dict[str, int]:
    """Each word for a large number -> its value (`million`, `Milliarden`, `万`)."""
    scales: dict[str, int] = _names()["scales"]
    return scales


def calendar_names(kind: str) -> dict[str, int]:
    """Each name, long or short, of a month ("months", 1 to 12) or a weekday ("days", 0 to 6)."""
    names: dict[str, int] = _names()[kind]
    return names


def conjunctions(kind: str) -> str:
    """A pattern for what stands before a list's last item: kind "standard" (and) or "or"."""
    pattern: str = _names()["conjunctions"][kind]
    return pattern


@cache
def currency_codes() -> frozenset[str]:
    """Codes and abbreviations of currencies that stand before an amount (`CHF`, `Rs`, `kr`)."""
    return frozenset(_names()["currency_codes"])


def spelled(words: list[str], language: str = "en") -> Fraction | None:
    """A number in words, all of them: a cardinal, a fraction ("two thirds"), or both ("three and a
    half"); None where they are no number ("one two", "twenty twelve")."""
    size = _PARTS.get(words[-1]) if language == "en" else None
    if size is None:
        return _cardinal(words, language)
    before = words[-2] if words[1:] else "one" if words[0] in ("half", "quarter") else ""
    count = _cardinal(["one" if before in ("a", "an") else before], language)
    if not count or count >= size:
        return None
    if len(words) < 3:
        return count / size
    whole = _cardinal(words[:-3], language) if words[-3] == "and" and words[:-3] else None
    return None if whole is None else whole + count / size


@lru_cache(100_000)
def _cardinal_of(text: str, language: str) -> Fraction | None:
    try:
        return Fraction(text2num(text, language))
    except (ValueError, KeyError, IndexError, AttributeError):
        return None


def _cardinal(words: list[str], language: str) -> Fraction | None:
    text = " ".join(words)
    if language == "es":
        text = unicodedata.normalize("NFD", text).replace("\u0301", "")
    if language == "fr":
        text = re.sub(r"quatre vingts?\b ?", "quatre-vingt-", text).rstrip("-")
    if language == "en":
        text = _AND.sub(r"\1 ", re.sub(r"^a (?=\w)", "one ", text))
        if words[:1] == ["hundred"]:
            return None
    return None if text in _HOMOGRAPHS else _cardinal_of(text, language)


_HAN = "〇零一二三四五六七八九十百千万亿两兩壹贰叁肆伍陆柒捌玖拾佰仟萬億"
HAN = re.compile(
    f"(?!.?些|一[样起共定直般切旦]|.*千[克米瓦帕卡焦])[{_HAN}]+(?:[点點][{_HAN}]+|分之[{_HAN}]+)?"
)
"""A Chinese or Japanese number in words; not "some", nor what may be three kilos or 3,000 grams."""


def han_values(numeral: str) -> list[int]:
    """The values of the signs of a Chinese or Japanese numeral."""
    return [2 if sign in "两兩" else int(unicodedata.numeric(sign)) for sign in numeral]


def han(text: str) -> Fraction | None:
    """A number in Chinese words, as `HAN` finds it; None where they are no number.

    >>> han("一百二十"), han("三万五"), han("三点一四"), han("三分之二"), han("万")
    (Fraction(120, 1), Fraction(35000, 1), Fraction(157, 50), Fraction(2, 3), Fraction(10000, 1))
    """
    if "分之" in text:
        under, over = map(han, text.split("分之"))
        return over / under if under and over is not None and under != 100 else None
    whole, *decimals = re.split("[点點]", text)
    values = han_values(whole)
    digits = "".join(str(value) for part in decimals for value in han_values(part))
    if len(values) > 1 and max(values) < 10:  # 二〇二四
        return Fraction("".join(map(str, values)) + "." + digits)
    total = section = digit = 0
    last = 10
    for value in values:
        if value < 10:
            digit, last = value, last if value else 10
        elif value < 10**4:
            section, digit, last = section + (digit or 1) * value, 0, value
        elif total < value:
            total, section, digit, last = (total + section + digit or 1) * value, 0, 0, value
        else:
            total, section, digit, last = total + (section + digit) * value, 0, 0, value
    ones = last // 10 if values[0] < 10 else 1  # 一百八 is 180, 百八 in Japanese 108
    return Fraction(f"{total + section + digit * ones}.{digits}")


def spelled_anywhere(words: list[str]) -> Fraction | None:
    """The same in the first of the languages that reads the words so."""
    values = (spelled(words, language) for language in _NUMBER_WORDS)
    others = arabic(words) if words[0] > "\x7f" else numbers().get(" ".join(words))
    value = next((value for value in values if value is not None), others)
    if value is None and len(words) > 1 and words[-1] in scales():
        part = spelled(words[:-1])  # two and a half million
        return None if part is None else part * scales()[words[-1]]
    return None if value is None else Fraction(value)
