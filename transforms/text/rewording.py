"""What a problem has to keep where it is told in other words: its numbers, and what it demands."""

from __future__ import annotations

import re
from collections import Counter

from transforms.text.numerals import numerals

_DEMANDS = (
    *(("nearest", "round", "decimal"), ("percent", "percentage", "%"), ("fraction",), ("ratio",)),
    *(("dollar", "$"), ("cent",), ("second",), ("minute",), ("hour",), ("day",), ("week",)),
    *(("month",), ("year",), ("meter", "metre"), ("kilometer", "km"), ("mile",)),
)
"""Words that say how an answer is to be given; those of a group are one demand."""


def number_changes(text: str, other: str) -> str:
    """Returns the numbers that another text lacks or has besides; empty where it has each of them
    as often.

    >>> number_changes("5 of 12 eggs", "Of a dozen eggs, 5"), number_changes("5 eggs", "five eggs")
    ('lacks [12], adds []', '')
    """
    before, after = (Counter(each.value for each in numerals(part)) for part in (text, other))
    return "" if before == after else f"lacks {[*before - after]}, adds {[*after - before]}"


def demands(text: str) -> frozenset[str]:
    """Returns what a problem's question demands of the form of the answer, by a word each.

    >>> sorted(demands("He walks 5 hours. How many percent is that, to the nearest whole?"))
    ['nearest', 'percent']
    """
    asking = [part for part in re.split(r"(?<=[.?!])\s+", text.strip()) if "?" in part]
    last = " ".join(asking) or re.split(r"(?<=[.!])\s+", text.strip())[-1]
    said = {word.rstrip("s") for word in re.findall(r"[a-z]+|[$%]", last.lower())}
    said |= {"round"} & {word.removesuffix("ed") for word in said}
    return frozenset(group[0] for group in _DEMANDS if said & set(group))
