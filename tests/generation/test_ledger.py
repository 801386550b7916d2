"""Tests of the ledger: nothing is lost, nothing is doubled, nothing broken is fatal."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.generation.examples import chat, request, response
from transforms.errors import BackendError
from transforms.generation import ledger
from transforms.generation.ledger import (
    SCHEMA,
    LedgerWriter,
    flush_writers,
    ledger_parts,
    read_part,
    resolve_replay,
)
from transforms.generation.ledger_index import LedgerIndex
from transforms.generation.requests import Request, Response
from transforms.settings import LedgerSettings, ReplayBackend

_ASKED = [request(f"{i} + 1 =") for i in range(5)]


def _settings(**changes: Any) -> LedgerSettings:
    return LedgerSettings.model_validate({"flush_requests": 512, "flush_seconds": 600, **changes})


def _write(
    folder: Path, *pairs: tuple[Request, Response], api: str = "completions", **changes: Any
) -> None:
    writer = LedgerWriter(str(folder), _settings(**changes), api=api, continue_prefix=True)
    for asked, answer in pairs:
        writer.add(asked, answer)
    writer.flush()


def _read(folder: Path) -> list[Response]:
    return [answer for part in ledger_parts(str(folder)) for answer in read_part(part)]


def _check_read(folder: Path, expected: list[tuple[str, str]]) -> None:
    index = LedgerIndex(str(folder))
    index.refresh()
    asked = [asked.id for asked in (*_ASKED, request("other"))]
    read = index.read(asked)
    assert sorted((key, answer.text) for key, answer in read.items()) == sorted(expected)


def test_a_response_comes_back_as_it_was_written_and_marked(tmp_path: Path) -> None:
    answer = response(
        _ASKED[0], text="é ✓\n\t 2\x00", prompt_tokens=9, cached_tokens=8, mean_logprob=-0.25
    )
    _write(tmp_path, (_ASKED[0], answer))
    (read,) = _read(tmp_path)
    assert read == Response(**{**answer.__dict__, "recorded": True})


def test_a_row_says_what_was_asked(tmp_path: Path) -> None:
    _write(tmp_path, (_ASKED[0], response(_ASKED[0])))
    (row,) = pq.read_table(ledger_parts(str(tmp_path))[0]).to_pylist()
    asked = json.loads(row["request"])
    assert (row["api"], row["continue_prefix"], asked["prompt"]) == ("completions", True, "0 + 1 =")
    assert json.loads(row["sampler"])["max_tokens"] == 8
    assert json.loads(row["versions"])["apache-beam"]


def test_the_same_responses_make_the_same_part_in_any_order(tmp_path: Path) -> None:
    pairs = [(asked, response(asked)) for asked in _ASKED]
    _write(tmp_path, *pairs)
    _write(tmp_path, *reversed(pairs))
    assert len(ledger_parts(str(tmp_path))) == 1


def test_a_response_added_twice_is_written_once(tmp_path: Path) -> None:
    _write(tmp_path, (_ASKED[0], response(_ASKED[0])), (_ASKED[0], response(_ASKED[0], " two")))
    assert [answer.text for answer in _read(tmp_path)] == [" 2"]


def test_a_full_part_is_written_before_anyone_asks_for_it(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_requests=2), api="chat", continue_prefix=True
    )
    for asked in _ASKED:
        writer.add(asked, response(asked))
    assert len(_read(tmp_path)) == 4


def test_a_response_that_has_waited_long_enough_is_written(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_seconds=1e-9), api="chat", continue_prefix=True
    )
    writer.add(_ASKED[0], response(_ASKED[0]))
    writer.flush_if_due()
    assert len(_read(tmp_path)) == 1


def test_a_response_is_written_in_time_though_its_writer_only_waits(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_seconds=0.1), api="chat", continue_prefix=True
    )
    writer.add(_ASKED[0], response(_ASKED[0]))
    deadline = time.monotonic() + 20
    while not ledger_parts(str(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(_read(tmp_path)) == 1


def test_long_responses_are_written_before_many_are_pending(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_bytes=5000), api="chat", continue_prefix=True
    )
    for asked in _ASKED[:4]:
        writer.add(asked, response(asked, "x" * 2000))
    assert len(_read(tmp_path)) == 3


def test_what_a_full_disk_refused_is_written_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(str(tmp_path), _settings(), api="chat", continue_prefix=True)
    writer.add(_ASKED[0], response(_ASKED[0]))
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "replace", _no_space)
        with pytest.raises(OSError, match="No space"):
            writer.flush()
    flush_writers()
    assert len(_read(tmp_path)) == 1
    assert [path.name[:5] for path in tmp_path.iterdir()] == ["part-"]


def _no_space(source: str, target: str) -> None:
    raise OSError(28, "No space left on device")


def test_many_writers_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        asked = [request(f"{number} x {i} =") for i in range(20)]
        _write(tmp_path, *[(each, response(each)) for each in asked], flush_requests=3)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert len({answer.id for answer in _read(tmp_path)}) == 160


def test_two_answers_to_the_same_requests_are_both_kept(tmp_path: Path) -> None:
    _write(tmp_path, (_ASKED[0], response(_ASKED[0], "a")))
    _write(tmp_path, (_ASKED[0], response(_ASKED[0], "b")))
    assert [answer.text for answer in _read(tmp_path)] in (["a", "b"], ["b", "a"])


def test_a_part_of_an_older_ledger_is_read(tmp_path: Path) -> None:
    _write(tmp_path, (_ASKED[0], response(_ASKED[0], cached_tokens=3)))
    (part,) = ledger_parts(str(tmp_path))
    later = ["cached_tokens", "mean_logprob", "sampler", "versions"]
    pq.write_table(pq.read_table(part).drop_columns(later), part)
    (read,) = _read(tmp_path)
    assert (read.text, read.cached_tokens, read.mean_logprob) == (" 2", 0, None)


def test_only_the_row_groups_that_are_asked_for_are_read(tmp_path: Path) -> None:
    asked = [request(f"{i} squared =") for i in range(1500)]
    _write(tmp_path, *[(each, response(each)) for each in asked], flush_requests=1500)
    (part,) = ledger_parts(str(tmp_path))
    assert pq.ParquetFile(part).num_row_groups == 2
    index = LedgerIndex(str(tmp_path))
    index.refresh()
    last = max(each.id for each in asked)  # a part is sorted by id
    corrupt = Path(part).read_bytes()
    Path(part).write_bytes(corrupt[:4] + b"\xff" * 400 + corrupt[404:])  # in the first row group
    assert index.read([last])[last].text == " 2"


def test_a_failed_response_is_not_recorded(tmp_path: Path) -> None:
    _write(tmp_path, (_ASKED[0], response(_ASKED[0], finish_reason="error", error="no")))
    assert _read(tmp_path) == []


def test_nothing_but_whole_parts_is_left_in_the_folder(tmp_path: Path) -> None:
    _write(tmp_path / "new" / "ledger", *[(asked, response(asked)) for asked in _ASKED])
    assert [path.name[:5] for path in (tmp_path / "new" / "ledger").iterdir()] == ["part-"]


def test_a_missing_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    _check_read(tmp_path / "nowhere", [])


def test_an_empty_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    _check_read(tmp_path, [])


def test_the_same_response_is_chosen_of_two_whatever_their_order(tmp_path: Path) -> None:
    _write(tmp_path, (_ASKED[0], response(_ASKED[0], "b")))
    _write(tmp_path, (_ASKED[0], response(_ASKED[0], "a")), (_ASKED[1], response(_ASKED[1])))
    _check_read(tmp_path, [(_ASKED[0].id, "a"), (_ASKED[1].id, " 2")])


@pytest.mark.parametrize("damage", ["half", "empty", "flipped", "other"])
def test_a_broken_part_is_set_aside_and_the_others_are_read(tmp_path: Path, damage: str) -> None:
    _write(tmp_path, *[(asked, response(asked, "x" * 500)) for asked in _ASKED])
    part = Path(ledger_parts(str(tmp_path))[0])
    content = part.read_bytes()
    if damage == "flipped":  # in the texts: the ids and the footer are whole
        texts = pq.ParquetFile(part).metadata.row_group(0).column(SCHEMA.names.index("text"))
        at = texts.data_page_offset - 4
        middle = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        part.write_bytes(middle)
    else:
        broken = {"half": content[: len(content) // 2], "empty": b"", "other": b"not parquet"}
        part.write_bytes(broken[damage])
    other = request("other")
    _write(tmp_path, (other, response(other)))
    _check_read(tmp_path, [(other.id, " 2")])
    assert len(list(tmp_path.glob(".corrupt-part-*"))) == 1


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
