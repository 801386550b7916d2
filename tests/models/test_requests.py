"""Tests of request ids and seeds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.models.examples import chat, request
from transforms.engine.ids import content_id
from transforms.engine.records import Message
from transforms.models.requests import Request, request_from_json, request_json

_CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "model": st.text(),
    "prompt": st.none() | st.text(),
    "messages": st.lists(st.builds(Message, st.text(), st.text()), max_size=3).map(tuple),
    "run_seed": st.integers(0, 2**40),
    "sample": st.integers(0, 1000),
}
_SAMPLER_CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.floats(0, 5),
    "top_p": st.floats(0, 1),
    "top_k": st.integers(0, 100),
    "min_p": st.floats(0, 1),
    "max_tokens": st.integers(1, 10_000),
    "stop": st.lists(st.text(), max_size=3).map(tuple),
    "prefix": st.text(),
    "json_schema": st.none() | st.text(min_size=1),
    "regex": st.none() | st.text(min_size=1),
    "logprobs": st.booleans(),
    "fire_temperature": st.none() | st.floats(0.1, 100),
    "fire_top_k": st.none() | st.integers(1, 20),
    "left_out": st.lists(st.sampled_from(["temperature", "top_p"]), unique=True).map(tuple),
}


def _content(asked: Request) -> tuple[Any, ...]:
    return (asked.model, asked.messages, asked.prompt, asked.sampler, asked.run_seed, asked.sample)


@given(st.data(), st.sampled_from(sorted({**_CHANGES, **_SAMPLER_CHANGES})))
def test_a_change_of_any_content_field_changes_the_id(data: st.DataObject, field: str) -> None:
    before = request()
    value = data.draw({**_CHANGES, **_SAMPLER_CHANGES}[field])
    if field in _CHANGES:
        after = replace(before, **{field: value})
    else:
        after = replace(before, sampler=replace(before.sampler, **{field: value}))
    assert (after.id == before.id) == (_content(after) == _content(before))


@given(st.data(), st.sampled_from(sorted({**_CHANGES, **_SAMPLER_CHANGES})))
def test_the_id_is_that_of_the_content_as_one_json_text(data: st.DataObject, field: str) -> None:
    asked = request(**{field: data.draw({**_CHANGES, **_SAMPLER_CHANGES}[field])})
    turns = [[m.role, m.content] for m in asked.messages]
    draw = (asked.run_seed, asked.sample)
    parts = (asked.model, turns, asked.prompt, asked.sampler.identity(), *draw)
    assert asked.id == content_id("request", *parts)


def test_the_ids_of_the_first_ledgers_still_hold() -> None:
    assert request().id == "9478d4b470438bbe7a21a1dbbfa7ae43"
    assert chat(prefix="x", stop=("a",)).id == "a03fd151ffb7a06fe04edfcaa0cf0371"


def test_what_identifies_the_model_stands_in_place_of_its_name() -> None:
    named = request(model="a", model_id="x")
    assert named.id == request(model="b", model_id="x").id == request(model="x").id
    assert named.id != request(model="a").id


@given(st.integers(1, 10_000))
def test_a_question_is_a_request_without_its_limit(limit: int) -> None:
    assert request(max_tokens=limit).question == request().question != request().id


@given(st.data(), st.sampled_from(sorted({**_CHANGES, **_SAMPLER_CHANGES}.keys() - {"max_tokens"})))
def test_any_other_change_changes_the_question(data: st.DataObject, field: str) -> None:
    value = data.draw({**_CHANGES, **_SAMPLER_CHANGES}[field])
    after = request(**{field: value})
    assert (after.question == request().question) == (_content(after) == _content(request()))


@given(st.data(), st.sampled_from(sorted({**_CHANGES, **_SAMPLER_CHANGES})))
def test_a_request_comes_back_from_json(data: st.DataObject, field: str) -> None:
    asked = request(**{field: data.draw({**_CHANGES, **_SAMPLER_CHANGES}[field])})
    values = json.loads(json.dumps(request_json(asked)))
    read = request_from_json(asked.stage, asked.model, asked.model_id, values)
    assert (read, read.id) == (asked, asked.id)


@given(st.text())
def test_the_stage_is_no_part_of_the_id(stage: str) -> None:
    assert request(stage=stage).id == request().id


@given(st.integers(0, 2**40), st.integers(0, 1000))
def test_the_seed_fits_in_31_bits(run_seed: int, sample: int) -> None:
    assert 0 <= request(run_seed=run_seed, sample=sample).seed < 2**31
