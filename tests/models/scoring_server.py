"""A completions server with the log probabilities of a function: a scripted value model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.chat_server import serving


@contextmanager
def scoring_server(
    logprob: Callable[[str, str], float],
    labels: tuple[str, ...] = (),
    gives: bool = True,
    answer: Callable[[dict[str, Any]], str] = lambda body: " end",
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A running server; yields its base URL and the bodies of the requests it was sent.

    Its tokens are words with the space before them.

    Args:
        logprob: (text before, token) -> log probability of the token after it.
        labels: the likeliest first tokens after any prompt, chats' last messages included.
        gives: whether answers hold log probabilities.
        answer: a completion's body -> its text.
    """
    asked: list[dict[str, Any]] = []

    def completion(body: dict[str, Any]) -> dict[str, Any]:
        prompt, top = body["prompt"], {}
        if "logprobs" in body and not body.get("echo"):
            top = {"top_logprobs": [{label: logprob(prompt, label) for label in labels}]}
        text = (prompt if body.get("echo") else "") + answer(body)
        tokens = re.findall(r"\s*\S+", text)
        starts = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
        values = [
            logprob(text[:start], token) if start and "logprobs" in body else None
            for start, token in zip(starts, tokens, strict=True)
        ]
        logprobs = {"tokens": tokens, "token_logprobs": values, **top}
        return {"text": text, "logprobs": logprobs if gives else None}

    def chat(body: dict[str, Any]) -> dict[str, Any]:
        before = body["messages"][-1]["content"]
        top = [{"token": label, "logprob": logprob(before, label)} for label in labels]
        logprobs = {"content": [{"token": labels[0], "logprob": -1, "top_logprobs": top}]}
        message = {"role": "assistant", "content": labels[0]}
        return {"message": message, "logprobs": logprobs if gives else None}

    def reply(path: str, body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        said = (chat if "messages" in body else completion)(body)
        choice = {"index": 0, "finish_reason": "stop", **said}
        return {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}

    with serving(reply) as url:
        yield f"{url}/v1", asked
