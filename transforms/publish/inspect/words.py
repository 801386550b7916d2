"""A record in a few words, for lists."""

from __future__ import annotations

from typing import Any

from transforms.publish.catalog import State
from transforms.publish.fields import is_talk, turns_of

_TOLD = ("instruction", "problem", "question", "prompt", "text", "record", "code")
"""Fields that tell a record to a person; of several, the first is shown."""
_LONGEST = 300


def gist(record: Any) -> str:
    """Returns one line that tells a record from others: its instruction or problem, the first turn
    of its conversation, or the first of its texts.

    >>> gist({"id": "1", "problem": "How many\\neggs are  left?", "code": "x = 1"})
    'How many eggs are left?'
    """
    fields = record if isinstance(record, dict) else {"record": record}
    told = [fields[name] for name in _TOLD if name in fields]
    turns = [turn for turns in fields.values() if is_talk(turns) for turn in turns_of(turns)]
    asked = [turn.content for turn in turns if turn.role == "user"]
    others = [value for name, value in fields.items() if name != "id"]
    text = next((t for t in (*told, *asked, *others) if isinstance(t, str) and t.strip()), "")
    return " ".join(text[: 4 * _LONGEST].split())[:_LONGEST]


def outcome(state: State) -> str:
    """How a record ended, where and why, in words.

    >>> from transforms.publish.catalog import End
    >>> outcome(State(End.REJECTED, "form", "too_short", "", "1", None, None, (), {}))
    'rejected at form: too_short'
    """
    reason = f": {state.reason}" if state.reason and state.end != "unanswered" else ""
    return f"{state.end} at {state.stage}{reason}"
