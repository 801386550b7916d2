"""Tests of the OpenAI engine: against vLLM's server, and against a server that misbehaves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import chain, repeat
from threading import Timer
from typing import Any

import pytest

from tests.conftest import VllmServer
from tests.models.examples import answers_of, chat, request
from tests.models.fault_server import FaultServer, fault_server
from tests.stores import free_port
from tests.waiting import eventually
from transforms.engine.errors import BackendError
from transforms.models.backends import circuit, pace
from transforms.models.backends.openai_engine import within
from transforms.models.backends.settings import Backend, OpenAIBackend
from transforms.models.engines import close_engines, open_engine
from transforms.models.requests import ErrorKind, Request, Response


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    with fault_server() as server:
        yield server
    close_engines()


def _backend(base_url: str, **changes: Any) -> OpenAIBackend:
    settings = {"engine": "openai", "model": "embedded", "base_url": base_url, "max_retries": 1}
    settings |= {"api": "completions", "timeout_seconds": 120, "max_in_flight": 4}
    return OpenAIBackend.model_validate({**settings, **changes})


def _ask(backend: Backend, *requests: Request) -> list[Response]:
    return answers_of(open_engine(backend), *requests)


@pytest.mark.parametrize(
    ("fault", "kind", "error"),
    [
        ("500", ErrorKind.SERVER_ERROR, "HTTP 500"),
        ("half", ErrorKind.SERVER_ERROR, "no whole JSON"),
        ("empty", ErrorKind.SERVER_ERROR, "no choices"),
        ("hang", ErrorKind.TIMEOUT, "no answer within 2 seconds"),
        ("400", ErrorKind.INVALID, "HTTP 400"),
        ("long", ErrorKind.TOO_LONG, "HTTP 400"),
        ("filtered", ErrorKind.REFUSED, "filtered"),
    ],
)
def test_a_fault_is_an_error_of_its_request_alone(
    faults: FaultServer, fault: str, kind: ErrorKind, error: str
) -> None:
    backend = _backend(faults.base_url, timeout_seconds=2 if fault == "hang" else 120)
    bad, good = _ask(backend, request(f"{fault} please"), request("fine"))
    assert (bad.finish_reason, bad.text, good.text) == ("error", "", " good: fine")
    assert bad.error is not None and error in bad.error
    assert bad.error_kind is kind


def test_a_refusal_is_an_error_of_its_own_kind(faults: FaultServer) -> None:
    (answer,) = _ask(_backend(faults.base_url, api="chat"), chat("refused"))
    assert answer.error_kind is ErrorKind.REFUSED
    assert answer.error is not None and "I would rather not" in answer.error


def test_half_an_answer_is_asked_for_again(faults: FaultServer) -> None:
    (answer,) = _ask(_backend(faults.base_url), request("unlucky"))
    assert answer.text == " good: unlucky"


def test_a_request_that_fails_is_asked_as_often_as_the_settings_say(faults: FaultServer) -> None:
    _ask(_backend(faults.base_url, max_retries=2), request("500"))
    assert faults.asked["500"] == 3


def test_an_endpoint_that_is_down_costs_no_request(faults: FaultServer) -> None:
    faults.down = True
    back = Timer(1.5, lambda: setattr(faults, "down", False))
    back.start()
    asked = [request(f"ok {i}") for i in range(12)]
    backend = _backend(faults.base_url, pause_after=2)
    assert [each.text for each in _ask(backend, *asked)] == [f" good: ok {i}" for i in range(12)]
    assert faults.asked.total() < 30  # it was not asked over and over while it was down


def test_a_long_outage_costs_no_request_where_many_wait(
    faults: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(circuit, "_FIRST_WAIT", 0.01)
    monkeypatch.setattr(circuit, "_LONGEST_WAIT", 0.02)
    faults.down = True

    def bring_back() -> None:
        while faults.total() < 40:  # more tries than max_retries=1 gives to 6 requests
            time.sleep(0.01)
        faults.down = False

    threading.Thread(target=bring_back, daemon=True).start()
    asked = [request(f"ok {i}") for i in range(6)]
    answers = _ask(_backend(faults.base_url, pause_after=2), *asked)
    assert [each.error for each in answers] == [None] * 6


def test_a_rate_limit_loses_no_request_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ten times as fast as in docs/endpoints.md, so that the first minute is six seconds.
    for name, value in (("_FIRST_GATE", 0.05), ("_LONGEST_GATE", 0.4), ("_LOWEST_RATE", 2.0)):
        monkeypatch.setattr(pace, name, value)
    taken: list[float] = []
    refused: list[float] = []
    level, at = 5.0, time.monotonic()
    lock = threading.Lock()

    def fault(prompt: str) -> str:
        nonlocal level, at
        with lock:
            now = time.monotonic()
            level, at = min(5.0, level + 50 * (now - at)), now
            (taken if level >= 1 else refused).append(now)
            level -= level >= 1
            return "ok" if taken[-1:] == [now] else "429"

    with fault_server(fault=fault) as server:
        backend = _backend(server.base_url, max_in_flight=32, max_retries=0, timeout_seconds=60)
        answers = _ask(backend, *[request(f"ok {i}") for i in range(150)])
        close_engines()
    assert [answer.error for answer in answers] == [None] * 150
    late = taken[0] + 2
    assert sum(now > late for now in refused) < sum(now > late for now in taken)


def test_requests_per_minute_are_kept(faults: FaultServer) -> None:
    backend = _backend(faults.base_url, requests_per_minute=600)
    begun = time.monotonic()
    _ask(backend, *[request(f"ok {i}") for i in range(11)])
    assert time.monotonic() - begun >= 1.0


def test_local_workers_share_the_limits_per_minute() -> None:
    backend = _backend("http://127.0.0.1/v1", requests_per_minute=60, tokens_per_minute=1000)
    shared = backend.shared_by(4)
    assert (shared.requests_per_minute, shared.tokens_per_minute) == (15, 250)
    assert _backend("http://127.0.0.1/v1").shared_by(4).requests_per_minute is None


def test_a_stop_text_that_is_not_sent_still_ends_the_answer(faults: FaultServer) -> None:
    backend = _backend(faults.base_url, parameters={"stop": None})
    (answer,) = _ask(backend, request("ok now, go on", stop=(", go",)))
    assert (answer.text, answer.finish_reason) == (" good: ok now", "stop")
    assert "stop" not in faults.bodies[0]


def test_an_endpoint_that_stays_down_ends_the_engine_with_one_line(faults: FaultServer) -> None:
    faults.down = True
    backend = _backend(faults.base_url, pause_after=2, pause_seconds=0.1)
    with pytest.raises(BackendError, match=f"{faults.base_url} has not .*503.*resume=true") as end:
        _ask(backend, *[request(f"ok {i}") for i in range(4)])
    assert "\n" not in str(end.value)


def test_an_endpoint_that_goes_away_costs_no_request() -> None:
    with fault_server(port=free_port()) as first:
        backend = _backend(first.base_url, pause_after=100, pause_seconds=0.1)
        _ask(backend, request("ok"))
    with pytest.raises(BackendError, match=f"{first.base_url} has not answered"):
        _ask(backend, request("ok alone"))
    close_engines()


@pytest.mark.parametrize(("status", "says"), [("401", "refuses the key"), ("404", "no such path")])
def test_what_every_request_would_be_told_ends_the_engine(
    faults: FaultServer, status: str, says: str
) -> None:
    with pytest.raises(BackendError, match=says):
        _ask(_backend(faults.base_url), request(status))


def test_a_wait_longer_than_a_pause_ends_the_engine(faults: FaultServer) -> None:
    with pytest.raises(BackendError, match="asks to wait 7200 seconds"):
        _ask(_backend(faults.base_url), request("later"))


def test_cached_tokens_are_told(faults: FaultServer) -> None:
    assert _ask(_backend(faults.base_url), request("ok"))[0].cached_tokens == 1


def test_an_answer_may_take_as_long_as_others_that_come_while_it_is_awaited() -> None:
    """Where requests queue, those sent later take far longer than the first few answers did."""

    async def awaited(seconds: float, *limits: float) -> str:
        known = chain(limits, repeat(limits[-1]))
        async with within(lambda: next(known)):
            await asyncio.sleep(seconds)
        return "answered"

    assert asyncio.run(awaited(0.1, 0.01, 600)) == "answered"
    with pytest.raises(TimeoutError):
        asyncio.run(awaited(600, 0.01, 0.02))


def test_a_429_is_asked_again_when_the_server_says(faults: FaultServer) -> None:
    (answer,) = _ask(_backend(faults.base_url), request("once more"))
    first, second = faults.at["once more"]
    assert answer.text == " good: once more"
    assert second - first >= 0.9


def test_as_many_as_max_in_flight_are_open_at_once_and_no_more() -> None:
    def when_three_are_open(prompt: str) -> str:
        eventually(lambda: server.most_open >= 3)
        return "good"

    with fault_server(answer=when_three_are_open) as server:
        _ask(_backend(server.base_url, max_in_flight=3), *[request(f"ok {i}") for i in range(20)])
        close_engines()
    assert server.most_open == 3


def test_what_openai_does_not_know_is_sent_only_when_it_is_set(faults: FaultServer) -> None:
    _ask(_backend(faults.base_url), request("plain"))
    _ask(_backend(faults.base_url), request("sampled", top_k=5, min_p=0.1))
    plain, sampled = faults.bodies
    assert not {"top_k", "min_p", "stop"} & set(plain)
    assert (sampled["top_k"], sampled["min_p"]) == (5, 0.1)


def test_the_seed_of_the_request_is_sent(faults: FaultServer) -> None:
    asked = request("ok")
    _ask(_backend(faults.base_url), asked)
    assert faults.bodies[0]["seed"] == asked.seed


def test_a_chat_server_that_does_not_continue_is_not_sent_the_prefix(faults: FaultServer) -> None:
    (answer,) = _ask(_backend(faults.base_url, api="chat"), chat("ok", prefix="Sure"))
    assert [turn["role"] for turn in faults.bodies[0]["messages"]] == ["user"]
    assert answer.text == " good: ok"


def test_an_endpoint_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(BackendError, match=url) as caught:
        open_engine(_backend(url, max_retries=0))
    assert "\n" not in str(caught.value)


@pytest.mark.model
class TestAgainstVllm:
    """The same client against vLLM's own server."""

    def test_a_completion_begins_with_its_prefix(self, vllm_server: VllmServer) -> None:
        (answer,) = _ask(vllm_server.backend(), request("Count: one,", prefix=" two, three,"))
        assert answer.text.startswith(" two, three, four")

    def test_a_chat_continues_its_prefix(self, vllm_server: VllmServer) -> None:
        backend = vllm_server.backend(api="chat", continue_prefix=True)
        (answer,) = _ask(backend, chat("Count to five.", prefix="one, two, three,"))
        assert answer.text.startswith("one, two, three, four")

    def test_tokens_are_counted(self, vllm_server: VllmServer) -> None:
        (answer,) = _ask(vllm_server.backend(), request("one two three", max_tokens=5))
        assert (answer.prompt_tokens, answer.generated_tokens) == (3, 5)
        assert answer.finish_reason == "length"

    def test_an_answer_ends_before_its_stop_text(self, vllm_server: VllmServer) -> None:
        asked = request("1, 2, 3,", max_tokens=40, stop=(" 6",))
        (answer,) = _ask(vllm_server.backend(), asked)
        assert (answer.text, answer.finish_reason) == (" 4, 5,", "stop")

    def test_a_request_that_is_too_long_fails_alone(self, vllm_server: VllmServer) -> None:
        long, short = _ask(vllm_server.backend(), request("x " * 3000), request("x"))
        assert (long.finish_reason, short.finish_reason) == ("error", "length")
        assert long.error is not None and "HTTP 400" in long.error and "2048" in long.error
