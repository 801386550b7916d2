"""How the report writes numbers, times, texts and records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_LONGEST = 6000
"""Characters of a text that are shown."""


def number(value: float) -> str:
    """A number as people read it: thousands apart, decimals where they matter."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in percent, to one decimal below ten."""
    value = 100 * share
    decimals = 0 if value >= 10 or value == round(value) else 1
    return f"{value:.{decimals}f}\N{NO-BREAK SPACE}%"


def clock(time: str) -> str:
    """A manifest's time, as people read it."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M} UTC"


def short(text: str) -> str:
    """A text, cut where it is longer than anyone reads."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… {len(text) - _LONGEST:,} more characters"


_TEXTS = {
    "instruction": "instruction",
    "problem": "instruction",
    "messages": "conversation",
    "solution": "solution",
    "code": "program",
    "answer": "answer",
}
"""Columns that a person reads, and what they are called."""


def texts_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The texts of a row that a person reads, as (title, text).

    A conversation is left out where the row tells the same as instruction and solution.
    """
    found = []
    for column, title in _TEXTS.items():
        value = row.get(column)
        if not value or (column == "messages" and row.get("solution")):
            continue
        if column == "messages":
            value = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in value)
        found.append((title, value if isinstance(value, str) else json.dumps(value, default=str)))
    return found
