"""A replay finds out of its ledger which model to ask for, and says what it cannot decide."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.examples import chat, request, response
from tests.models.ledger.test_ledger import write as _write
from transforms.engine.errors import BackendError
from transforms.models.backends.settings import OpenAIBackend, ReplayBackend
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.replay import replayed, resolve_replay


def test_a_replay_takes_the_ledgers_only_model(tmp_path: Path) -> None:
    _write(tmp_path, (chat(), response(chat())), api="chat")
    backend = resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))
    assert (backend.model, backend.api, backend.continue_prefix) == ("embedded", "chat", True)


def test_a_replay_of_several_models_asks_which(tmp_path: Path) -> None:
    for asked in (request(model="a"), request(model="b")):
        _write(tmp_path, (asked, response(asked)))
    with pytest.raises(BackendError, match=r"several models \(a, b\): set backend.model"):
        resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))


def test_a_replay_of_the_model_that_is_asked_for(tmp_path: Path) -> None:
    for asked in (request(model="a"), request(model="b")):
        _write(tmp_path, (asked, response(asked)))
    backend = resolve_replay(ReplayBackend(engine="replay", model="b"), str(tmp_path))
    assert (backend.model, backend.api) == ("b", "completions")


def test_a_replay_of_an_empty_ledger_says_so(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="nothing to replay"):
        resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))


def test_a_replay_takes_the_content_of_the_model_from_the_ledger(tmp_path: Path) -> None:
    asked = request(model="m+a", model_id="m+blake2b:1")
    _write(tmp_path, (asked, response(asked)))
    backend = resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))
    assert (backend.model, backend.model_id) == ("m+a", "m+blake2b:1")


def test_a_replay_of_a_retrained_model_asks_which(tmp_path: Path) -> None:
    for model_id in ("blake2b:1", "blake2b:2"):
        asked = request(model="m", model_id=model_id)
        _write(tmp_path, (asked, response(asked)))
    with pytest.raises(BackendError, match=r"contents of m \(.*:1, .*:2\): set backend.model_id"):
        resolve_replay(ReplayBackend(engine="replay"), str(tmp_path))


def test_a_replay_of_one_of_several_contents_asks_for_that(tmp_path: Path) -> None:
    for model_id in ("", "blake2b:2"):
        asked = request(model="m", model_id=model_id)
        _write(tmp_path, (asked, response(asked)))
    backend = resolve_replay(ReplayBackend(engine="replay", model_id="blake2b:2"), str(tmp_path))
    assert (backend.model, backend.model_id) == ("m", "blake2b:2")


def test_the_replay_of_an_endpoint_asks_what_the_endpoint_was_asked(tmp_path: Path) -> None:
    values = {"engine": "openai", "model": "b", "base_url": "http://127.0.0.1:9/v1", "api": "chat"}
    asking = {"request": {"reasoning_effort": "high"}, "parameters": {"temperature": None}}
    endpoint = OpenAIBackend.model_validate({**values, **asking, "reasoning": "drop"})
    for asked in (chat(model="a"), chat(model="b")):
        _write(tmp_path, (asked, response(asked)), api="chat")
    backend = resolve_replay(replayed(endpoint), str(tmp_path), "models.judge")
    assert (backend.model, backend.api, backend.reasoning) == ("b", "chat", "drop")
    assert (backend.request, backend.parameters) == (endpoint.request, endpoint.parameters)


def test_a_replay_of_a_named_model_says_whose_setting_is_at_fault(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"nothing to replay for models\.judge\.model=b"):
        resolve_replay(ReplayBackend(engine="replay", model="b"), str(tmp_path), "models.judge")


def test_of_several_models_one_that_was_never_asked_is_replayed_too(tmp_path: Path) -> None:
    _write(tmp_path, (chat(model="writer"), response(chat(model="writer"))), api="chat")
    judge = ReplayBackend(engine="replay", model="judge")
    assert resolve_replay(judge, str(tmp_path), "models.judge").model == "judge"


def test_what_a_tool_gave_is_no_model_to_replay(tmp_path: Path) -> None:
    _write(tmp_path, (chat(), response(chat())), api="chat")
    writer = LedgerWriter(str(tmp_path), LedgerSettings(), api="", continue_prefix=False)
    writer.add_observation("ab" * 16, "2")
    writer.flush()
    assert resolve_replay(ReplayBackend(engine="replay"), str(tmp_path)).model == "embedded"
