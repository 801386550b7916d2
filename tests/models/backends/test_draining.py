"""A process that drains asks for nothing more, and loses no answer that is on its way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.models.examples import request
from tests.models.fault_server import fault_server
from tests.waiting import eventually
from transforms.models.backends import draining, openai_engine
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.engines import close_engines, open_engine, owed


@pytest.fixture(autouse=True)
def _forget_the_signal() -> Iterator[None]:
    yield
    draining.over()
    close_engines()


def _backend(base_url: str) -> OpenAIBackend:
    return OpenAIBackend(
        engine="openai", model="m", base_url=base_url, api="completions", max_in_flight=3
    )


def test_what_is_on_its_way_is_taken_in_and_nothing_more_is_asked() -> None:
    with fault_server() as server:
        engine = open_engine(_backend(server.base_url))
        for number in range(9):
            engine.submit(request(f"fine {number}"))
        eventually(lambda: len(server.asked) >= 3)
        draining.begin()
        answers = list(engine.last())
        assert sorted(answer.text for answer in answers) == sorted(
            f" good: {prompt}" for prompt in server.asked
        )
        assert owed() == 0
        assert engine.unrecorded == 9


def test_an_engine_that_waits_for_nothing_but_retries_stops_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_engine, "backoff", lambda tries: 3600.0)
    with fault_server() as server:
        engine = open_engine(_backend(server.base_url))
        engine.submit(request("500"))
        eventually(lambda: server.asked)
        draining.begin()
        assert engine.finished(wait=True) == list(engine.last()) == []
        assert server.asked.total() == 1
