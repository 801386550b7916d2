"""Splits what a model writes into the thought before its answer and the answer that is shown."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

THINK_TAGS = ("<think>", "</think>")

_OPENING = (
    r"<(?i:think(?:ing)?|thoughts?|reasoning|scratchpad|reflection)>|\[(?i:THINK)\]"
    r"|◁(?i:think)▷|<\|(?i:begin_of_thought)\|>"
)
_CLOSING = (
    r"</(?i:think(?:ing)?|thoughts?|reasoning|scratchpad|reflection)>|\[/(?i:THINK)\]"
    r"|◁/(?i:think)▷|<\|(?i:end_of_thought)\|>"
)
"""Case is ignored in words alone: where it may count in the first character, `re` tries every
alternative at every place, which takes 20 times as long."""
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)\b[^<]*<\|message\|>")
_CHANNELS_BARE = re.compile(r"\A\s*analysis(?=[A-Z\s]).*?assistant\s*final(?=\W|[A-Z])", re.DOTALL)
"""Channels whose special tokens the server left out."""
_TOKENS = re.compile(r"<\|start\|>\w*|<\|(?:channel|message|end|return)\|>")
_TURN = re.compile(
    r"\A\s*(?:<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|<\|start\|>|<\|assistant\|>|<s>"
    r"|<bos>|<\|begin_of_text\|>|\[/INST\])+\s*(?:(?:assistant|model)\b\s*(?:<\|end_header_id\|>)?)?"
)
_END = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end_of_text|end|return|end_of_turn|im_start)\|>|</s>|<eos>"
    r"|<end_of_turn>|<｜end▁of▁sentence｜>|\[INST\]"
)
_SPECIAL = re.compile(r"<\|[a-zA-Z]\w*\|>|<｜[^｜<>]*｜>|</?s>")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LINES = re.compile(r"[\r\u2028\u2029\x0b\x0c\x85]")
_BLANKS = re.compile(r"[\u00a0\u2007\u202f]")
_CONTROL = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff\ud800-\udfff]"
)


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
        re.compile(known if tag in ("", usual) else f"{known}|(?i:{re.escape(tag)})")
        for known, tag, usual in zip((_OPENING, _CLOSING), tags, THINK_TAGS, strict=True)
    )
    return opening, closing


def visible(text: str) -> str:
    """Returns what a response says after its thoughts, without special and control characters.

    The answer stands after the last closing tag. A thought that never ends leaves "".

    >>> visible("<think>Maybe 4?</think>It is 5.<|im_end|>")
    'It is 5.'
    >>> visible("<think>Maybe 4?")
    ''
    """
    text = _CONTROL.sub(
        "", _BLANKS.sub(" ", _LINES.sub("\n", _ANSI.sub("", text).replace("\r\n", "\n")))
    )
    text = split_thought(text).answer
    text = _TURN.sub("", text)
    end = next((end for end in _END.finditer(text) if text[: end.start()].strip()), None)
    return _SPECIAL.sub("", text[: end.start()] if end else text).strip()
