"""Asks an OpenAI-compatible endpoint one question per feature: what it takes, and what to set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from transforms.engine.errors import BackendError, typed_line
from transforms.models.backends.endpoint_replies import (
    Answer,
    Complaint,
    NoAnswer,
    Refused,
    read_answer,
    read_echo,
    read_likeliest,
)
from transforms.models.backends.endpoint_troubles import first_cause
from transforms.models.backends.places import place_of
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.backends.transport import Transport
from transforms.models.scores import LIKELIEST, NoScores
from transforms.text.thoughts import split_thought

T = TypeVar("T")
_SCHEMA = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}
_PROMPT = "1 + 1 ="
_LIMIT = 64
"""Tokens that an answer to a question may take; a model that reasons needs some before the text."""


@dataclass(frozen=True)
class Finding:
    """What one question showed."""

    feature: str
    works: bool
    shown: str
    """What the endpoint did, or said."""
    settings: tuple[str, ...] = ()
    """Overrides of `cotmill synthesize` that follow from it."""


class _Endpoint:
    def __init__(self, backend: OpenAIBackend) -> None:
        self._backend = backend
        self.setting = backend.place
        self._place = place_of(backend)
        self.limit: dict[str, Any] = {}

    def ask(self, *, api: str = "", **arguments: Any) -> Answer | str:
        """Returns the answer to one small question, or what the endpoint says instead."""
        return self.read(read_answer, api=api, **arguments)

    def read(self, reader: Callable[[Any], T], *, api: str = "", **arguments: Any) -> T | str:
        """Returns what `reader` finds in the reply to one small question, or what the endpoint
        says instead.

        Raises:
            BackendError: nobody answers, or nothing that is asked can be answered.
        """
        chat = (api or self._backend.api) == "chat"
        body = {"model": self._backend.model, **self._backend.request, **self.limit}
        if chat:
            body["messages"] = [{"role": "user", "content": "What is 1 + 1?"}]
            if self._backend.chat_template_kwargs:
                body["chat_template_kwargs"] = self._backend.chat_template_kwargs
        else:
            body["prompt"] = _PROMPT
        path = "/chat/completions" if chat else "/completions"
        try:
            return reader(asyncio.run(self._post(path, {**body, **arguments})))
        except (aiohttp.ClientError, OSError) as error:
            raise BackendError(
                f"nothing answers at {self.setting}.base_url={self._backend.base_url} "
                f"({typed_line(first_cause(error))}): start the server, or mend the address"
            ) from error
        except (Complaint, NoAnswer, Refused, NoScores) as error:
            return str(error)

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        seconds = min(60.0, self._backend.timeout_seconds)
        transport = Transport(self._place, timeout=seconds, connections=1)
        try:
            return await transport.post(path, body)
        finally:
            await transport.close()


def check_endpoint(backend: OpenAIBackend) -> Iterator[Finding]:
    """Yields what the endpoint does with each feature that cotmill uses, as it is asked.

    Some fourteen requests of up to 64 tokens. A parameter that is taken may still be ignored: that
    no endpoint says.

    Raises:
        BackendError: the endpoint answers not even a question without parameters.
    """
    endpoint = _Endpoint(backend)
    plain = endpoint.ask()
    if isinstance(plain, str):
        raise BackendError(
            f"{backend.base_url} does not answer a question without any parameter ({plain}): "
            f"check base_url, model and api of {backend.place}, and the key"
        )
    yield Finding("answers", True, repr(plain.text[:40]))
    counts = plain.generated_tokens is not None
    yield Finding("counts tokens", counts, "yes" if counts else "budgets and costs would be 0")
    reasoning = _reasoning(plain, backend)
    yield reasoning
    yield _limit(endpoint)
    values = {"temperature": 0.7, "top_p": 0.95, "seed": 7, "stop": ["\n\n\n"]}
    for name, value in values.items():
        yield _parameter(endpoint, name, value)
    if backend.api == "chat":
        yield _system(endpoint)
        if not reasoning.works:  # a prefix would stand before the thought
            yield _prefix(endpoint)
    for name, sampling, value in (("top_k", "top_k=0", 20), ("min_p", "min_p=0", 0.05)):
        question: dict[str, Any] = {name: value}
        reply = endpoint.ask(**question)
        use = "taken" if isinstance(reply, Answer) else f"keep sampling.STAGE.{sampling}: {reply}"
        yield Finding(name, isinstance(reply, Answer), use)
    yield _schema(endpoint)
    reply = endpoint.ask(logprobs=True if backend.api == "chat" else 0)
    works = isinstance(reply, Answer) and reply.mean_logprob is not None
    shown = "sent" if works else reply if isinstance(reply, str) else "not sent"
    yield Finding("log probabilities", works, shown)
    yield from _scores(endpoint, backend.api == "chat")
    other = "completions" if backend.api == "chat" else "chat"
    reply = endpoint.ask(api=other)
    works = isinstance(reply, Answer)
    yield Finding(
        f"{backend.place}.api={other}", works, reply if isinstance(reply, str) else "answers"
    )


def _reasoning(plain: Answer, backend: OpenAIBackend) -> Finding:
    """Whether the model thinks before it answers, and where the endpoint puts that."""
    settings = (f"{backend.place}.reasoning=keep",)
    if plain.reasoning:
        return Finding("reasoning", True, "beside the text", settings)
    if split_thought(plain.text, backend.think_tags).answer != plain.text:
        return Finding("reasoning", True, "in the text, in tags", settings)
    return Finding("reasoning", False, "none")


def _limit(endpoint: _Endpoint) -> Finding:
    said = ""
    for name in ("max_tokens", "max_completion_tokens"):
        question: dict[str, Any] = {name: _LIMIT}
        reply = endpoint.ask(**question)
        if isinstance(reply, Answer) or not reply.startswith("HTTP"):
            endpoint.limit = {name: _LIMIT}
            settings = (
                ()
                if name == "max_tokens"
                else (f"{endpoint.setting}.parameters.max_tokens={name}",)
            )
            return Finding("max_tokens", not settings, said or "taken", settings)
        said = said or reply
    return Finding("max_tokens", False, said, (f"{endpoint.setting}.parameters.max_tokens=null",))


def _parameter(endpoint: _Endpoint, name: str, value: Any) -> Finding:
    reply = endpoint.ask(**{name: value})
    if isinstance(reply, Answer) or not reply.startswith("HTTP 4"):
        return Finding(name, True, "taken")
    return Finding(name, False, reply, (f"{endpoint.setting}.parameters.{name}=null",))


def _system(endpoint: _Endpoint) -> Finding:
    def asked_as(role: str) -> Answer | str:
        turns = [(role, "Answer in one word."), ("user", "What is 1 + 1?")]
        return endpoint.ask(messages=[{"role": r, "content": text} for r, text in turns])

    reply = asked_as("system")
    if isinstance(reply, Answer) or not reply.startswith("HTTP 4"):
        return Finding("system message", True, "taken")
    # Many a chat template drops a role that it does not know without a word.
    named = "developer" in reply and isinstance(asked_as("developer"), Answer)
    role = "developer" if named else "user"
    return Finding(
        "system message", False, reply, (f"{endpoint.setting}.parameters.system={role}",)
    )


def _prefix(endpoint: _Endpoint) -> Finding:
    """Whether the server continues an answer that it is given the beginning of."""
    messages = [
        {"role": "user", "content": "Count from one to six in words, with commas."},
        {"role": "assistant", "content": "one, two, three,"},
    ]
    reply = endpoint.ask(
        messages=messages, continue_final_message=True, add_generation_prompt=False
    )
    if isinstance(reply, Answer) and reply.text.strip().lower().startswith("four"):
        setting = (f"{endpoint.setting}.continue_prefix=true",)
        return Finding("continues a prefix", True, repr(reply.text[:40]), setting)
    shown = reply if isinstance(reply, str) else f"begins anew: {reply.text[:40]!r}"
    return Finding("continues a prefix", False, shown)


def _scores(endpoint: _Endpoint, chat: bool) -> Iterator[Finding]:
    """Whether the endpoint says how likely labels are as the first token, and a given text is."""
    top: dict[str, Any] = {"logprobs": True, "top_logprobs": LIKELIEST}
    question = top if chat else {"logprobs": 5}
    likeliest = endpoint.read(read_likeliest, **question)
    shown = likeliest if isinstance(likeliest, str) else f"{len(likeliest)} likeliest first tokens"
    yield Finding("scores labels", not isinstance(likeliest, str), shown)
    if not chat:
        echo = endpoint.read(_echoed, logprobs=1, echo=True)
        shown = echo if isinstance(echo, str) else "sends its prompt's log probabilities"
        yield Finding("scores a text", not isinstance(echo, str), shown)


def _echoed(reply: Any) -> list[str]:
    tokens, _ = read_echo(reply)
    if _PROMPT not in "".join(tokens):
        raise NoScores("it does not send the prompt back")
    return tokens


def _schema(endpoint: _Endpoint) -> Finding:
    form = {"name": "answer", "schema": _SCHEMA, "strict": True}
    reply = endpoint.ask(response_format={"type": "json_schema", "json_schema": form})
    if isinstance(reply, str):
        return Finding("JSON schema", False, reply)
    try:
        works = "sum" in json.loads(reply.text)
    except (ValueError, TypeError):
        works = False
    return Finding("JSON schema", works, repr(reply.text[:40]))
