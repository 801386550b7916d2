"""Tests of drawing an answer's first token."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.models.examples import request, response
from transforms.models.backends.fire import FirstToken, draw, whole

_LIKELY = {7: -0.01, 3: -5.0, 9: -6.0, 1: -20.0}


def _drawn(temperature: float, top_k: int = 3) -> Counter[int]:
    asked = [request(fire_temperature=temperature, fire_top_k=top_k, sample=i) for i in range(300)]
    return Counter(draw(_LIKELY, each) for each in asked)


def test_a_hot_start_is_nearly_even_among_the_likeliest() -> None:
    drawn = _drawn(30.0)
    assert set(drawn) == {7, 3, 9}
    assert min(drawn.values()) > 60


def test_a_cold_start_is_the_likeliest() -> None:
    assert set(_drawn(0.01)) == {7}


@given(st.dictionaries(st.integers(0, 10**6), st.floats(-1e4, 0), min_size=1, max_size=20))
def test_what_is_drawn_depends_on_the_request_alone(likely: dict[int, float]) -> None:
    asked = request(fire_temperature=30.0, fire_top_k=16)
    backwards = dict(reversed(likely.items()))
    assert draw(likely, asked) == draw(backwards, asked) in likely


def test_the_whole_answer_is_its_first_token_and_the_rest() -> None:
    asked = request(logprobs=True, prefix="So", fire_temperature=30.0, fire_top_k=2)
    rest = response(asked, "So far", generated_tokens=3, prompt_tokens=9, mean_logprob=-1.0)
    first = FirstToken([1, 2], 7, " very", -5.0, 2, None)
    answer = whole(asked, first, rest)
    assert (answer.text, answer.generated_tokens) == ("So very far", 4)
    assert (answer.prompt_tokens, answer.cached_tokens, answer.mean_logprob) == (2, 2, -2.0)


def test_a_stop_text_that_the_first_token_began_ends_the_answer() -> None:
    asked = request(stop=("\n\n",), fire_temperature=30.0, fire_top_k=2)
    answer = whole(asked, FirstToken([1], 7, "a\n", -1.0, 0, None), response(asked, "\nmore"))
    assert answer.text == "a"


def test_an_answer_that_ends_with_its_first_token_is_that_token() -> None:
    asked = request(fire_temperature=30.0, fire_top_k=2)
    answer = whole(asked, FirstToken([1], 0, "", -1.0, 0, "stop"), response(asked, "unasked"))
    assert (answer.text, answer.finish_reason, answer.generated_tokens) == ("", "stop", 1)
