"""Quantities that a text states: in digits or in words, with units, as dates, times and ranges.

Texts are read in the languages that answers are read in (`verification.answers.lexicon`): a wrong
reading costs little where a value is looked for, a missing one costs a sound record.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, lru_cache

from text_to_num import alpha2digit
from text_to_num.lang import LANG
from text_to_num.transforms import WORD_SEP

from transforms.text.answers import lexicon
from transforms.text.answers.arabic import replaced, with_digits
from transforms.text.answers.calendar import read_clock
from transforms.text.answers.lexicon import calendar_names, han, scales, units

_FUNCTION_WORDS = lexicon.wordings()["function_words"]
_PARTS, _MULTIPLES, _GROUPS = map(lexicon.stating, ("parts", "multiples", "groups"))
_MONEY = re.compile(r"euros?|dollars?|pounds?|francs?|eur|usd|€|\$|£|元|евро|يورو|рубл\w*")
_CENTS = re.compile(r"cents?|pence|céntimos?|centimes?|kope\w+|копе\w+|¢")
_ALIASES = {"公斤": "kilogram", "千米": "kilometer", "キロ": "kilometer", "kg": "kilogram"}

_LABEL = re.compile(
    rf"\b(?:{lexicon.either('labels')})"
    r"[\s,]*(?:number|numbered|no\.?|nummer|nr\.?|numéro|número|номер|رقم|n°|#|№)?[\s#]*\Z",
    re.IGNORECASE,
)
"""Nouns that a number after them names rather than counts."""
_LABEL_AFTER = re.compile(
    r"\s*(?:号房|号楼|号线|号门|號房|号室|番地|番線"
    r"|(?<=[snrt][tdh])\s*(?:floor|street|avenue|century|edition|grade)\b)"
)
_YEAR_BEFORE = re.compile(
    r"\b(?:in|since|of|year|jahr|anno|en|desde|seit|depuis|vor|by|année|año|founded|built)\s*\Z"
)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)(?!\d)"
    r"|(?P<over>\d+)\s*/\s*(?P<under>[1-9]\d*)(?![\d/])"
    r"|(?P<digits>\d+(?:[.,]\d+)*(?:(?<=\d) \d{3}(?![\d.,]))*|\.\d+)(?P<suffix>st|nd|rd|th)?"
)
_UNIT = re.compile(r"[\s-]*(?:of an? |an? )?(%|°|€|\$|£|¢|[^\W\d_]+)")
_WORDS = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*")
_CJK = re.compile(r"[〇零一二两兩三四五六七八九十百千万亿億]+")
_TO = re.compile(
    r"\s*(?:to|through|until|till|and|bis|à|au|al?|hasta|до|по|到|至|から|-|–|—|~|〜|إلى)\s*(?:the\s+)?"
)
_AND_A_HALF = re.compile(
    r"(?:\s+([^\W\d_]+))?\s+and\s+(?:a|1)\s+(half|quarter)\b(?:\s+([^\W\d_]+))?"
)
_RUSSIAN_CASES = (
    (re.compile(r"восьм(?:и|ью)\b"), "восемь"),
    (re.compile(r"(пят|шест|сем|девят|десят|дцат)(?:и|ью)\b"), r"\1ь"),
    (re.compile(r"\bсорока\b"), "сорок"),
    (re.compile(r"\bста\b"), "сто"),
    (re.compile(r"\bдв(?:ух|ум|умя)\b"), "два"),
    (re.compile(r"\bтр(?:ех|ем|емя)\b"), "три"),
    (re.compile(r"\bчетыр(?:ех|ем|ьмя)\b"), "четыре"),
)
_CLOCK = re.compile(
    r"(?<![\d:])\d{1,2}:\d{2}(?!\d)|\b\d{1,2} ?(?:o'clock|o’clock|[ap]\.?m\b)"
    r"|\b(?:half|quarter|\d{1,2} minutes?|\d{1,2}(?= past)) (?:past|after|to|before) \d{1,2}\b"
)


@cache
def sizes() -> dict[str, tuple[str, Fraction]]:
    """Each unit (`hour`) -> what it measures, and its size; those of one kind are converted."""
    known = {unit: (kind, Fraction(size)) for unit, (kind, size) in lexicon.sizes().items()}
    money = {"cent": ("money", Fraction(1)), "money": ("money", Fraction(100))}
    return known | money | {"share": ("share", Fraction(1)), "percent": ("share", Fraction(100))}


@cache
def _sizes_of(kind: str) -> frozenset[Fraction]:
    return frozenset(size for other, size in sizes().values() if other == kind)


def converted(value: Fraction, unit: str, other: str) -> Fraction | None:
    """A value in one unit in another; None where they measure different things.

    >>> converted(Fraction(2), "hour", "minute")
    Fraction(120, 1)
    """
    return value * sizes()[unit][1] / sizes()[other][1] if same_kind(unit, other) else None


@dataclass(frozen=True)
class Mention:
    """A number where a text states it."""

    values: frozenset[Fraction]
    """What it may mean: 1.350 is 1350 or 1.35."""
    unit: str
    """Its unit (`hour`, `kilometer`; see `_SIZES`); "" for none."""
    label: str
    """The words that make it a name, as in "room 12"; "" for a number that counts."""
    start: int
    end: int
    sums: bool = False
    """Whether it is two mentions added, as in 5 feet 7 inches."""

    def states(self, value: Fraction, unit: str = "") -> bool:
        """Whether it means a value in a unit; without one, in its own or any it converts to."""
        if self.unit not in sizes() or not value or (unit and not same_kind(unit, self.unit)):
            return value in self.values and not (unit and self.unit and value)
        kind, size = sizes()[self.unit]
        wanted = {sizes()[unit][1]} if unit else _sizes_of(kind)
        return any(stated * size / value in wanted for stated in self.values)


@dataclass(frozen=True)
class Stated:
    """What a text states."""

    text: str

    @cached_property
    def plain(self) -> str:
        """The text in lower case, with digits for numbers in words."""
        return _with_digits(self.text)

    @cached_property
    def mentions(self) -> tuple[Mention, ...]:
        return tuple(_mentions(self.plain))

    @cached_property
    def numbers(self) -> frozenset[Fraction]:
        """All numbers as they are written, names (room 12) among them."""
        return frozenset().union(*(mention.values for mention in self.mentions))

    @cached_property
    def clocks(self) -> frozenset[tuple[int, int]]:
        """Clock times as (hour modulo 12, minute)."""
        return frozenset((hour % 12, minute) for hour, minute, _ in _clocks(self.plain))

    @cached_property
    def ranges(self) -> frozenset[tuple[int, int]]:
        """Ranges of whole numbers, ends included, as in "from 1 to 4"."""
        found = set()
        for one, other in zip(self.mentions, self.mentions[1:], strict=False):
            if _TO.fullmatch(self.plain[one.end : other.start]):
                ends = [min(mention.values) for mention in (one, other)]
                found.add((int(ends[0]), int(ends[1])))
        return frozenset(found)

    @cached_property
    def sequences(self) -> frozenset[str]:
        """Numbers of several digits, and lists of single digits as if written without gaps."""
        listed = re.findall(r"(?<!\d)\d(?:(?:,\s*|\s+)(?:and\s+)?\d(?!\d))+", self.plain)
        return frozenset(re.sub(r"\D", "", digits) for digits in listed)

    @cached_property
    def digits(self) -> str:
        """All digits of the text, those of one number without a gap."""
        return " ".join(re.findall(r"\d+", self.plain))


@lru_cache(4096)  # each attempt is judged beside its instruction, thousands beside each other
def stated(text: str) -> Stated:
    """Reads a text, or returns it as it was read before."""
    return Stated(text)


def stated_numbers(text: str) -> frozenset[Fraction]:
    """The numbers that a text states, in digits or words.

    >>> sorted(map(int, stated_numbers("Thirty-five boxes of 1,200 screws")))
    [35, 1200]
    """
    return stated(text).numbers


_WORD = re.compile(r"\w+")


@lru_cache(10_000)
def _languages_with(word: str) -> tuple[str, ...]:
    """The languages of which a word is a function word."""
    return tuple(name for name, words in _FUNCTION_WORDS.items() if re.fullmatch(words, word))


def language_of(text: str) -> str:
    """The language to read number words in: the one with most of the text's function words."""
    if re.search(r"[а-яё]", text):
        return "ru"
    counts = dict.fromkeys(_FUNCTION_WORDS, 0)
    for word in _WORD.findall(text):
        for language in _languages_with(word):
            counts[language] += 1
    return max(counts, key=lambda language: counts[language])


_ENGLISH = LANG["en"]


@lru_cache(10_000)
def _may_be_number(word: str) -> bool:
    """Whether a word of English has a part in numbers."""
    return (
        word in _ENGLISH.NUMBERS
        or word in _ENGLISH.SIGN
        or word in _ENGLISH.ZERO
        or word == _ENGLISH.DECIMAL_SEP
        or _ENGLISH.ord2card(word) is not None
    )


def english_digits(text: str) -> str:
    """What `alpha2digit` makes of a text in lower case, which it is given in parts: those without a
    word for a number, most of them, it would only space anew, word by word."""
    parts = WORD_SEP.split(text)
    marks = [*WORD_SEP.findall(text), ""]
    written = []
    for part, mark in zip(parts, marks, strict=True):
        words = part.split()
        if any(map(_may_be_number, words)):
            written.append(alpha2digit(part, "en", ordinal_threshold=0))
        else:
            written.append(" ".join(words))
        written.append(mark)
    return "".join(written)


def _with_plain_digits(text: str) -> str:
    """A text that is not ASCII alone, in lower case, with the digits and signs of ASCII."""
    text = re.sub(r"(?<=[^\W\d_])[²³]", "", text)  # square metres
    text = "".join(
        f" {unicodedata.normalize('NFKC', c)} " if unicodedata.category(c) == "No" else c
        for c in text
    )
    text = unicodedata.normalize("NFKC", text).lower().replace("⁄", "/").replace("−", "-")
    text = "".join(str(unicodedata.decimal(c)) if c > "\x7f" and c.isdecimal() else c for c in text)
    return with_digits(text.replace("٫", ".").replace("٬", ",").replace("٪", "%"))


def _with_digits(text: str) -> str:
    text = text.lower() if text.isascii() else _with_plain_digits(text)
    language = language_of(text)
    if language == "en":
        text = re.sub(r"-(?=(?:half|halves|\w+(?:th|ird|rter)s?)\b)", " ", text)
        text = re.sub(r"\b(hundred|thousand|million) and (?=\w)", r"\1 ", text)
        text = re.sub(r"\ban? (?=hundred|thousand|million|billion)", "one ", text)
    elif language == "ru":
        text = text.replace("ё", "е")
        for pattern, nominative in _RUSSIAN_CASES:
            text = pattern.sub(nominative, text)
    elif language == "es":
        text = "".join(c for c in unicodedata.normalize("NFD", text) if c != "\u0301")
        text = re.sub(r"\b(\w+i|treinta y |\w+enta y )una?\b", r"\1uno", text)
    elif language == "fr":
        text = re.sub(r"\bquatre[- ]vingts\b", "quatre-vingt", text)
    if language not in ("it", "nl", "pl", "sv", "tr"):
        with suppress(ValueError, KeyError, IndexError, AttributeError):  # text2num, on odd words
            if language == "en":
                text = english_digits(text)
            else:
                text = alpha2digit(text, language, ordinal_threshold=0)
    else:
        text = replaced(text, _WORDS, lambda words: lexicon.numbers().get(" ".join(words)))
    if language == "en":
        text = re.sub(r"\bone\b", "1", text)
    if text.isascii():
        return text
    text = _CJK.sub(lambda match: f" {han(match.group())} ", text)
    return re.sub(r"(\d+)\s*分[の之]\s*(\d+)", r"\2/\1 ", text)


def _mentions(text: str) -> Iterator[Mention]:
    previous: Mention | None = None
    for mention in sorted(_single(text), key=lambda mention: mention.start):
        yield mention
        if previous and re.fullmatch(
            r"\s*(?:,|and|und|et|y|и|و)?\s*", text[_after(text, previous) : mention.start]
        ):
            larger = converted(max(previous.values), previous.unit, mention.unit)
            if larger is not None and larger > max(previous.values):
                total = frozenset([larger + max(mention.values)])
                yield Mention(total, mention.unit, "", previous.start, mention.end, sums=True)
        previous = mention


def _after(text: str, mention: Mention) -> int:
    unit = _UNIT.match(text, mention.end)
    return unit.end() if unit else mention.end


_LETTERS = re.compile(r"[^\W\d_]+")
_WHOLE_BEFORE = re.compile(r"(\d+)\s+\Z")
_NEXT = re.compile(r"[\s-]+([^\W\d_]+|10{3,}\b|\d+(?:th|rd)s?\b)")
_LATE = re.compile(r"\bp\.?m\b|evening|afternoon|night|noon")


def _single(text: str) -> Iterator[Mention]:
    for match in _NUMBER.finditer(text):
        values = set(_readings(match))
        end = match.end()
        before = text[max(0, match.start() - 40) : match.start()]
        if match["under"] and (whole := _WHOLE_BEFORE.search(before)):
            values |= {value + int(whole[1]) for value in values}
        if match["suffix"] and re.search(r"\b(?:a|1) \Z", before):  # a third
            values |= {1 / value for value in values if value}
        after = _NEXT.match(text, end, end + 40)
        if after and (factor := _factor(after[1])):
            values |= {value * factor for value in values}
            end = after.end()
        yield _mention(text, match.start(), end, values, before, bool(match["suffix"]))
    telling, months = _telling_words(), calendar_names("months")
    for match in _LETTERS.finditer(text):
        word = match.group()
        if word in telling:
            if word not in ("a", "an") or unit_after(text, match.end()):
                yield _mention(text, match.start(), match.end(), {telling[word]}, "")
        elif word in months:
            value = frozenset([Fraction(months[word])])
            yield Mention(value, "", "month date day", match.start(), match.end())
    for hour, minute, place in _clocks(text):
        hours = {hour, hour + 12} if hour < 12 and _LATE.search(text) else {hour}
        together = {Fraction(hour * 60 + minute) for hour in hours}
        alone = frozenset(map(Fraction, {*hours, minute}))
        yield Mention(alone | together, "", "", place, place)


def _factor(word: str) -> Fraction | None:
    """What a word after a number multiplies it by: 2 dozen, 3 quarters, 2 million, 4 5ths."""
    if word in _PARTS:
        return Fraction(1, _PARTS[word])
    if word[0].isdigit():
        size = int(word.rstrip("rdths"))
        return Fraction(size) if word.isdigit() else Fraction(1, size or 1)
    factor = _GROUPS.get(word) or scales().get(word)
    return Fraction(factor) if factor else None


def _readings(match: re.Match[str]) -> Iterator[Fraction]:
    if match["clock"]:
        parts = [int(part) for part in match["clock"].split(":")]
        yield from map(Fraction, parts)
        total = 0
        for part in parts:
            total = total * 60 + part
        yield Fraction(total)
    elif match["under"]:
        over, under = int(match["over"]), int(match["under"])
        yield from (Fraction(over, under), Fraction(over), Fraction(under))
    else:
        written = match["digits"]
        pieces = re.split(r"[., ]", written)
        if re.fullmatch(r"\d{1,3}(?:([,. ])\d{3})(?:\1\d{3})*(?:[.,]\d+)?", written):
            marks = re.findall(r"[,. ]", written)
            last = marks[-1] if len(set(marks)) > 1 else None
            whole, _, rest = written.rpartition(last) if last else (written, "", "")
            yield Fraction(re.sub(r"\D", "", whole) + (f".{rest}" if rest else ""))
        if len(pieces) == 2 and " " not in written:
            yield Fraction(f"{pieces[0] or 0}.{pieces[1]}")
        if len(pieces) > 2 or "," in written and len(pieces[-1]) != 3:
            yield from (Fraction(piece) for piece in pieces if piece)
        if len(pieces) == 1:
            yield Fraction(written)


@cache
def _telling_words() -> dict[str, Fraction]:
    """The words that state a number alone; "a" does so before a unit only."""
    parts = {word: Fraction(1, size) for word, size in _PARTS.items()}
    whole = {"a": 1, "an": 1} | _GROUPS | _MULTIPLES
    return parts | {word: Fraction(value) for word, value in whole.items()}


def _mention(
    text: str, start: int, end: int, values: set[Fraction], before: str, ordinal: bool = False
) -> Mention:
    unit = unit_after(text, end, before)
    if more := _AND_A_HALF.match(text, end):
        values = values | {value + Fraction(1, _PARTS[more[2]]) for value in values}
        unit = unit_of(more[1] or more[3] or "")
    label = _LABEL.search(before)
    year = _YEAR_BEFORE.search(before) and not unit
    named = label.group() if label and not unit else ""
    if year and any(1800 <= value <= 2100 and value.denominator == 1 for value in values):
        named = "year date start end begin born since"
    if after := (_LABEL_AFTER.match(text, end)):
        named = after.group()
    return Mention(frozenset(values), unit, named, start, end)


def unit_after(text: str, end: int, before: str = "") -> str:
    """The unit after a place in a text (see `_SIZES`), or of a currency sign before it."""
    if re.search(r"[$€£]\s*\Z|\b(?:eur|usd)\s*\Z", before):
        return "money"
    match = _UNIT.match(text, end)
    return unit_of(match[1]) if match else ""


@lru_cache(10_000)
def unit_of(word: str) -> str:
    """The unit that a word or sign names (`hrs`: `hour`), or "" where it names none of `_SIZES`."""
    if word == "%" or word.startswith(("percent", "prozent", "процент", "パーセント")):
        return "percent"
    if _MONEY.fullmatch(word):
        return "money"
    if _CENTS.fullmatch(word):
        return "cent"
    if word == "time":  # an hour in Danish
        return ""
    for size in range(len(word), 0 if word > "\u2e80" else len(word) - 1, -1):
        unit = units().get(word[:size], "").partition("-")[2].removeprefix("arc-")
        if (key := _ALIASES.get(word[:size], unit)) in sizes():
            return key
    return ""


_HOW_MANY = re.compile(
    r"\b(?:how many|number of|wie ?viele?|combien (?:de |d['’])?|cu[aá]nt[oa]s|сколько|كم)\b"
    r"|多少|[几幾何]|\bin(?=\s+[a-z]+\s*\?)"
)


def asked_unit(text: str) -> str:
    """The unit that a text asks for (`hour`), or "" where it asks for none, or for several.

    >>> asked_unit("How many minutes does a walk of 2 hours take?")
    'minute'
    """
    plain = stated(text).plain
    asked = {unit_after(plain, match.end()) for match in _HOW_MANY.finditer(plain)} - {""}
    return asked.pop() if len(asked) == 1 else ""


def unit_in_name(name: str) -> str:
    """The unit that a name of a program ends in (`total_minutes`: minute); "" for none.

    Single words that mean something else too count as plurals only (seconds, pounds).
    """
    parts = re.split(r"[^a-z]+", name.lower())
    last = "meter" if parts[-1] == "m" and len(parts) > 1 else parts[-1]
    if last in _NO_UNITS or "per" in parts:
        return ""
    word = re.sub(r"tre$", "ter", last.rstrip("s"))
    word = _IRREGULAR.get(word, word)
    return word if word in sizes() else ""


def units_in_name(name: str) -> Fraction | None:
    """How many of one unit make the other that a name speaks of (`minutes_per_hour`: 60), or how
    many there are in a group (`dozen`: 12); None for any other name."""
    parts = re.split(r"[^a-z]+", name.lower())
    named = {unit for part in parts if (unit := unit_in_name(f"{part}s" if part else ""))}
    if len(named) == 2 and same_kind(*named):
        smaller, larger = sorted(sizes()[unit][1] for unit in named)
        return larger / smaller
    return Fraction(_GROUPS[parts[-1]]) if parts[-1] in _GROUPS else None


_NO_UNITS = frozenset(["second", "quarter", "share", "pound", "foot", "money", "yard"])
_IRREGULAR = {
    "feet": "foot",
    "inche": "inch",
    "centurie": "century",
    "min": "minute",
    "kg": "kilogram",
}
_IRREGULAR |= {"euro": "money", "dollar": "money", "km": "kilometer", "cm": "centimeter"}
_IRREGULAR |= {"mm": "millimeter", "hr": "hour", "sec": "second", "ml": "milliliter"}


def same_kind(one: str, other: str) -> bool:
    """Whether two units measure the same: minutes and hours, or feet and metres."""
    return one in sizes() and sizes()[one][0] == sizes().get(other, ("",))[0]


def _clocks(text: str) -> Iterator[tuple[int, int, int]]:
    """Yields (hour, minute, place) of clock times: 9:15, quarter past 9, 9 o'clock, 3 p.m."""
    for match in _CLOCK.finditer(text):
        if clock := read_clock(match.group().replace("’", "'")):
            yield *divmod(clock.seconds // 60, 60), match.start()


@cache
def _from_day_to_day() -> re.Pattern[str]:
    names = (name for name in calendar_names("days") if len(name) > 1 + name.isascii())
    day = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?<![^\W\d_\u2e80-\u9fff])({day})s?{_TO.pattern}({day})")


def weekday_ranges(text: str) -> Iterator[int]:
    """Yields how many days lie from one day of the week to another: Monday to Friday are 5."""
    days = calendar_names("days")
    for match in _from_day_to_day().finditer(text.lower()):
        yield (days[match[2]] - days[match[1]]) % 7 + 1
