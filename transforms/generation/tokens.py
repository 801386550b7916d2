"""Between text and tokens: what an answer follows, and the text that a token adds."""

from __future__ import annotations

from typing import Any

from transforms.generation.requests import Request


def prompt_ids(tokenizer: Any, request: Request) -> list[int]:
    """Returns the tokens that the answer to `request` follows, its forced prefix among them."""
    prefix = request.sampler.prefix
    if request.prompt is not None:
        return list(tokenizer.encode(request.prompt + prefix, add_special_tokens=True))
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    # the chat template has written the special tokens
    return list(tokenizer.encode(text + prefix, add_special_tokens=False))


def text_of(tokenizer: Any, before: list[int], token: int) -> str:
    """The text that `token` adds after the tokens `before` it; none if it is a special one."""
    if token in tokenizer.all_special_ids:
        return ""
    tail = before[-8:]
    return str(tokenizer.decode([*tail, token])).removeprefix(tokenizer.decode(tail))
