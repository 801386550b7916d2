"""Between text and tokens: what an answer follows, and the text that a token adds."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

from transforms.engine.records import Message
from transforms.models.requests import Request, message_json
from transforms.models.scores import Unscorable


def prompt_ids(tokenizer: Any, request: Request) -> list[int]:
    """Returns the tokens that the answer to `request` follows, its forced prefix among them.

    Raises:
        Unscorable: it shows pictures, which a tokenizer has no tokens for.
    """
    if request.shown:
        raise Unscorable("with pictures vLLM has no fire_temperature, and no scores")
    prefix = request.sampler.prefix
    if request.prompt is not None:
        return list(tokenizer.encode(request.prompt + prefix, add_special_tokens=True))
    text = tokenizer.apply_chat_template(
        list(map(_turn, request.messages)),
        tools=[json.loads(tool) for tool in request.tools] or None,
        tokenize=False,
        add_generation_prompt=True,
        **json.loads(request.template),
    )
    # the chat template has written the special tokens
    return list(tokenizer.encode(text + prefix, add_special_tokens=False))


def scored_ids(tokenizer: Any, request: Request) -> tuple[list[int], int]:
    """Returns the tokens of a prompt with the continuation to score, and how many of them come
    before the first that holds a part of the continuation.

    Both are tokenized as one text: a token across the boundary is the continuation's.

    Raises:
        Unscorable: nothing comes before the continuation.
    """
    assert request.score is not None and request.score.continuation is not None
    prefix = request.sampler.prefix + request.score.continuation
    whole = prompt_ids(tokenizer, replace(request, sampler=replace(request.sampler, prefix=prefix)))
    before = prompt_ids(tokenizer, request)
    start = next(
        (
            place
            for place, (one, other) in enumerate(zip(before, whole, strict=False))
            if one != other
        ),
        min(len(before), len(whole)),
    )
    if not start:
        raise Unscorable("the first token of a text has no log probability: give a prompt")
    return whole, start


def _turn(message: Message) -> dict[str, Any]:
    """A turn as chat templates take it: the arguments of a call as an object where they are one."""
    turn = message_json(message)
    for call in turn.get("tool_calls", []):
        with contextlib.suppress(ValueError):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return turn


def text_of(tokenizer: Any, before: list[int], token: int) -> str:
    """The text that `token` adds after the tokens `before` it; none if it is a special one."""
    if token in tokenizer.all_special_ids:
        return ""
    tail = before[-8:]
    return str(tokenizer.decode([*tail, token])).removeprefix(tokenizer.decode(tail))
