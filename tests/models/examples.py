"""Small requests and responses for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.engine.records import Message
from transforms.models.engines import Engine
from transforms.models.episode import Steps
from transforms.models.ledger.parts import ANSWER, ledger_parts, read_columns, to_responses
from transforms.models.requests import Request, Response, Sampler

LATER = [
    *("cached_tokens", "mean_logprob", "sampler", "versions", "error", "error_kind", "model_id"),
    *("question", "max_tokens", "backend", "reasoning", "tool_calls"),
]
"""Columns of a ledger's parts that the parts of older ledgers lack."""


@dataclass(frozen=True)
class Thing:
    """A record with nothing but an id."""

    id: str


def request(prompt: str = "1 + 1 =", **changes: Any) -> Request:
    """A greedy completion of 8 tokens; `changes` are fields of Request or of Sampler."""
    sampler = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "max_tokens": 8}
    fields: dict[str, Any] = {
        "stage": "solve",
        "model": "embedded",
        "messages": (),
        "prompt": prompt,
        "run_seed": 0,
        "sample": 0,
    }
    for name, value in changes.items():
        (sampler if name in Sampler.__dataclass_fields__ else fields)[name] = value
    return Request(sampler=Sampler(**sampler), **fields)


def chat(user: str = "What is 1 + 1?", **changes: Any) -> Request:
    return request(messages=(Message("user", user),), **{"prompt": None, **changes})  # type: ignore[arg-type]


def response(asked: Request, text: str = " 2", **changes: Any) -> Response:
    fields: dict[str, Any] = {
        "id": asked.id,
        "stage": asked.stage,
        "model": asked.model,
        "engine": "test 1",
        "text": text,
        "finish_reason": "stop",
        "error": None,
        "prompt_tokens": 4,
        "generated_tokens": 2,
        "seconds": 0.5,
    }
    return Response(**{**fields, **changes})


@dataclass(frozen=True)
class Prompted:
    """A record and the requests it asks at once."""

    record: Thing
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Answered:
    """A record and its responses, in the order of its requests."""

    record: Thing
    responses: tuple[Response, ...]


def prompted(name: str, *requests: Request) -> Prompted:
    return Prompted(Thing(name), requests)


def asks(work: Prompted) -> Steps[Answered]:
    """The shortest episode: asks, and is done."""
    return Answered(work.record, tuple((yield list(work.requests))))


def held(folder: Path) -> list[Response]:
    """Every row of a ledger, also where a request has several."""
    tables = (read_columns(part, ANSWER) for part in ledger_parts(str(folder)))
    return [answer for table in tables for answer in to_responses(table)]


def answers_of(engine: Engine, *requests: Request) -> list[Response]:
    """Has an engine answer requests, all at once; returns the answers in the same order."""
    for asked in requests:
        engine.submit(asked)
    answers: dict[str, Response] = {}
    while engine.in_flight:
        answers |= {answer.id: answer for answer in engine.finished(wait=True)}
    return [answers[asked.id] for asked in requests]
