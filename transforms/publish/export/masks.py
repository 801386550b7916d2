"""Loss masks: which messages of a conversation are learned, and the tokens that these are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from transforms.publish.export.chats import Message, is_error


def loss_mask(messages: Sequence[Message], errors: bool) -> list[bool]:
    """Returns for each message whether it is learned: those of assistants are.

    Args:
        errors: whether a turn is learned whose tool call came back as an error.

    >>> loss_mask([{"role": "user"}, {"role": "assistant"}], errors=True)
    [False, True]
    """
    mask = [message["role"] == "assistant" for message in messages]
    if errors:
        return mask
    caller = 0
    for index, message in enumerate(messages):
        if message["role"] == "assistant":
            caller = index
        elif is_error(message):
            mask[caller] = False
    return mask


def masked(example: Mapping[str, Any], tokenizer: Any) -> dict[str, list[int]]:
    """Returns `input_ids` and `labels` of an example of `format=sft format.shape=messages`.

    `labels` are -100 for each token that is not learned, which TRL's SFTTrainer takes as they are:
    `rows.map(masked, fn_kwargs={"tokenizer": tokenizer})`.

    Raises:
        ValueError: the tokenizer's chat template renders the beginning of a conversation in
            another way when it goes on; TRL's `get_training_chat_template` has one that does not.
    """
    messages, tools = example["messages"], example.get("tools")
    tools = json.loads(tools) if tools else None

    def rendered(end: int, prompts: bool = False) -> str:
        return tokenizer.apply_chat_template(
            messages[:end], tools=tools, tokenize=False, add_generation_prompt=prompts
        )

    whole = rendered(len(messages))
    spans = []
    for index, learned in enumerate(example["loss_mask"]):
        if learned:
            begins, ends = rendered(index, prompts=True), rendered(index + 1)
            if not (ends.startswith(begins) and whole.startswith(ends)):
                raise ValueError(
                    f"row {example.get('id')}: the chat template renders message {index} in "
                    "another way once the conversation goes on: set a training template "
                    "(trl.chat_template_utils.get_training_chat_template)"
                )
            spans.append((len(begins), len(ends)))
    tokens = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        token if any(begin <= first < end for begin, end in spans) else -100
        for token, (first, _) in zip(tokens["input_ids"], tokens["offset_mapping"], strict=True)
    ]
    return {"input_ids": tokens["input_ids"], "labels": labels}
