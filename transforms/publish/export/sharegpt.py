"""Conversations in the form of ShareGPT, as LLaMA-Factory (0.9) reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from transforms.publish.export.chats import LeftOut, Message, inlined

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
_FROM = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def sharegpt(
    messages: Sequence[Message], mask: Sequence[bool]
) -> tuple[list[dict[str, str]], list[bool]]:
    """Returns the turns of a conversation as ShareGPT has them, and their loss mask.

    A turn that calls tools is a `function_call`, JSON of its calls; what the tools said to one turn
    and the user behind them, as of their pictures, is one `observation`: LLaMA-Factory wants turns
    to alternate.

    Raises:
        LeftOut: a turn says something beside calling a tool, for which there is no place.
    """
    turns: list[dict[str, str]] = []
    learned: list[bool] = []
    for message, each in zip(messages, mask, strict=True):
        who, value = _FROM[message["role"]], message["content"]
        if calls := [call["function"] for call in message.get("tool_calls", ())]:
            if value.strip():
                raise LeftOut("ShareGPT has no place for text beside a tool call")
            who, value = "function_call", json.dumps(calls[0] if len(calls) == 1 else calls)
        if thought := message.get("reasoning_content"):
            value = inlined(thought, value)
        if who in ("observation", "human") and turns and turns[-1]["from"] == "observation":
            turns[-1]["value"] += f"\n{value}"
            continue
        turns.append({"from": who, "value": value})
        learned.append(each)
    return turns, learned


def tools_in(tools: str | None) -> str | None:
    """Returns tools in the API's form, as JSON, in that of ShareGPT; None where there are none."""
    return tools and json.dumps([each["function"] for each in json.loads(tools)])
