"""What an episode asks again, and what it serves from the ledger: failures, limits, odd texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.models.examples import Answered, asks, prompted, request, response
from tests.models.fault_server import FaultServer, fault_server
from tests.models.ledger.test_ledger import write
from transforms.models.asking import Asking
from transforms.models.backends.settings import Backend, OpenAIBackend, ReplayBackend
from transforms.models.driver import Drive
from transforms.models.engines import close_engines
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.replay import resolve_replay
from transforms.models.requests import Request


def _outcomes(answered: Answered) -> list[str]:
    return [each.error_kind or each.text for each in answered.responses]


def _run(folder: Path, backend: Backend, *asked: Request, expected: list[str]) -> None:
    with TestPipeline(**on_workers(1)) as pipeline:
        work = pipeline | beam.Create([prompted("a", *asked)])
        generated = work | Drive("solve", asks, Asking(backend, str(folder), LedgerSettings()))
        assert_that(generated.results | beam.Map(_outcomes), equal_to([expected]))


def _backend(server: FaultServer, **changes: Any) -> OpenAIBackend:
    settings = {"engine": "openai", "model": "embedded", "base_url": server.base_url}
    settings |= {"api": "completions", "timeout_seconds": 120, "max_retries": 0}
    return OpenAIBackend.model_validate({**settings, **changes})


def test_only_what_stayed_unanswered_is_asked_again_and_a_replay_repeats_all(
    tmp_path: Path,
) -> None:
    asked = [request("ok"), request("long"), request("filtered"), request("500 x")]
    expected = [" good: ok", "too_long", "refused", "server_error"]
    with fault_server() as server:
        for more in ({}, {"timeout_seconds": 121}):
            _run(tmp_path, _backend(server, **more), *asked, expected=expected)
        assert dict(server.asked) == {"ok": 1, "long": 1, "filtered": 1, "500 x": 2}
        replay = resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))
        _run(tmp_path, replay, *asked, expected=expected)
        _run(tmp_path, _backend(server, api_key_env="OTHER"), *asked, expected=expected)
        assert dict(server.asked) == {"ok": 1, "long": 2, "filtered": 2, "500 x": 3}
        close_engines()


def test_an_answer_that_is_no_unicode_is_repaired_and_paid_for_once(tmp_path: Path) -> None:
    with fault_server(answer=lambda prompt: " \ud83d!") as server:
        for _ in range(2):
            _run(tmp_path, _backend(server), request("ok"), expected=[" \ufffd!"])
        assert dict(server.asked) == {"ok": 1}
        close_engines()


def test_a_larger_limit_asks_for_truncated_answers_alone(tmp_path: Path) -> None:
    short, cut = request("short"), request("cut")
    write(tmp_path, (short, response(short)), (cut, response(cut, finish_reason="length")))
    with fault_server() as server:
        larger = [request(prompt, max_tokens=16) for prompt in ("short", "cut")]
        _run(tmp_path, _backend(server), *larger, expected=[" 2", " good: cut"])
        assert dict(server.asked) == {"cut": 1}
        close_engines()
