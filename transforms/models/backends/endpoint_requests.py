"""What an OpenAI-compatible endpoint is sent: the arguments of a request, and its body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from transforms.models.requests import Request


def body_of(
    request: Request, parameters: Mapping[str, str | None], **further: Any
) -> dict[str, Any]:
    """The body of a request: its own arguments and `further` ones (None leaves one out), under the
    endpoint's names for them (`OpenAIBackend.parameters`)."""
    body = {"model": request.model, **json.loads(request.body)}
    for name, value in {**arguments_of(request), **further}.items():
        sent = parameters.get(name, name)
        if sent is not None and value is not None:
            body[sent] = value
    return body


def arguments_of(request: Request) -> dict[str, Any]:
    """The sampling parameters of a request, under cotmill's names."""
    sampler = request.sampler
    arguments: dict[str, Any] = {
        "temperature": sampler.temperature,
        "top_p": sampler.top_p,
        "max_tokens": sampler.max_tokens,
        "seed": request.seed,
    }
    if sampler.stop:
        arguments["stop"] = list(sampler.stop)
    if sampler.top_k:
        arguments["top_k"] = sampler.top_k
    if sampler.min_p:
        arguments["min_p"] = sampler.min_p
    if sampler.ignore_eos:
        arguments["ignore_eos"] = True
    if request.tools:
        arguments["tools"] = [json.loads(tool) for tool in request.tools]
    if request.template != "{}":
        arguments["chat_template_kwargs"] = json.loads(request.template)
    if sampler.regex is not None:
        arguments["structured_outputs"] = {"regex": sampler.regex}
    if sampler.logprobs:
        arguments["logprobs"] = True if request.prompt is None else 0
    if sampler.json_schema is not None:
        schema = json.loads(sampler.json_schema)
        arguments["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": schema, "strict": True},
        }
    return arguments
