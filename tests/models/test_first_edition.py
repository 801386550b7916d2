"""Ledgers that were recorded before messages, reasoning and tools serve the same requests."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.models.first_edition import ANSWERS, ASKED, FOLDER
from transforms.models.backends.settings import OpenAIBackend
from transforms.models.ledger.compaction import compact
from transforms.models.ledger.index import LedgerIndex
from transforms.models.ledger.ledger import backend_hash
from transforms.models.requests import Response

_TEXTS = {name: text for name, (text, _, _) in ANSWERS.items()} | {"thought": "It is 8."}
_FINISHED = [name for name, (_, finish, _) in ANSWERS.items() if finish == "stop"]


def _read(folder: str) -> dict[str, Response]:
    index = LedgerIndex(folder)
    index.refresh()
    responses = index.read(ASKED.values())
    return {name: responses[asked.id] for name, asked in ASKED.items() if asked.id in responses}


def test_every_request_is_served_as_it_was_recorded() -> None:
    read = _read(FOLDER)
    assert {name: answer.text for name, answer in read.items()} == _TEXTS
    assert [(a.finish_reason, a.error_kind) for a in read.values()] == [
        ANSWERS[name][1:] for name in read
    ]


def test_a_thought_that_was_recorded_in_the_text_is_reasoning_once_it_is_read() -> None:
    assert _read(FOLDER)["thought"].reasoning == "Four and four."


@pytest.mark.parametrize("name", _FINISHED)
def test_a_finished_answer_serves_a_larger_limit(name: str) -> None:
    index = LedgerIndex(FOLDER)
    index.refresh()
    sampler = replace(ASKED[name].sampler, max_tokens=9000)
    larger = replace(ASKED[name], sampler=sampler)
    assert index.read([larger])[larger.id].text == _TEXTS[name]


def test_a_compacted_ledger_serves_the_same(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "ledger")
    compact(str(folder), 1_000_000)
    assert _read(str(folder)) == _read(FOLDER)


def test_old_settings_keep_their_hash_so_that_recorded_failures_hold() -> None:
    values = {"engine": "openai", "model": "m", "base_url": "http://x/v1", "api": "chat"}
    backend = OpenAIBackend.model_validate(values)
    old = "5b58188044e59b1a6627b5a2809b8fc5"
    assert backend_hash(backend) == old
    assert backend_hash(backend.model_copy(update={"request": {"a": 1}})) != old
