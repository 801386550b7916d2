"""Tests of the circuit, without an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.errors import BackendError
from transforms.models.backends import circuit as module
from transforms.models.backends.circuit import Circuit, backoff


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.001)


def _run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 300))


async def _nothing() -> None:
    pass


def _circuit(**changes: Any) -> Circuit:
    return Circuit("it", **{"after": 2, "pause_seconds": 60, "revive": _nothing, **changes})


async def _fail(circuit: Circuit, *requests: str, down: bool = False) -> bool:
    return [await circuit.failed(each, "500", first_failed=1, down=down) for each in requests][-1]


def test_it_opens_when_different_requests_fail_in_a_row() -> None:
    async def work() -> None:
        circuit = _circuit()
        assert not await _fail(circuit, "a")
        assert await _fail(circuit, "b")

    _run(work())


def test_one_request_that_fails_again_and_again_does_not_open_it() -> None:
    async def work() -> None:
        assert not await _fail(_circuit(), "a", "a", "a")

    _run(work())


def test_an_answer_in_between_keeps_it_closed() -> None:
    async def work() -> None:
        circuit = _circuit()
        await _fail(circuit, "a")
        await circuit.answered(0)
        assert not await _fail(circuit, "b")

    _run(work())


def test_requests_that_fail_while_others_are_answered_do_not_open_it() -> None:
    async def work() -> None:
        circuit = _circuit()
        await circuit.answered(sent=2)  # sent after the first failure of those that fail
        assert not await _fail(circuit, *"abcdefgh")

    _run(work())


def test_an_answer_to_what_was_sent_before_the_failures_is_no_excuse() -> None:
    async def work() -> None:
        circuit = _circuit()
        await circuit.answered(sent=0.5)
        assert await _fail(circuit, "a", "b")

    _run(work())


def test_a_pause_is_announced_at_once_with_its_length_and_what_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        await _fail(_circuit(pause_seconds=90, waiting=lambda: 7), "a", "b")

    _run(work())
    assert "7 requests wait" in caplog.text and "up to 90 seconds" in caplog.text


def test_one_request_that_finds_nobody_opens_it() -> None:
    async def work() -> None:
        assert await _fail(_circuit(after=9), "a", down=True)

    _run(work())


def test_one_request_at_a_time_tries_an_open_circuit() -> None:
    async def work() -> None:
        circuit = _circuit()
        await _fail(circuit, "a", "b")
        trying = [asyncio.create_task(circuit.enter(name)) for name in "abc"]
        await asyncio.wait(trying, return_when=asyncio.FIRST_COMPLETED)
        done, waiting = await asyncio.wait(trying, timeout=0.05)  # time for another to be let in
        assert (len(done), len(waiting)) == (1, 2)
        await circuit.answered(0)
        await asyncio.gather(*waiting)

    _run(work())


def test_what_fails_beside_the_one_that_tries_does_not_count() -> None:
    async def work() -> None:
        circuit = _circuit(pause_seconds=0)
        await _fail(circuit, "a", "b")
        await circuit.enter("a")
        await _fail(circuit, "b")
        await circuit.answered(0)
        await circuit.enter("b")  # would raise had the pause ended

    _run(work())


def test_it_ends_when_the_pause_was_in_vain() -> None:
    async def work() -> None:
        circuit = _circuit(pause_seconds=0)
        await _fail(circuit, "a", "b")
        await circuit.enter("a")
        await _fail(circuit, "a")
        with pytest.raises(BackendError, match="resume=true"):
            await circuit.enter("c")

    _run(work())


def test_what_cannot_be_revived_ends_it() -> None:
    async def revive() -> None:
        raise BackendError("it does not start")

    async def work() -> None:
        circuit = _circuit(revive=revive)
        await _fail(circuit, "a", "b")
        for name in "ab":
            with pytest.raises(BackendError, match="does not start"):
                await circuit.enter(name)

    _run(work())


@given(st.integers(1, 1000))
def test_a_backoff_grows_to_its_limit_and_keeps_half_of_it(tries: int) -> None:
    full = min(60.0, 0.5 * 2.0 ** (tries - 1))
    assert full / 2 <= backoff(tries) <= full
