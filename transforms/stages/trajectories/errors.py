"""Whether what code or a tool gave back shows that it failed."""

from __future__ import annotations

import re

from transforms.sandbox.jobs import Status

_TRACEBACK = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
_ERROR = re.compile(
    r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)(?:: .*)?"
    r"|over [\d.]+ \w+ (?:of|in) .*|ended without a result.*|wrote over \d+ \w+"
    r"|its value is over the size limit"
)
"""The last line of a failed run: an exception, or a limit in the sandbox's words."""
_ENDED = {status.value for status in Status} - {Status.OK.value}
_MARK = re.compile(r"`{3,}\w*|</?\w+>|<\|\w+\|>")
"""Fences and tags around what a cell printed."""


def shows_error(text: str) -> bool:
    """Whether a text holds a traceback, or the last line before its end or before a fence or tag
    is an exception (`ValueError: ...`), a limit, or the status that ended the cell (`timeout`).

    >>> shows_error("```output\\nNameError: name 'a' is not defined\\n```\\n")
    True
    >>> shows_error("an error of 0.5")
    False
    """
    if _TRACEBACK.search(text):
        return True
    parts = (part.strip() for part in _MARK.split(text))
    return any(_is_error(part.rpartition("\n")[2].strip()) for part in parts)


def _is_error(line: str) -> bool:
    return line in _ENDED or _ERROR.fullmatch(line) is not None
