"""What a model was asked to mark in its text: parts between tags, and numbers after a label."""

from __future__ import annotations

import re
from typing import NamedTuple


def tagged(text: str, tag: str) -> list[str]:
    """Returns the parts of a text between `<tag>` and `</tag>`, without the blanks around them;
    empty parts are left out.

    >>> tagged("<idea>Sort first.</idea> Or: <idea> </idea>", "idea")
    ['Sort first.']
    """
    *closed, _ = text.split(f"</{tag}>")
    parts = (part.partition(f"<{tag}>")[2].strip() for part in closed)
    return [part for part in parts if part]


class Block(NamedTuple):
    """A fenced block of a text."""

    info: str
    """What stands behind the opening fence, such as `python`."""
    body: str
    """The lines between the fences."""


_OPENS = re.compile(r"[ \t]*(`{3,}|~{3,})([^\n`]*)")


def fenced(text: str) -> list[Block]:
    """Returns the fenced blocks of a text; a fence that nothing closes opens none.

    Linear in the text: a regular expression would look for the end of each such fence anew.

    >>> fenced("So:\\n```python\\nx = 1\\n```\\n")
    [Block(info='python', body='x = 1\\n')]
    """
    lines = text.split("\n")
    bare = (line.strip(" \t") for line in lines)
    closings = {line: number for number, line in enumerate(bare) if line[:3] in ("```", "~~~")}
    blocks, fence, info, body = list[Block](), "", "", list[str]()
    for number, line in enumerate(lines):
        if fence and line.strip(" \t") == fence:
            blocks.append(Block(info, "".join(body)))
            fence = ""
        elif fence:
            body.append(f"{line}\n")
        elif (opens := _OPENS.fullmatch(line)) and closings.get(opens[1], -1) > number:
            fence, info, body = opens[1], opens[2].strip(), []
    return blocks


def labelled(text: str, label: str, low: float, high: float) -> list[float]:
    """Returns the numbers from `low` to `high` that a text gives after a label and a colon. The
    number of a list's item has no label, and is none of them.

    >>> labelled("1. It is right.\\n**Score:** 3\\nScore: 10 of 10", "score", 1, 5)
    [3.0]
    """
    found = re.findall(rf"\b{label}:\W*?(-?\d+(?:\.\d+)?)\b", text, re.IGNORECASE)
    return [number for number in map(float, found) if low <= number <= high]
