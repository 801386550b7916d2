"""Loss masks: which messages and parts of messages are learned, and the tokens that these are."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from transforms.publish.export.chats import LeftOut, Message, first_lost, is_error


class Part(NamedTuple):
    """A part of a message that is learned."""

    start: int | None = None
    """First character of its content; None for the whole from its beginning, reasoning included."""
    end: int | None = None
    """The character behind its last; None for all up to the end of the message, its calls and the
    mark that ends it included."""
    advantage: float = 0.0
    """What the turn is worth that it belongs to."""


Learned = tuple[Part, ...]
"""What is learned of a message, in order; empty for nothing."""
WHOLE: Learned = (Part(),)


def learned_of(messages: Sequence[Message], errors: bool) -> list[Learned]:
    """Returns what is learned of each message: those of assistants, and of a trajectory's what its
    masks leave.

    Args:
        errors: whether a turn is learned whose tool call came back as an error.
    """
    found: list[Learned] = []
    caller = 0
    for index, message in enumerate(messages):
        by_role = WHOLE if message["role"] == "assistant" else ()
        found.append(_of_turns(message) if "turns" in message else by_role)
        if message["role"] == "assistant":
            caller = index
        elif not errors and is_error(message):
            found[caller] = ()
    return found


def _of_turns(message: Message) -> Learned:
    size, parts = len(message["content"]), []
    for turn in message["turns"]:
        whole = [(turn["start"], turn["end"])] if turn["whole"] else []
        for start, end in turn["learned"] or whole:
            part = (start or None, None if end == size else end)
            parts.append(Part(*part, turn["advantage"] or 0.0))
    return tuple(parts)


def loss_mask(what: Sequence[Learned]) -> list[bool]:
    """Returns for each message whether it is learned.

    Raises:
        LeftOut: a part of a message is learned, and another one is not.

    >>> loss_mask(learned_of([{"role": "user"}, {"role": "assistant"}], errors=True))
    [False, True]
    """
    if not all(_is_all_or_nothing(parts) for parts in what):
        raise LeftOut("a part of a message is not learned (format.shape=tokens carries that)")
    return list(map(bool, what))


def _is_all_or_nothing(parts: Learned) -> bool:
    edges = [edge for part in parts for edge in part[:2]]
    inner = edges[1:-1]
    return not parts or (edges[0] is edges[-1] is None and inner[::2] == inner[1::2])


def without(messages: Sequence[Message], seen: Container[str]) -> list[Message]:
    """Returns messages of which the turns with an id in `seen` are not learned."""

    def turn_of(turn: dict[str, Any]) -> dict[str, Any]:
        return {**turn, "learned": [], "whole": False} if turn["id"] in seen else turn

    return [
        {**message, "turns": [turn_of(turn) for turn in message["turns"]]}
        if "turns" in message
        else message
        for message in messages
    ]


def turns_learned(messages: Sequence[Message]) -> set[str]:
    """Returns the ids of the turns that are learned, in parts or whole."""
    turns = (turn for message in messages for turn in message.get("turns", ()))
    return {turn["id"] for turn in turns if turn["learned"] or turn["whole"]}


def use_training_template(tokenizer: Any) -> None:
    """Gives a tokenizer TRL's training template where TRL has one for its chat template: one that
    renders a turn as it is, however the conversation goes on."""
    from trl.chat_template_utils import get_training_chat_template

    with suppress(ValueError):  # TRL knows no other than the template's own
        tokenizer.chat_template = get_training_chat_template(tokenizer) or tokenizer.chat_template


class Tokens(NamedTuple):
    """A conversation as tokens, the lists of one length."""

    input_ids: list[int]
    labels: list[int]
    """-100 for each token that is not learned."""
    advantages: list[float]
    """What the turn of a token is worth; 0 for those that are not learned."""


def tokens_of(
    messages: Sequence[Message],
    what: Sequence[Learned],
    tools: str | None,
    tokenizer: Any,
    row_id: str | None = None,
) -> Tokens:
    """Returns the tokens of a conversation, of which those are learned that lie within what is.

    A token that reaches beyond a learned part is not learned. A message that is learned to its end
    is learned with the mark that ends it; one that is learned whole, with its reasoning and calls.

    Args:
        messages: as chat templates read them (`for_templates`).

    Raises:
        LeftOut: the chat template does not show a text, a call or a tool as it is stored.
        ValueError: it renders the beginning of a conversation in another way when that goes on;
            TRL's `get_training_chat_template` has one that does not.
    """
    shown = json.loads(tools) if tools else None

    def rendered(end: int, prompts: bool = False) -> str:
        text: str = tokenizer.apply_chat_template(
            messages[:end], tools=shown, tokenize=False, add_generation_prompt=prompts
        )
        return text

    whole = rendered(len(messages))
    names = [tool["function"]["name"] for tool in shown or ()]
    if first_lost(messages, whole, names) is not None:
        raise LeftOut("the chat template does not show a text, call or tool as it is stored")
    parts: list[tuple[int, int, float]] = []
    for index, learned in enumerate(what):
        if not learned:
            continue
        begins, ends = rendered(index, prompts=True), rendered(index + 1)
        if not (ends.startswith(begins) and whole.startswith(ends)):
            raise ValueError(
                f"row {row_id}: the chat template renders message {index} in another way once the "
                "conversation goes on: set a training template "
                "(trl.chat_template_utils.get_training_chat_template)"
            )
        for part in learned:
            start, end = len(begins), len(ends)
            if part[:2] != (None, None):
                place = _place(ends, messages[index]["content"], len(rendered(index)))
                start = start if part.start is None else place(part.start)
                end = end if part.end is None else place(part.end)
            parts.append((start, end, part.advantage))
    return _labelled(whole, _merged(parts), tokenizer)


def _place(rendered: str, content: str, begin: int) -> Callable[[int], int]:
    """Returns where a character of a message's content is in the rendered text, of which the
    message begins at `begin`; of blanks around the content, which some templates strip, the place
    that they would have."""
    text = content if rendered.find(content, begin) >= 0 else content.strip()
    first, lost = rendered.find(text, begin), content.find(text)
    if first < 0:
        raise LeftOut("the chat template does not show a text, call or tool as it is stored")
    return lambda at: first + min(max(at - lost, 0), len(text))


def _merged(parts: Iterable[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """Parts in order, those that touch and are worth the same as one."""
    merged: list[tuple[int, int, float]] = []
    for start, end, advantage in sorted(parts):
        if merged and merged[-1][1] >= start and merged[-1][2] == advantage:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end), advantage)
        elif start < end:
            merged.append((start, end, advantage))
    return merged


def _labelled(text: str, parts: Sequence[tuple[int, int, float]], tokenizer: Any) -> Tokens:
    tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    made, rest = Tokens([], [], []), list(reversed(parts))
    for token, (start, end) in zip(tokens["input_ids"], tokens["offset_mapping"], strict=True):
        while rest and rest[-1][1] <= start:
            rest.pop()
        inside = bool(rest) and rest[-1][0] <= start < end <= rest[-1][1]
        made.input_ids.append(token)
        made.labels.append(token if inside else -100)
        made.advantages.append(rest[-1][2] if inside else 0.0)
    return made


def masked(example: Mapping[str, Any], tokenizer: Any) -> dict[str, list[int]]:
    """Returns `input_ids` and `labels` of an example of `format=sft format.shape=messages`.

    `labels` are -100 for each token that is not learned, which TRL's SFTTrainer takes as they are:
    `rows.map(masked, fn_kwargs={"tokenizer": tokenizer})`.

    Raises:
        ValueError: as `tokens_of`.
    """
    what = [WHOLE if learned else () for learned in example["loss_mask"]]
    tools, row_id = example.get("tools"), example.get("id")
    made = tokens_of(example["messages"], what, tools, tokenizer, row_id)
    return {"input_ids": made.input_ids, "labels": made.labels}
