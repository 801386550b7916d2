"""Brackets, quotes and separators in an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transforms.text.answers.lexicon import CONJUNCTIONS

BRACKETS = {"(": ")", "[": "]", "{": "}"}
COMMAS = re.compile(r"[,;]\s*(?:and\s+)?")
RATIO = re.compile(r"(?:[1-9][0-9]*|0)(?:(?: ?: ?| to )(?:[1-9][0-9]*|0))+")
_AND = rf"(?:{CONJUNCTIONS['standard']}|\s+&\s+)"
_LISTINGS = (
    re.compile(r"[,;]\s+(?:and\s+)?"),  # first, so that 1,234 stays one number
    re.compile(rf"[,;]\s+(?:and\s+)?|{_AND}"),
    COMMAS,
    re.compile(rf"[,;]\s*(?:and\s+)?|{_AND}"),
)
_NAMED = re.compile(r"([A-Za-z]) ?= ?")
_OR = re.compile(CONJUNCTIONS["or"])
_ALTERNATIVES = re.compile(rf"[,;]\s*(?:or\s+)?|{_OR.pattern}")


def scan(text: str) -> Iterator[tuple[int, str, int]]:
    """Position, character and depth in brackets of what stands outside quotes."""
    depth, quote, fresh = 0, "", True
    for position, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif fresh and char in "'\"":  # elsewhere it is an apostrophe or a prime
            quote = char
        else:
            depth -= char in ")]}"
            yield position, char, depth
            depth += char in "([{"
        fresh = char in ",;:=([{" or (fresh and char.isspace())


def bracketed(text: str) -> tuple[str, str, str] | None:
    """Opening, content and closing of the one pair of brackets around a text, of any two kinds."""
    if text[:1] not in BRACKETS:
        return None
    closings = (at for at, char, depth in scan(text) if at and not depth and char in ")]}")
    if next(closings, None) != len(text) - 1:
        return None
    return text[0], text[1:-1].strip(), text[-1]


def peel(text: str, kinds: str) -> str:
    """Takes off the brackets around the whole text where they are of these kinds and match."""
    if text[:1] not in tuple(kinds):
        return text
    parts = bracketed(text)
    return parts[1] if parts and parts[2] == BRACKETS[parts[0]] else text


def split(text: str, separator: re.Pattern[str] = COMMAS) -> list[str]:
    """Splits where the separator stands outside brackets and quotes."""
    outside = {position for position, _, depth in scan(text) if not depth}
    parts, start = [], 0
    for match in separator.finditer(text):
        if match.start() in outside:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def partings(text: str) -> Iterator[list[str]]:
    """The ways to read a text as a list, the likeliest first."""
    for separator in _LISTINGS:
        yield split(text, separator)


def alternatives(text: str) -> list[str]:
    """The parts of a text that says "or", or gives one name several values; none of any other.

    >>> alternatives("2 or 3"), alternatives("x = 2 and x = 3"), alternatives("x = 2 and y = 3")
    (['2', '3'], ['x = 2', 'x = 3'], [])
    """
    if _OR.search(text):
        return split(text, _ALTERNATIVES)
    for parts in partings(text) if _NAMED.match(text) else ():
        names = {name[1] if (name := _NAMED.match(part)) else "" for part in parts}
        if len(parts) > 1 and len(names) == 1 and names != {""}:
            return parts
    return []
