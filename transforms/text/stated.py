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
from transforms.text.answers.latex import with_ascii_digits
from transforms.text.answers.lexicon import DAYS, MONTHS, SCALES, SIZES, UNITS, han

_PARTS, _MULTIPLES = map(lexicon.stating, ("parts", "multiples"))
_GROUPS = lexicon.stating("groups") | lexicon.stating("collectives")
_GAP = re.compile(r"\s{20,}")
"""What says no more than one blank, and has each number's surroundings searched at length."""
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
_TELLING = {word: Fraction(1, size) for word, size in _PARTS.items()}
_TELLING |= {word: Fraction(n) for word, n in ({"a": 1, "an": 1} | _GROUPS | _MULTIPLES).items()}
"""The words that state a number alone; "a" does so before a unit only."""
_HALVES = "|".join(word for word, size in _PARTS.items() if size == 2)
_HALF_A = re.compile(rf"(?:{_HALVES})\W+(?:an? |of )*\Z")
_CJK = re.compile(r"[〇零一二两兩三四五六七八九十百千万亿億]+")
_TO = re.compile(
    r"\s*(?:to|through|until|till|and|bis|à|au|al?|hasta|до|по|到|至|から|-|–|—|~|〜|إلى)\s*(?:the\s+)?"
)
_AND_A_HALF = re.compile(
    r"(?:\s+([^\W\d_]+))?\s+and\s+(?:a|1)\s+(half|quarter)\b(?:\s+([^\W\d_]+))?"
)

_CLOCK = re.compile(
    r"(?<![\d:])\d{1,2}:\d{2}(?!\d)|\b\d{1,2} ?(?:o'clock|o’clock|[ap]\.?m\b)"
    r"|\b(?:half|quarter|\d{1,2} minutes?|\d{1,2}(?= past)) (?:past|after|to|before) \d{1,2}\b"
)


@cache
def _sizes_of(kind: str) -> frozenset[Fraction]:
    return frozenset(size for other, size in SIZES.values() if other == kind)


def converted(value: Fraction, unit: str, other: str) -> Fraction | None:
    """A value in one unit in another; None where they measure different things.

    >>> converted(Fraction(2), "hour", "minute")
    Fraction(120, 1)
    """
    return value * SIZES[unit][1] / SIZES[other][1] if same_kind(unit, other) else None


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
        if self.unit not in SIZES or not value or (unit and not same_kind(unit, self.unit)):
            return value in self.values and not (unit and self.unit and value)
        kind, size = SIZES[self.unit]
        wanted = {SIZES[unit][1]} if unit else _sizes_of(kind)
        return any(stated * size / value in wanted for stated in self.values)


@dataclass(frozen=True)
class Stated:
    """What a text states."""

    text: str

    @cached_property
    def plain(self) -> str:
        """The text in lower case, with digits for numbers in words."""
        return _with_digits(_GAP.sub(" ", self.text))

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

    >>> sorted(map(int, stated_numbers("Thirty-five boxes of 200 screws")))
    [35, 200]
    """
    return stated(text).numbers


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
    text = with_ascii_digits(text).replace("٫", ".").replace("٬", ",").replace("٪", "%")
    return with_digits(text)


def _with_digits(text: str) -> str:
    text = text.lower() if text.isascii() else _with_plain_digits(text)
    language = lexicon.language_of(text)
    text = lexicon.respelled(text, language)
    if language in lexicon.NUMBER_WORDS:
        with suppress(ValueError, KeyError, IndexError, AttributeError):  # text2num, on odd words
            if language == "en":
                text = english_digits(text)
            else:
                text = alpha2digit(text, language, ordinal_threshold=0)
    else:
        text = replaced(text, _WORDS, lambda words: lexicon.NUMBERS.get(" ".join(words)))
    if language == "en":
        text = re.sub(r"\bone\b", "1", text)
    if text.isascii():
        return text
    text = _CJK.sub(lambda match: f" {han(match.group())} ", text)
    text = re.sub("([0-9半]) ?(打|ダース|다스)", r"\1 \2 ", text)
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
        yield _mention(text, match.start(), end, values, before)
    for match in _LETTERS.finditer(text):
        word, start, end = match.group(), match.start(), match.end()
        if word in _TELLING:
            if word not in ("a", "an") or unit_after(text, end):
                halved = word in _GROUPS and _HALF_A.search(text[max(0, start - 100) : start])
                values = {_TELLING[word], _TELLING[word] / 2} if halved else {_TELLING[word]}
                yield _mention(text, start, end, values, "")
        elif word in MONTHS:
            yield Mention(frozenset([Fraction(MONTHS[word])]), "", "month date day", start, end)
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
    factor = _GROUPS.get(word) or SCALES.get(word)
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
    elif match["digits"].isdecimal():  # most of all
        yield Fraction(int(match["digits"]))
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


def _mention(text: str, start: int, end: int, values: set[Fraction], before: str) -> Mention:
    unit = unit_after(text, end, before)
    if more := _AND_A_HALF.match(text, end):
        values = values | {value + Fraction(1, _PARTS[more[2]]) for value in values}
        unit = unit_of(more[1] or more[3] or "")
    named = ""
    if not unit:
        label = _LABEL.search(before)
        named = label.group() if label else ""
        years = any(1800 <= value <= 2100 and value.denominator == 1 for value in values)
        if years and _YEAR_BEFORE.search(before):
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
        unit = UNITS.get(word[:size], "").partition("-")[2].removeprefix("arc-")
        if (key := _ALIASES.get(word[:size], unit)) in SIZES:
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
    return word if word in SIZES else ""


def units_in_name(name: str) -> Fraction | None:
    """How many of one unit make the other that a name speaks of (`minutes_per_hour`: 60), or how
    many there are in a group (`dozen`: 12); None for any other name."""
    parts = re.split(r"[^a-z]+", name.lower())
    named = {unit for part in parts if (unit := unit_in_name(f"{part}s" if part else ""))}
    if len(named) == 2 and same_kind(*named):
        smaller, larger = sorted(SIZES[unit][1] for unit in named)
        return larger / smaller
    return Fraction(_GROUPS[parts[-1]]) if parts[-1] in _GROUPS else None


_NO_UNITS = frozenset(["second", "quarter", "share", "pound", "foot", "money", "yard"])
_IRREGULAR = {"feet": "foot", "inche": "inch", "centurie": "century", "min": "minute"}
_IRREGULAR |= {"kg": "kilogram", "km": "kilometer", "cm": "centimeter", "mm": "millimeter"}
_IRREGULAR |= {"hr": "hour", "sec": "second", "ml": "milliliter", "euro": "money"}
_IRREGULAR |= {"dollar": "money"}


def same_kind(one: str, other: str) -> bool:
    """Whether two units measure the same: minutes and hours, or feet and metres."""
    return one in SIZES and SIZES[one][0] == SIZES.get(other, ("",))[0]


def _clocks(text: str) -> Iterator[tuple[int, int, int]]:
    """Yields (hour, minute, place) of clock times: 9:15, quarter past 9, 9 o'clock, 3 p.m."""
    for match in _CLOCK.finditer(text):
        if clock := read_clock(match.group().replace("’", "'")):
            yield *divmod(clock.seconds // 60, 60), match.start()


_DAY_NAMES = (name for name in DAYS if len(name) > 1 + name.isascii())
_DAY = "|".join(map(re.escape, sorted(_DAY_NAMES, key=len, reverse=True)))
_FROM_DAY_TO_DAY = re.compile(rf"(?<![^\W\d_\u2e80-\u9fff])({_DAY})s?{_TO.pattern}({_DAY})")


def weekday_ranges(text: str) -> Iterator[int]:
    """Yields how many days lie from one day of the week to another: Monday to Friday are 5."""
    for match in _FROM_DAY_TO_DAY.finditer(text.lower()):
        yield (DAYS[match[2]] - DAYS[match[1]]) % 7 + 1
