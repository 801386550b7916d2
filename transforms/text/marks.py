"""What a model was asked to mark in its text: parts between tags, and numbers after a label."""

from __future__ import annotations

import re


def tagged(text: str, tag: str) -> list[str]:
    """Returns the parts of a text between `<tag>` and `</tag>`, without the blanks around them;
    empty parts are left out.

    >>> tagged("<idea>Sort first.</idea> Or: <idea> </idea>", "idea")
    ['Sort first.']
    """
    parts = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return [part.strip() for part in parts if part.strip()]


def labelled(text: str, label: str, low: float, high: float) -> list[float]:
    """Returns the numbers from `low` to `high` that a text gives after a label and a colon. The
    number of a list's item has no label, and is none of them.

    >>> labelled("1. It is right.\\n**Score:** 3\\nScore: 10 of 10", "score", 1, 5)
    [3.0]
    """
    found = re.findall(rf"\b{label}:\W*?(-?\d+(?:\.\d+)?)\b", text, re.IGNORECASE)
    return [number for number in map(float, found) if low <= number <= high]
