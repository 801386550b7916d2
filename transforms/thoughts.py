"""Splits what a model writes into the thought before its answer and the answer."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

THINK_TAGS = ("<think>", "</think>")

_OPENING = (
    r"<(?:think(?:ing)?|thoughts?|reasoning|scratchpad|reflection)>|\[THINK\]|◁think▷"
    r"|<\|begin_of_thought\|>"
)
_CLOSING = (
    r"</(?:think(?:ing)?|thoughts?|reasoning|scratchpad|reflection)>|\[/THINK\]|◁/think▷"
    r"|<\|end_of_thought\|>"
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
_CHANNELS_BARE = re.compile(r"\A\s*analysis(?=[A-Z\s]).*?assistant\s*final(?=\W|[A-Z])", re.DOTALL)
"""Channels whose special tokens the server left out."""
_TOKENS = re.compile(r"<\|start\|>\w*|<\|(?:channel|message|end|return)\|>")


class Parts(NamedTuple):
    """A thought and the answer after it."""

    thought: str | None
    """Without tags and space around it; None where the text has none."""
    answer: str
    """The text itself where it has no thought; empty where the thought never ends."""


def split_thought(text: str, tags: tuple[str, str] = THINK_TAGS) -> Parts:
    """Splits a text after its last thought.

    Args:
        tags: what a thought stands between, beside the tags that are known (`<think>`,
            `<thinking>`, `<reasoning>`, `[THINK]`, gpt-oss's channels ...). An empty opening tag
            says that texts begin inside a thought, as under chat templates that write the tag.

    The answer stands after the last closing tag, with or without an opening one. Where a thought
    is open at the end, there is no answer. All that stands before the answer is thought.

    >>> split_thought("<think>Maybe 4?</think>\\n\\nIt is 5.")
    Parts(thought='Maybe 4?', answer='It is 5.')
    >>> split_thought("Maybe 4?</think>It is 5.")
    Parts(thought='Maybe 4?', answer='It is 5.')
    >>> split_thought("<think>Maybe 4?")
    Parts(thought='Maybe 4?', answer='')
    >>> split_thought("Maybe 4?", ("", "</think>"))
    Parts(thought='Maybe 4?', answer='')
    >>> split_thought("It is 5.")
    Parts(thought=None, answer='It is 5.')
    """
    opening, closing = _patterns(tags)
    start = 0
    channels = list(_CHANNEL.finditer(text))
    if channels:
        start = channels[-1].end() if channels[-1][1] == "final" else len(text)
    elif bare := _CHANNELS_BARE.match(text):
        start = bare.end()
    closings = list(closing.finditer(text, start))
    start = closings[-1].end() if closings else start
    if opening.search(text, start) or not (start or tags[0]):
        start = len(text)
    if not start:
        return Parts(None, text)
    thought = text[:start]
    for tag in (_CHANNEL, _TOKENS, opening, closing):
        thought = tag.sub("", thought)
    return Parts(thought.strip() or None, text[start:].lstrip())


@cache
def _patterns(tags: tuple[str, str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    opening, closing = (
        re.compile(f"{known}|{re.escape(tag)}" if tag else known, re.IGNORECASE)
        for known, tag in zip((_OPENING, _CLOSING), tags, strict=True)
    )
    return opening, closing
