"""Tests of scores: asked of a scripted model, recorded, replayed and counted like answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.models.examples import chat, request, response
from tests.models.scoring_server import scoring_server
from transforms.engine.errors import BackendError
from transforms.models.asking import Asking
from transforms.models.backends.settings import OpenAIBackend, ReplayBackend
from transforms.models.driver import Driver, drive
from transforms.models.engines import close_engines
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.replay import resolve_replay
from transforms.models.requests import ErrorKind, Request, Response, request_from_json, request_json
from transforms.models.scores import (
    Scored,
    Unscorable,
    continued,
    of_labels,
    score,
    score_labels,
    scored,
    scores_text,
)

_LOGPROB = st.floats(-50, 0)


def _length(before: str, token: str) -> float:
    """The scripted model: the longer a token, the less likely."""
    return -float(len(token.strip()))


def _asking(folder: Path, url: str, api: str = "completions", **changes: Any) -> Asking:
    backend = {"engine": "openai", "model": "value", "base_url": url, "api": api}
    return Asking(
        OpenAIBackend.model_validate({**backend, **changes}), str(folder), LedgerSettings()
    )


def _one(asked: Request) -> Steps[Response]:
    return (yield asked)


@given(st.lists(st.tuples(st.text(), _LOGPROB | st.just(-math.inf)), min_size=1))
def test_scores_are_read_from_the_text_of_their_response(pairs: list[tuple[str, float]]) -> None:
    read = scored(response(request(), scores_text(pairs)))
    assert list(zip(read.texts, read.logprobs, strict=True)) == pairs


@given(st.lists(_LOGPROB, min_size=2, max_size=2))
def test_the_probabilities_of_labels_are_their_softmax(logprobs: list[float]) -> None:
    both = Scored(("+", "-"), tuple(logprobs))
    assert both.probability("+") + both.probability("-") == pytest.approx(1)
    assert (both.probability("+") > both.probability("-")) == (both.probability("+") > 0.5)
    assert both.probability("+") == pytest.approx(1 / (1 + math.exp(logprobs[1] - logprobs[0])))


@given(
    st.lists(st.text(min_size=1), min_size=2), st.data(), st.lists(st.text(min_size=1), max_size=2)
)
def test_a_continuation_has_every_token_that_holds_a_part_of_it(
    tokens: list[str], data: st.DataObject, after: list[str]
) -> None:
    text = "".join(tokens)
    before = data.draw(st.integers(len(tokens[0]), len(text) - 1))
    values = [None, *(-float(place) for place in range(1, len(tokens + after)))]
    pairs = continued(tokens + after, values, before, len(text) - before)
    covered = "".join(token for token, _ in pairs)
    assert covered.endswith(text[before:]) and len(covered) < len(text[before:]) + len(pairs[0][0])


def test_labels_that_no_likely_token_reads_as_are_no_scores() -> None:
    with pytest.raises(Unscorable, match=r"none of the labels \+, - is among the 1 likeliest"):
        of_labels(["+", "-"], [("The", -0.1)])


@pytest.mark.parametrize("labels", [["+"], ["+", "+"], ["+", " -"], ["+", ""]])
def test_labels_that_cannot_be_told_apart_are_refused(labels: list[str]) -> None:
    with pytest.raises(ValueError, match="labels="):
        score_labels(request(), labels)


def test_how_an_answer_would_be_sampled_does_not_change_a_scores_id() -> None:
    one = score(request(temperature=0.7, sample=3, run_seed=5), " 2")
    assert one.id == score(request(), " 2").id
    assert len({one.id, score(request(), " 3").id, score(request(prefix=" so"), " 2").id}) == 3


def test_a_scores_request_is_read_back_from_its_json() -> None:
    for asked in (score(request(), " 2"), score_labels(chat(), ["+", "-"])):
        again = request_from_json(asked.stage, asked.model, asked.model_id, request_json(asked))
        assert again.id == asked.id


def test_a_score_is_paid_for_once_and_replayed(tmp_path: Path) -> None:
    asked = score(request("one two", prefix=" three"), " four fifth")
    with scoring_server(_length) as (url, bodies):
        asking = _asking(tmp_path, url)
        first, second = drive([asked, asked], _one, asking)
        [third] = drive([asked], _one, asking)
        close_engines()
    [body] = bodies
    assert body["prompt"] == "one two three four fifth" and body["max_tokens"] == 1
    replay = resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))
    [again] = drive([asked], _one, Asking(replay, str(tmp_path), LedgerSettings()))
    assert {scored(each) for each in (first, second, third, again)} == {
        Scored((" four", " fifth"), (-4.0, -5.0))
    }
    assert (scored(first).sum, scored(first).mean) == (-9.0, -4.5)


def test_scores_are_counted_as_requests_with_the_tokens_they_take(tmp_path: Path) -> None:
    with scoring_server(_length) as (url, _):
        driver = Driver("judge", _asking(tmp_path, url), None)
        driver.start()
        driver.begin(0, _one(score(request(), " 2")))
        while driver.open:
            driver.step(wait=True)
        driver.close()
        close_engines()
    counts = {tally.what: tally.amount for tally in driver.tallies()}
    assert counts == {"requests": 1, "tokens.prompt": 9, "tokens.generated": 1}


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_labels_are_read_from_the_likeliest_first_tokens(tmp_path: Path, api: str) -> None:
    asked = score_labels(chat() if api == "chat" else request(), ["good", "bad", "odd"])
    with scoring_server(_length, labels=(" good", "good", "bad")) as (url, _):
        [answer] = drive([asked], _one, _asking(tmp_path, url, api))
        close_engines()
    read = scored(answer)
    assert read.texts == ("good", "bad", "odd")
    assert read.logprobs == pytest.approx((-4 + math.log(2), -3, -math.inf))


def test_a_prompt_that_leads_to_no_label_fails_alone_and_its_tokens_count(tmp_path: Path) -> None:
    asked = [score_labels(request(), ["x", "y"]), score_labels(request(), ["good", "y"])]
    with scoring_server(_length, labels=("good",)) as (url, _):
        bad, good = drive(asked, _one, _asking(tmp_path, url))
        close_engines()
    assert (bad.error_kind, bad.prompt_tokens) == (ErrorKind.INVALID, 9)
    assert scored(good).logprobs == (-4, -math.inf)
    with pytest.raises(ValueError, match="nothing was scored: none of the labels x, y"):
        scored(bad)


def test_a_chat_endpoint_refuses_a_continuation_before_anything_is_asked(tmp_path: Path) -> None:
    with scoring_server(_length) as (url, bodies):
        with pytest.raises(BackendError, match="cannot score what stage solve asks.*name a model"):
            drive([score(chat(), " 2")], _one, _asking(tmp_path, url, "chat"))
        close_engines()
    assert bodies == []


def test_an_endpoint_without_log_probabilities_is_asked_once(tmp_path: Path) -> None:
    asked = [score(request(), f" {number}") for number in range(30)]
    with scoring_server(_length, gives=False) as (url, bodies):
        with pytest.raises(BackendError, match="holds no token_logprobs.*name a model"):
            drive(asked, _one, _asking(tmp_path, url))
        close_engines()
    assert len(bodies) == 1
