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
from transforms.text.words import word_set

_FOLDER = Path(__file__).parent
WORDINGS: dict[str, Any] = yaml.safe_load((_FOLDER.parent / "words.yaml").read_text("utf-8"))
"""The tables of words.yaml."""
_NAMES: dict[str, Any] = json.loads((_FOLDER / "cldr.json").read_text("utf-8"))
UNITS: dict[str, str] = _NAMES["units"]
"""Each word and symbol for a unit of measurement -> CLDR's key (`hrs`: `duration-hour`)."""
SIZES = {unit: (kind, Fraction(size)) for unit, (kind, size) in _NAMES["sizes"].items()}
SIZES |= {"cent": ("money", Fraction(1)), "money": ("money", Fraction(100))}
SIZES |= {"share": ("share", Fraction(1)), "percent": ("share", Fraction(100))}
"""Each unit (`hour`) -> what it measures ("duration") and its size in base units."""
NUMBERS: dict[str, int] = _NAMES["numbers"]
"""Each number below 1,000 in the words of Italian and other languages -> its value."""
SCALES: dict[str, int] = _NAMES["scales"]
"""Each word for a large number -> its value (`million`, `Milliarden`, `万`)."""
MONTHS: dict[str, int] = _NAMES["months"]
"""Each name of a month, long or short -> 1 to 12."""
DAYS: dict[str, int] = _NAMES["days"]
"""Each name of a weekday, long or short -> 0 to 6."""
CONJUNCTIONS: dict[str, str] = _NAMES["conjunctions"]
"""Patterns for what stands before a list's last item: "standard" (and) and "or"."""
CURRENCY_CODES = frozenset(_NAMES["currency_codes"])
"""Codes and abbreviations of currencies that stand before an amount (`CHF`, `Rs`, `kr`)."""


def table(name: str) -> frozenset[str]:
    """The words of a table of words.yaml."""
    return word_set(WORDINGS[name])


def either(*names: str) -> str:
    """A pattern of all words of tables of words.yaml."""
    return "|".join(word for name in names for word in WORDINGS[name])


@cache
def stating(name: str) -> dict[str, int]:
    """Each word of a table of words.yaml -> the number that it states."""
    return {word: n for n, listed in WORDINGS[name].items() for word in listed.split()}


_WORD = re.compile(r"\w+")


@lru_cache(10_000)
def _languages_with(word: str) -> list[str]:
    """The languages of which a word is a function word."""
    listed = WORDINGS["function_words"].items()
    return [language for language, words in listed if re.fullmatch(words, word)]


def language_of(text: str) -> str:
    """The language that has most of its function words in a text, "en" for none of them."""
    for language, letter in (("ru", "[а-яё]"), ("ko", "[가-힣]")):
        if re.search(letter, text):
            return language
    counts = dict.fromkeys(WORDINGS["function_words"], 0)
    for word in _WORD.findall(text):
        for language in _languages_with(word):
            counts[language] += 1
    return max(counts, key=lambda language: counts[language])


NUMBER_WORDS = ["en", "de", "fr", "es", "pt", "ru"]

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
_HOMOGRAPHS = word_set("once elf null cent die mil")


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


@cache
def _spellings(language: str) -> list[tuple[re.Pattern[str], str]]:
    spellings = WORDINGS["spellings"].get(language, [])
    return [(re.compile(pattern), spelling) for pattern, spelling in spellings]


def respelled(text: str, language: str) -> str:
    """A text whose numbers in words are spelled as text2num reads them.

    >>> respelled("veintidós", "es"), respelled("двух", "ru"), respelled("a hundred and two", "en")
    ('veintidos', 'два', 'one hundred two')
    """
    for pattern, spelling in _spellings(language):
        text = pattern.sub(spelling, text)
    return text


@lru_cache(100_000)
def _cardinal_of(text: str, language: str) -> Fraction | None:
    try:
        return Fraction(text2num(text, language))
    except (ValueError, KeyError, IndexError, AttributeError):
        return None


def _cardinal(words: list[str], language: str) -> Fraction | None:
    text = respelled(" ".join(words), language)
    return None if text in _HOMOGRAPHS or words[:1] == ["hundred"] else _cardinal_of(text, language)


_HAN = "〇零一二三四五六七八九十百千万亿两兩壹贰叁肆伍陆柒捌玖拾佰仟萬億"
HAN = re.compile(
    f"(?!.?些|一[样起共定直般切旦]|.*千[克米瓦帕卡焦])"
    f"(?:[{_HAN}]+(?:[点點][{_HAN}]+|分之[{_HAN}]+)?|半(?=打))打?"
)
"""A Chinese or Japanese number in words; not "some", nor what may be three kilos or 3,000 grams."""


def han_values(numeral: str) -> list[int]:
    """The values of the signs of a Chinese or Japanese numeral."""
    return [2 if sign in "两兩" else int(unicodedata.numeric(sign)) for sign in numeral]


def han(text: str) -> Fraction | None:
    """A number in Chinese words, as `HAN` finds it; None where they are no number.

    >>> han("一百二十"), han("三万五"), han("三点一四"), han("三分之二"), han("万")
    (Fraction(120, 1), Fraction(35000, 1), Fraction(157, 50), Fraction(2, 3), Fraction(10000, 1))
    >>> han("两打"), han("半打")
    (Fraction(24, 1), Fraction(6, 1))
    """
    if text.endswith("打"):
        dozens = Fraction(1, 2) if text[0] == "半" else han(text[:-1])
        return dozens and 12 * dozens
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
    values = (spelled(words, language) for language in NUMBER_WORDS)
    others = NUMBERS.get(" ".join(words), arabic(words) if words[0] > "\x7f" else None)
    value = next((value for value in values if value is not None), others)
    if value is None and words[4:] and words[-3:] == ["and", "a", "half"]:  # a dozen and a half
        size, value = stating("collectives").get(words[-4]), spelled_anywhere(words[:-3])
        return value + Fraction(size, 2) if size and value else None
    size = SCALES.get(words[-1]) or stating("collectives").get(words[-1])
    if value is None and size and words[1:]:
        if (count := spelled_anywhere(words[:-1])) is not None:  # two and a half million
            return count * size
        counted = [word for word in words[:-1] if word not in _ARTICLES] or ["a"]
        part = {"a": 1, **stating("parts")}.get(counted[0])
        return Fraction(size, part) if part and len(counted) == 1 else None  # half a dozen
    return None if value is None else Fraction(value)


_ARTICLES = word_set("a an of ein eine un une una uma een ett")
