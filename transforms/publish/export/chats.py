"""Conversations of rows in the form that chat templates and trainers read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, NamedTuple

from transforms.engine import records
from transforms.stages.trajectories.errors import shows_error
from transforms.stages.trajectories.records import Span, Turn, learned
from transforms.text.thoughts import THINK_TAGS

Message = dict[str, Any]
"""A message as records have it (`records.Message`), without the fields that are None."""

Reasoning = Literal["reasoning_content", "thinking", "inline", "drop"]
"""Where a message's reasoning goes. Chat templates read `reasoning_content` (Qwen, GLM, Nemotron,
Gemma) or `thinking` (gpt-oss, LFM2.5); `inline` puts it before the content, within think tags."""


class LeftOut(ValueError):
    """What a row holds does not fit a form; the text is the reason that is counted."""


class Conversation(NamedTuple):
    """What is asked, and what is learned."""

    prompt: list[Message]
    """Up to the first message of an assistant."""
    completion: list[Message]
    """The rest; it begins with an assistant."""


def conversation(row: Mapping[str, Any]) -> Conversation | None:
    """Returns the conversation of a row; None where it asks nothing.

    It is read from `messages`; from `prompt` and `chosen`; or from `instruction` or `problem` with
    `solution` and `reasoning`: the first of these that the row has. Without an answer the
    completion is empty. The completion of a trajectory begins with the first turn that was sampled.

    >>> conversation({"problem": "1 + 1?", "solution": "2"}).completion
    [{'role': 'assistant', 'content': '2'}]
    """
    if row.get("messages"):
        messages = joined(row["messages"])
    elif row.get("chosen"):
        prompt, chosen = ([_filled(each) for each in row[name]] for name in ("prompt", "chosen"))
        return Conversation(prompt, chosen) if prompt else None
    else:
        question, answer = row.get("instruction") or row.get("problem"), row.get("solution")
        if not question:
            return None
        messages = [{"role": "user", "content": question}]
        if answer:
            thought = row.get("reasoning")
            messages.append(_filled({"role": "assistant", "content": answer, "reasoning": thought}))
    sampled = [index for index, message in enumerate(messages) if message.get("turns")]
    said = sampled or [n for n, message in enumerate(messages) if message["role"] == "assistant"]
    first = min(said, default=len(messages))
    return Conversation(messages[:first], messages[first:]) if first else None


def joined(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Returns messages without the fields that are None; turns of a trajectory
    (`trajectories.records.Turn`) as the messages that the model was shown.

    A message of the assistant's says in `turns` what of its content was sampled: for each such turn
    its id, its `start` and `end` in the content, the `learned` parts of these, and its advantage.
    """
    shown: list[Message] = []
    for message in messages:
        if "sampled" not in message:
            shown.append(_filled(message))
            continue
        spans = tuple(Span(**span) for span in message["spans"])
        turn = Turn(**{name: message[name] for name in _OF_TURN}, spans=spans)
        if turn.continues and shown:
            start = len(shown[-1]["content"])
            shown[-1]["content"] += turn.content
            moved = [{**each, "at": each["at"] + start} for each in message.get("pictures") or ()]
            if moved:
                shown[-1]["pictures"] = [*shown[-1].get("pictures", ()), *moved]
        else:
            start = 0
            shown.append(_filled({name: message.get(name) for name in (*_FIELDS, "pictures")}))
        if turn.sampled or turn.role == "assistant":
            parts = shown[-1].setdefault("turns", [])
        if turn.sampled:
            part = {
                "id": turn.id,
                "start": start,
                "end": start + len(turn.content),
                "learned": [(start + one, start + other) for one, other in learned(turn)],
                "whole": turn.unlearned is None and not turn.spans,
                "advantage": turn.advantage,
            }
            parts.append(part)
    return shown


_OF_TURN = ("role", "content", "id", "continues", "sampled", "unlearned", "advantage")
_FIELDS = tuple(field.name for field in fields(records.Message))


def _filled(message: Mapping[str, Any]) -> Message:
    filled = {name: value for name, value in message.items() if value is not None}
    if not filled.get("pictures", True):
        del filled["pictures"]
    return filled


def for_templates(
    messages: Sequence[Message], reasoning: Reasoning, pictures: bool = False
) -> list[Message]:
    """Returns messages as chat templates read them.

    Tool calls have the form of the chat API, their arguments an object. Fields that a message does
    not use are left out, not None: templates ask whether a key is there.

    Args:
        pictures: whether the form has a place for pictures; they are left in their field, for
            `pictures.placed`.

    Raises:
        LeftOut: the arguments of a call are not a JSON object, or pictures have no place.
    """
    if not pictures and any("pictures" in message for message in messages):
        raise LeftOut("it shows pictures, which this form has no place for")
    return [_for_templates(message, reasoning) for message in messages]


def _for_templates(message: Message, reasoning: Reasoning) -> Message:
    shown = {"role": message["role"], "content": message.get("content") or ""}
    if message.get("pictures"):
        shown["pictures"] = message["pictures"]
    thought = message.get("reasoning")
    if thought and reasoning == "inline":
        before = inlined(thought, "")
        shown["content"] = before + shown["content"]
        if "pictures" in shown:
            moved = [{**each, "at": each["at"] + len(before)} for each in shown["pictures"]]
            shown["pictures"] = moved
    elif thought and reasoning != "drop":
        shown[reasoning] = thought
    if message.get("tool_calls"):
        shown["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": arguments(call["arguments"])},
            }
            for call in message["tool_calls"]
        ]
    return shown | {name: message[name] for name in ("tool_call_id", "name") if name in message}


def inlined(thought: str, content: str) -> str:
    """Reasoning within think tags, and the content below it."""
    opening, closing = THINK_TAGS
    return f"{opening}\n{thought.strip()}\n{closing}\n\n{content}"


def arguments(text: str) -> dict[str, Any]:
    """The arguments of a tool call.

    Raises:
        LeftOut: the model wrote no JSON object, or one that JSON columns cannot hold: with half a
            surrogate pair, NaN, an infinity, or an integer over 64 bits.
    """
    try:
        value = json.loads(text, parse_int=_int64)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise LeftOut("a tool call's arguments are not a JSON object that a column can hold")
    return value


def _int64(digits: str) -> int:
    value = int(digits)
    if value.bit_length() > 63:
        raise ValueError(f"{digits[:30]} is over 64 bits")
    return value


def length(messages: Sequence[Message]) -> int:
    """Characters that the assistant wrote in a conversation: content, reasoning and calls."""
    return sum(
        len(message.get("content") or "")
        + len(message.get("reasoning") or "")
        + sum(len(call["arguments"]) for call in message.get("tool_calls") or ())
        for message in messages
        if message["role"] == "assistant"
    )


def is_error(message: Message) -> bool:
    """Whether a tool's message shows an error."""
    return message["role"] == "tool" and shows_error(message.get("content") or "")


def first_lost(chat: Sequence[Message], rendered: str, tools: Iterable[str] = ()) -> str | None:
    """Returns what of a chat a rendered text does not show, in its order; None where it shows all.

    Looked for are the names of tools, the contents of messages without blanks around them, and of
    calls the names and the texts in their arguments. Reasoning is not: templates drop that of
    earlier turns.

    >>> first_lost([{"role": "user", "content": " 1 + 1? "}], "<user>1 + 1?</user>")
    >>> first_lost([{"role": "tool", "content": "2"}], "<tool></tool>")
    'message 0 (tool)'
    """
    if hidden := [name for name in tools if name not in rendered]:
        return f"the tool {hidden[0]}"
    place = 0
    for index, message in enumerate(chat):
        rest = rendered[place:]
        for call in message.get("tool_calls", ()):
            function = call["function"]
            for text in (function["name"], *_texts(function["arguments"])):
                if text not in rest and json.dumps(text, ensure_ascii=False)[1:-1] not in rest:
                    return f"the call of {function['name']} in message {index}"
        start = rendered.find(message["content"].strip(), place)
        if start < 0:
            return f"message {index} ({message['role']})"
        place = start + len(message["content"].strip())
    return None


def _texts(value: Any) -> Iterator[str]:
    """The texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)
