"""FIRE: an answer's first token is drawn at a high temperature, the rest as usual.

From "Flaming-hot Initiation with Regular Execution" (arXiv 2410.21236). vLLM takes no temperature
above 2, and its custom logits processors have one interface in one model runner and another in
the next. So the answer is made in two steps: the engine is asked how likely the first tokens are,
one is drawn here, and the engine continues after it, over a prompt that its prefix cache holds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from transforms.models.requests import Request, Response
from transforms.models.tokens import text_of


@dataclass(frozen=True)
class FirstToken:
    """The first step of an answer: the prompt's tokens, and the token drawn to follow them."""

    prompt: list[int]
    token: int
    text: str
    logprob: float
    cached_tokens: int
    ends: str | None
    """The finish reason, where the answer ends with this token."""


def first_token(
    request: Request,
    tokenizer: Any,
    prompt: list[int],
    logprobs: Mapping[int, float],
    cached_tokens: int,
    max_model_len: int,
) -> FirstToken:
    """Draws the first token of the answer to `request`.

    Args:
        prompt: the tokens that the answer follows.
        logprobs: token id -> log probability, of the likeliest first tokens.
        cached_tokens: those of `prompt` that the engine's prefix cache held.
        max_model_len: the model's context, tokens.
    """
    token = draw(logprobs, request)
    ends = None
    if token in tokenizer.all_special_ids:
        ends = "stop"
    elif min(request.sampler.max_tokens, max_model_len - len(prompt)) < 2:
        ends = "length"
    text = text_of(tokenizer, prompt, token)
    return FirstToken(prompt, token, text, logprobs[token], cached_tokens, ends)


def draw(logprobs: Mapping[int, float], request: Request) -> int:
    """Returns one of the `fire_top_k` likeliest at `fire_temperature`; the seed decides."""
    sampler = request.sampler
    assert sampler.fire_temperature is not None
    ranked = sorted(logprobs, key=lambda token: (-logprobs[token], token))[: sampler.fire_top_k]
    best = logprobs[ranked[0]]
    weights = [math.exp((logprobs[token] - best) / sampler.fire_temperature) for token in ranked]
    (drawn,) = random.Random(request.seed).choices(ranked, weights)
    return drawn


def whole(request: Request, first: FirstToken, last: Response) -> Response:
    """Returns the response of the whole answer: `last`, that of its last step, with the first."""
    prefix, text = request.sampler.prefix, first.text
    finish, generated, logprob = first.ends, 1, first.logprob
    if finish is None:
        finish = last.finish_reason
        generated += last.generated_tokens
        logprob += (last.mean_logprob or 0.0) * last.generated_tokens
        text = _cut_at_stop(text + last.text.removeprefix(prefix), request.sampler.stop)
    return replace(
        last,
        text=prefix + text,
        finish_reason=finish,
        prompt_tokens=len(first.prompt),
        generated_tokens=generated,
        cached_tokens=first.cached_tokens,
        mean_logprob=logprob / generated if request.sampler.logprobs else None,
    )


def _cut_at_stop(text: str, stops: tuple[str, ...]) -> str:
    """Returns `text` up to the first of `stops`: one that the first token began, no engine saw."""
    ends = [at for at in (text.find(stop) for stop in stops) if at >= 0]
    return text[: min(ends, default=len(text))]
