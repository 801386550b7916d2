"""Steps of a worked solution: whether the equations that it writes are true.

A right answer at the end does not make a step right: 2 × 19 = 37 may be followed by the sum of a
correct calculation. Solutions are free text, so an equation counts as false only where it stands
on its own and can be read in one way; what is in doubt passes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from transforms.verification.equations import Tree, chains, decimals, parts, value_of
from transforms.verification.numerals import Numeral, numerals, rounding

_SPELLINGS = [
    (re.compile(r"\\(?:times|cdot)\b|·|∙|∗|(?<=[\d)])\s*[xX]\s*(?=[$€£(\d])"), " × "),
    (re.compile(r"\\div\b"), " ÷ "),
    (re.compile(r"(?<=\d)[-–](?=[$€£]?\d[\d,.]*\s*=)"), " − "),
    (re.compile(r"\\(?:left|right)\b|\\[,;! ()\[\]]|\\(?=[$%])|\*\*|\$(?![\d.])"), ""),
    (re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\(?:text|mathrm|mbox)\{([^{}]*)\}"), r"\1"),
]
"""How LaTeX, Markdown and keyboards write signs -> the signs that are read here."""
_BEFORE = re.compile(r"(?:^|(?<!\d)[.,]|[;:!?\n=]|(?<![\\\w])[^\W\d_]+)\s*[(\s$€£]*\Z")
"""What may stand before an equation: a word or a mark, not the rest of a longer expression."""
_BELONGS_BEFORE = re.compile(
    r"\b(?:x|(?<!total )of|by|times|plus|minus|and|from|over|half|twice|double|triple|thrice|square"
    r"|cube|root|factorial|sum|product|mod|modulo|gcd|lcm|max|min|log|ln|sqrt)\s*[(\s$€£]*\Z",
    re.IGNORECASE,
)
"""Words that take what follows into a calculation that began earlier: half of 20 + 4 = 14."""
_AFTER = re.compile(r"[\s)]*(?:\Z|[.,;:!?\n]|[^\W\d_]+)")
_BELONGS_AFTER = re.compile(
    r"[\s,(]*(?:with\s+)?(?:a\s+)?(?:times|plus|minus|divided|multiplied|over|remainder|rem|r|mod|modulo"
    r"|hundreds?|thousands?|millions?|billions?|dozens?|percent|pct|cents?|am|pm|a\.m|p\.m"
    r"|o'clock|in\s+(?:base|binary|hex|octal)|or\s+\d|\.\.\.)(?![^\W\d_])",
    re.IGNORECASE,
)
"""Words that make the last number another one: 3 × 400 = 1.2 thousand, 10 + 5 = 3 (mod 12)."""

_DOUBTFUL = re.compile(r"[%≈]|/[^=]*/|\b0\d")
"""What can be read in two ways: shares, estimates, a/b/c, times of day as 0930."""


def false_step(solution: str) -> str | None:
    """Returns the first equation of a solution that is false, as it is read; None for none.

    Numbers are taken as closely as they are shown, and quotients may be rounded either way.
    """
    text = solution
    for pattern, sign in _SPELLINGS:
        text = pattern.sub(sign, text)
    found = numerals(text)
    for chain in chains(text, found):
        start, end = chain.span(found)
        if not _stands_alone(text, start, end) or not _calculates(chain.sides[0]):
            continue
        shown = text[start:end]
        while shown.count(")") > shown.count("(") and "(" in text[:start]:
            start = text.rindex("(", 0, start)
            shown = text[start:end]
        if _DOUBTFUL.search(shown):
            continue
        if not all(_equal(left, right, found) for left, right in pairwise(chain.sides)):
            return " ".join(shown.split())
    return None


def _stands_alone(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 80) : start], text[end : end + 80]
    return bool(
        _BEFORE.search(before)
        and not _BELONGS_BEFORE.search(before)
        and _AFTER.match(after)
        and not _BELONGS_AFTER.match(after)
    )


def _leads(tree: Tree) -> Tree:
    """What a side begins with: a number, or a sign that may belong to words before it."""
    while tree[0] in ("+", "-", "*", "/", "^", "!"):
        tree = tree[1]
    return tree


def _calculates(tree: Tree) -> bool:
    """Whether a side is more than a number, and begins with one."""
    return tree[0] != "number" and _leads(tree)[0] == "number"


def _equal(left: Tree, right: Tree, found: Sequence[Numeral]) -> bool:
    """Whether a side equals the next, or only its first number: 6 + 4 = 10 × 2 = 20 goes on."""
    values = [value_of(side, found) for side in (left, right, _leads(right))]
    if not all(map(math.isfinite, values)):
        return True
    rounded = any(part[0] == "/" for side in (left, right) for part in parts(side))
    shown = decimals(right, found)
    slack = 10.0**-shown if rounded else rounding(shown)
    return any(math.isclose(values[0], value, rel_tol=1e-12, abs_tol=slack) for value in values[1:])
