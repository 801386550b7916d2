"""What models were asked about a record and what they answered, found in the ledger by text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.engine.errors import one_line
from transforms.models.backends.base import valid_text
from transforms.models.ledger.parts import OBSERVATION, SCHEMA, ledger_parts

_LEAST = 16
"""Characters of a text that tells one record from others."""
_SHARED = {"id", "source", "license", "metadata", "error", "run_id", "recipe"}
"""Fields whose texts are no content of the record's own."""
_COLUMNS = (
    *("id", "stage", "model", "text", "reasoning", "tool_calls", "finish_reason"),
    *("error", "generated_tokens", "seconds", "request", "recorded_at"),
)


@dataclass(frozen=True)
class Answer:
    """One response of the ledger, and what was asked for it."""

    id: str
    """The request's id."""
    stage: str
    model: str
    messages: tuple[dict[str, Any], ...]
    """The turns that the model was shown; of a completion, its prompt as one turn."""
    sampler: Mapping[str, Any]
    sample: int
    """Which of several samples of the same prompt this is."""
    text: str
    reasoning: str | None
    tool_calls: tuple[dict[str, Any], ...]
    finish_reason: str
    error: str | None
    """None for an answer."""
    generated_tokens: int
    seconds: float


@dataclass(frozen=True)
class Answers:
    """The responses that concern a record, oldest first."""

    total: int
    first: list[Answer]
    """Those of `total` that were asked for."""
    unreadable: list[str]
    """Ledger parts that cannot be read, each with the reason."""


def own_texts(record: Any) -> dict[str, str]:
    """Returns the texts by which a record is known, by field: those of 16 characters or more, or
    else its longest.

    A text that is part of another (a program's input) is left out. Of conversations, the turns of
    user and assistant count, under the name of the field and the turn's number.

    >>> own_texts({"id": "1", "code": "x = {'a': 12345678}", "kind": "rates", "source": "a b" * 9})
    {'code': "x = {'a': 12345678}"}
    """
    if not isinstance(record, Mapping):
        record = {"record": record}
    texts = dict(_texts(record))
    longest = max(map(len, texts.values()), default=0)
    return {
        name: text
        for name, text in texts.items()
        if len(text) >= min(_LEAST, longest)
        and not any(text in other and text != other for other in texts.values())
    }


def _texts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in record.items():
        if isinstance(value, str) and name not in _SHARED:
            turns = [(name, value)]
        elif isinstance(value, list):
            turns = [
                (f"{name}.{number}", str(turn.get("content") or ""))
                for number, turn in enumerate(value)
                if isinstance(turn, dict) and turn.get("role") in ("user", "assistant")
            ]
        else:
            continue
        for key, text in turns:
            if len(text.split()) > 1:
                yield key, text


def answers_about(ledger: str, texts: Iterable[str], most: int) -> Answers:
    """Returns the responses whose prompt or answer contains one of `texts`.

    The ledger names requests by what is asked, not by the record for which it is asked, so that a
    record is known there by its texts. Parts are scanned one by one, and only what matches is held.
    """
    wanted = [valid_text(text.strip()) for text in texts]
    if not wanted:
        return Answers(0, [], [])
    escaped = [json.dumps(text, ensure_ascii=False)[1:-1] for text in wanted]
    concerns = pl.col("request").str.contains_any(escaped) | pl.col("text").str.contains_any(wanted)
    found, unreadable = [], []
    for part in ledger_parts(ledger):
        try:
            found.append(_scan(part).filter(concerns).collect(engine="streaming"))
        except (pl.exceptions.PolarsError, OSError) as error:
            unreadable.append(f"{part}: {one_line(error)}")
    if not found:
        return Answers(0, [], unreadable)
    rows = pl.concat(found).unique("id", keep="first").sort("recorded_at", "id")
    return Answers(len(rows), list(map(_answer, rows.head(most).to_dicts())), unreadable)


def _scan(part: str) -> pl.LazyFrame:
    schema = pl.Schema(SCHEMA)
    scan = pl.scan_parquet(
        part, glob=False, schema=schema, missing_columns="insert", extra_columns="ignore"
    )
    return scan.select(_COLUMNS).filter(pl.col("finish_reason") != OBSERVATION)


def _answer(row: dict[str, Any]) -> Answer:
    asked = json.loads(row.pop("request"))
    del row["recorded_at"]
    messages = asked["messages"] or [{"role": "prompt", "content": asked["prompt"]}]
    calls = json.loads(row.pop("tool_calls") or "[]")
    return Answer(
        **row,
        messages=tuple(messages),
        sampler=asked["sampler"],
        sample=asked["sample"],
        tool_calls=tuple(calls),
    )


def by_prompt(answers: Iterable[Answer]) -> list[Sequence[Answer]]:
    """Groups the answers to the same turns, in the order of the first of each group."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(json.dumps(answer.messages), []).append(answer)
    return list(groups.values())
