"""Tests of the pure reading of replies: whatever comes, it is read or it is no answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.models.backends.endpoint_replies import (
    Answer,
    Complaint,
    NoAnswer,
    Refused,
    asked_wait,
    blamed,
    complaint,
    fix,
    read_answer,
    read_json,
)

_FIELDS = ("choices", "usage", "error", "message", "content", "finish_reason", "refusal", "detail")
_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_JSON = _PLAIN | st.lists(_PLAIN, max_size=2) | st.dictionaries(st.text(max_size=3), _PLAIN)
_SOME = st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3)
"""Fields that replies have, with anything in them."""


def _replies() -> st.SearchStrategy[Any]:
    """JSON that looks like a reply, or like nothing."""
    choices = st.builds(lambda message, choice: [{"message": message, **choice}], _SOME, _SOME)
    return st.builds(lambda choice, rest: {"choices": choice, **rest}, choices, _SOME) | _JSON


@given(_replies())
def test_any_json_is_an_answer_a_complaint_a_refusal_or_none(reply: Any) -> None:
    try:
        answer = read_answer(reply)
    except (Complaint, NoAnswer, Refused) as error:
        assert str(error)
    else:
        assert isinstance(answer, Answer) and answer.text.encode() is not None


@given(st.binary())
def test_any_bytes_are_json_or_no_answer(content: bytes) -> None:
    try:
        read_json(content)
    except NoAnswer as error:
        assert len(str(error)) < 500


@given(st.integers(100, 599), st.binary() | _replies().map(lambda r: json.dumps(r).encode()))
def test_any_error_is_a_complaint_of_one_line(status: int, content: bytes) -> None:
    said = complaint(status, {}, content)
    assert said.status >= 300 and said.message and "\n" not in said.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 40),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m2s"}, 62),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "1m2s"}, 0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "70"}, 70),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "9"}, 9),
    ],
)
def test_how_long_an_endpoint_asks_to_wait(headers: dict[str, str], seconds: float) -> None:
    assert asked_wait(headers, now=60) == seconds


def test_a_reset_may_be_a_time_in_milliseconds_since_1970() -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1790000005000"}
    assert asked_wait(headers, now=1_790_000_000) == 5


@pytest.mark.parametrize(
    ("message", "parameter"),
    [
        ("Unrecognized request argument supplied: seed", "seed"),
        ("[{'type': 'extra_forbidden', 'loc': ('body', 'top_k'), 'msg': 'Extra inputs'}]", "top_k"),
        ("`temperature` is deprecated for this model.", "temperature"),
        ("temperature must be between 0 and 1", "temperature"),
        ("Unsupported parameter(s): `stop`", "stop"),
        ("`temperature` and `top_p` cannot both be specified", "temperature"),
        ("System role not supported", "system"),
        ("Developer instruction is not enabled for models/gemma", "system"),
        ("the model gemma does not exist", None),
        ("messages: text content blocks must be non-empty", None),
    ],
)
def test_the_parameter_is_found_in_the_words(message: str, parameter: str | None) -> None:
    sent = {"max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "system"}
    assert blamed(Complaint(400, message), sent) == parameter


@pytest.mark.parametrize(
    ("message", "setting"),
    [
        ("must be less than or equal to 8192", "sampling.solve.max_tokens=8192 or less"),
        ("Range of max_tokens should be [1, 4096]", "sampling.solve.max_tokens=4096 or less"),
        ("the valid range of max_tokens is [1, 8192]", "sampling.solve.max_tokens=8192 or less"),
        ("supports at most 512 completion tokens", "sampling.solve.max_tokens=512 or less"),
        ("is too large: 9000. Maximum is 4096.", "sampling.solve.max_tokens=4096 or less"),
        ("is not supported. Use 'max_new' instead", "backend.parameters.max_tokens=max_new"),
        ("is not supported", "backend.parameters.max_tokens=max_completion_tokens"),
    ],
)
def test_the_fix_of_max_tokens_is_a_limit_or_another_name(message: str, setting: str) -> None:
    assert fix(Complaint(400, f"'max_tokens' {message}"), "max_tokens", "solve") == f"set {setting}"


def test_a_refused_name_of_the_endpoint_is_traced_to_ours() -> None:
    said = Complaint(400, "Unknown parameter", param="max_new")
    assert fix(said, "max_new", "solve", "max_tokens").startswith("set backend.parameters.max_tok")
