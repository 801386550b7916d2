"""Tests of the ledger: nothing is lost, nothing is doubled, nothing broken is fatal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.models.examples import LATER, held, request, response
from tests.waiting import eventually
from transforms.engine import files
from transforms.engine.errors import LedgerError
from transforms.engine.paths import PROJECT
from transforms.models.backends.base import failed, valid_text
from transforms.models.ledger import ledger, parts
from transforms.models.ledger.index import LedgerIndex
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter, flush_writers
from transforms.models.ledger.parts import SCHEMA, ledger_parts, read_columns
from transforms.models.requests import ErrorKind, Request, Response

_ASKED = [request(f"{i} + 1 =") for i in range(5)]


def _settings(**changes: Any) -> LedgerSettings:
    return LedgerSettings.model_validate({"flush_requests": 512, "flush_seconds": 600, **changes})


def write(
    folder: Path,
    *pairs: tuple[Request, Response],
    api: str = "completions",
    backend: str = "",
    **changes: Any,
) -> None:
    """Writes responses as one writer does; `changes` are of its settings."""
    writer = LedgerWriter(
        str(folder), _settings(**changes), api=api, continue_prefix=True, backend=backend
    )
    for asked, answer in pairs:
        writer.add(asked, answer)
    writer.flush()


def _check_read(folder: Path, expected: list[tuple[str, str]]) -> None:
    index = LedgerIndex(str(folder))
    index.refresh()
    read = index.read([*_ASKED, request("other")])
    assert sorted((key, answer.text) for key, answer in read.items()) == sorted(expected)


def test_a_response_comes_back_as_it_was_written_and_marked(tmp_path: Path) -> None:
    answer = response(
        _ASKED[0], text="é ✓\n\t 2\x00", prompt_tokens=9, cached_tokens=8, mean_logprob=-0.25
    )
    write(tmp_path, (_ASKED[0], answer))
    (read,) = held(tmp_path)
    assert read == Response(**{**answer.__dict__, "recorded": True})


def test_a_row_says_what_was_asked(tmp_path: Path) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0])))
    (row,) = pq.read_table(ledger_parts(str(tmp_path))[0]).to_pylist()
    asked = json.loads(row["request"])
    assert (row["api"], row["continue_prefix"], asked["prompt"]) == ("completions", True, "0 + 1 =")
    assert json.loads(row["sampler"])["max_tokens"] == 8
    assert json.loads(row["versions"])["apache-beam"]


def test_the_same_responses_make_the_same_part_in_any_order(tmp_path: Path) -> None:
    pairs = [(asked, response(asked)) for asked in _ASKED]
    write(tmp_path, *pairs)
    write(tmp_path, *reversed(pairs))
    assert len(ledger_parts(str(tmp_path))) == 1


def test_a_response_added_twice_is_written_once(tmp_path: Path) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0])), (_ASKED[0], response(_ASKED[0], " two")))
    assert [answer.text for answer in held(tmp_path)] == [" 2"]


def test_a_full_part_is_written_before_anyone_asks_for_it(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_requests=2), api="chat", continue_prefix=True
    )
    for asked in _ASKED:
        writer.add(asked, response(asked))
    assert len(held(tmp_path)) == 4


def test_a_response_that_has_waited_long_enough_is_written(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_seconds=1e-9), api="chat", continue_prefix=True
    )
    writer.add(_ASKED[0], response(_ASKED[0]))
    writer.flush_if_due()
    assert len(held(tmp_path)) == 1


def test_a_response_is_written_in_time_though_its_writer_only_waits(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_seconds=0.1), api="chat", continue_prefix=True
    )
    writer.add(_ASKED[0], response(_ASKED[0]))
    eventually(lambda: ledger_parts(str(tmp_path)))
    assert len(held(tmp_path)) == 1


def test_long_responses_are_written_before_many_are_pending(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_bytes=5000), api="chat", continue_prefix=True
    )
    for asked in _ASKED[:4]:
        writer.add(asked, response(asked, "x" * 2000))
    assert len(held(tmp_path)) == 3


def test_what_a_full_disk_refused_is_written_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(str(tmp_path), _settings(), api="chat", continue_prefix=True)
    writer.add(_ASKED[0], response(_ASKED[0]))
    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", _no_space)
        with pytest.raises(OSError, match="No space"):
            writer.flush()
    flush_writers()
    assert len(held(tmp_path)) == 1
    assert [path.name[:5] for path in tmp_path.iterdir()] == ["part-"]


def _no_space(source: str, target: str) -> None:
    raise OSError(28, "No space left on device")


def test_many_writers_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def write_some(number: int) -> None:
        asked = [request(f"{number} x {i} =") for i in range(20)]
        write(tmp_path, *[(each, response(each)) for each in asked], flush_requests=3)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write_some, range(8)))
    assert len({answer.id for answer in held(tmp_path)}) == 160


def test_two_answers_to_the_same_requests_are_both_kept(tmp_path: Path) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0], "a")))
    write(tmp_path, (_ASKED[0], response(_ASKED[0], "b")))
    assert [answer.text for answer in held(tmp_path)] in (["a", "b"], ["b", "a"])


def test_a_part_of_an_older_ledger_is_read(tmp_path: Path) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0], cached_tokens=3)))
    (part,) = ledger_parts(str(tmp_path))
    pq.write_table(pq.read_table(part).drop_columns(LATER), part)
    (read,) = held(tmp_path)
    assert (read.text, read.cached_tokens, read.mean_logprob) == (" 2", 0, None)


def test_only_the_row_groups_that_are_asked_for_are_read(tmp_path: Path) -> None:
    asked = [request(f"{i} squared =") for i in range(1500)]
    write(tmp_path, *[(each, response(each)) for each in asked], flush_requests=1500)
    (part,) = ledger_parts(str(tmp_path))
    assert pq.ParquetFile(part).num_row_groups == 2
    index = LedgerIndex(str(tmp_path))
    index.refresh()
    last = max(asked, key=lambda each: each.id)  # a part is sorted by id
    corrupt = Path(part).read_bytes()
    Path(part).write_bytes(corrupt[:4] + b"\xff" * 400 + corrupt[404:])  # in the first row group
    assert index.read([last])[last.id].text == " 2"


def test_an_answer_replaces_the_failure_before_it_and_no_other_way(tmp_path: Path) -> None:
    failure = failed(_ASKED[0], "test 1", ErrorKind.TIMEOUT, "no answer", 1.0)
    answer = response(_ASKED[0])
    write(tmp_path, (_ASKED[0], failure), (_ASKED[0], answer), (_ASKED[0], failure))
    assert [read.text for read in held(tmp_path)] == [" 2"]


def test_an_answer_replaces_the_failure_that_was_flushed_before_it(tmp_path: Path) -> None:
    writer = LedgerWriter(str(tmp_path), _settings(), api="chat", continue_prefix=True)
    writer.add(_ASKED[0], failed(_ASKED[0], "test 1", ErrorKind.TIMEOUT, "no answer", 1.0))
    writer.flush()
    writer.add(_ASKED[0], response(_ASKED[0]))
    writer.flush()
    assert [read.text for read in held(tmp_path)] == [" 2"]


@pytest.mark.parametrize("kind", ErrorKind)
def test_a_failure_comes_back_as_it_was_written(tmp_path: Path, kind: ErrorKind) -> None:
    failure = failed(_ASKED[0], "test 1", kind, "why it failed", 1.0)
    write(tmp_path, (_ASKED[0], failure))
    (read,) = held(tmp_path)
    assert read == Response(**{**failure.__dict__, "recorded": True})


@pytest.mark.parametrize("text", ["a\ud83d", "\ude00", "\ud83d\ude00"])
def test_text_that_is_not_unicode_is_recorded_repaired_and_stops_no_other(
    tmp_path: Path, text: str
) -> None:
    asked = request(f"What is {text}?")
    write(tmp_path, (asked, response(asked, text)), (_ASKED[0], response(_ASKED[0])))
    assert sorted(read.text for read in held(tmp_path)) == sorted([valid_text(text), " 2"])


@pytest.mark.parametrize("wrong", [{"text": None}, {"generated_tokens": 2**70}, {"seconds": "?"}])
def test_a_row_that_cannot_be_written_takes_no_other_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: dict[str, Any]
) -> None:
    writer = LedgerWriter(str(tmp_path), _settings(), api="chat", continue_prefix=True)
    writer.add(_ASKED[0], response(_ASKED[0], **wrong))
    writer.add(_ASKED[1], response(_ASKED[1]))
    writer.flush()
    assert [read.id for read in held(tmp_path)] == [_ASKED[1].id]
    assert f"request {_ASKED[0].id} cannot be recorded" in caplog.text


def test_nothing_but_whole_parts_is_left_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "new" / "ledger", *[(asked, response(asked)) for asked in _ASKED])
    assert [path.name[:5] for path in (tmp_path / "new" / "ledger").iterdir()] == ["part-"]


def test_a_missing_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    _check_read(tmp_path / "nowhere", [])


def test_an_empty_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    _check_read(tmp_path, [])


def test_the_same_response_is_chosen_of_two_whatever_their_order(tmp_path: Path) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0], "b")))
    write(tmp_path, (_ASKED[0], response(_ASKED[0], "a")), (_ASKED[1], response(_ASKED[1])))
    _check_read(tmp_path, [(_ASKED[0].id, "a"), (_ASKED[1].id, " 2")])


def test_a_part_grows_until_it_is_half_full(tmp_path: Path) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_requests=8), api="chat", continue_prefix=True
    )
    for asked in _ASKED:
        writer.add(asked, response(asked))
        writer.flush()
    assert sorted(pq.read_metadata(part).num_rows for part in ledger_parts(str(tmp_path))) == [1, 4]


def test_equal_writers_that_replace_each_others_parts_lose_nothing(tmp_path: Path) -> None:
    writers = [
        LedgerWriter(str(tmp_path), _settings(), api="chat", continue_prefix=True) for _ in range(2)
    ]
    for asked in _ASKED:
        for writer in writers:
            writer.add(asked, response(asked))
            writer.flush()
    assert {read.id for read in held(tmp_path)} == {asked.id for asked in _ASKED}
    assert len(ledger_parts(str(tmp_path))) == 1


def test_the_size_of_what_a_full_disk_refused_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = LedgerWriter(
        str(tmp_path), _settings(flush_bytes=3000), api="chat", continue_prefix=True
    )
    writer.add(_ASKED[0], response(_ASKED[0], "x" * 2000))
    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", _no_space)
        with pytest.raises(OSError, match="No space"):
            writer.flush()
    writer.add(_ASKED[1], response(_ASKED[1], "x" * 1000))
    assert len(held(tmp_path)) == 2


def test_the_clock_meets_no_writer_that_is_being_made() -> None:
    class Listed(weakref.WeakSet[LedgerWriter]):
        """A set that is iterated over while another thread wants to add to it."""

        def __iter__(self) -> Iterator[LedgerWriter]:
            making = threading.Thread(target=_idle_writer)
            making.start()
            making.join(0.2)
            assert making.is_alive()
            return super().__iter__()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "_writers", Listed())
        flush_writers()


def _idle_writer() -> None:
    LedgerWriter("nowhere", _settings(), api="chat", continue_prefix=True)


_DAMAGES = ["half", "empty", "flipped", "other"]


def damage(part: Path, how: str) -> None:
    """Damages a part in one of several ways."""
    content = part.read_bytes()
    if how == "flipped":  # in the texts: the ids and the footer are whole
        texts = pq.ParquetFile(part).metadata.row_group(0).column(SCHEMA.names.index("text"))
        at = texts.data_page_offset - 4
        part.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    else:
        broken = {"half": content[: len(content) // 2], "empty": b"", "other": b"not parquet"}
        part.write_bytes(broken[how])


@pytest.mark.parametrize("how", _DAMAGES)
def test_a_broken_part_is_warned_of_once_left_alone_and_the_others_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    write(tmp_path, *[(asked, response(asked, "x" * 500)) for asked in _ASKED])
    part = Path(ledger_parts(str(tmp_path))[0])
    damage(part, how)
    broken = part.read_bytes()
    other = request("other")
    write(tmp_path, (other, response(other)))
    for _ in range(2):
        _check_read(tmp_path, [(other.id, " 2")])
    assert part.read_bytes() == broken
    assert [record.getMessage().count(str(part)) for record in caplog.records] == [1]


@pytest.mark.parametrize(
    "error", [pa.ArrowMemoryError("malloc failed"), pa.ArrowNotImplementedError("no such codec")]
)
def test_a_whole_part_that_cannot_be_read_now_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0])))

    def fail(*arguments: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(parts, "_table", fail)
        with pytest.raises(LedgerError, match=r"part-.* cannot be read now"):
            _check_read(tmp_path, [])
    _check_read(tmp_path, [(_ASKED[0].id, " 2")])


def test_a_storage_that_fails_once_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, (_ASKED[0], response(_ASKED[0])))
    (part,) = ledger_parts(str(tmp_path))
    opened, failures = parts._opened, [OSError(5, "Input/output error")]

    def open_at_last(path: str) -> Any:
        if failures:
            raise failures.pop()
        return opened(path)

    monkeypatch.setattr(parts, "_opened", open_at_last)
    assert read_columns(part, ["id"])["id"].to_pylist() == [_ASKED[0].id]


_ANSWERING = """
import itertools, sys, time
from tests.models.examples import request, response
from transforms.models.ledger.ledger import LedgerWriter
from transforms.models.ledger.ledger import LedgerSettings

settings = LedgerSettings(flush_seconds=0.2)
writer = LedgerWriter(sys.argv[1], settings, api="chat", continue_prefix=True)
for number in itertools.count():
    asked = request(f"number {number}")
    print(asked.id, flush=True)
    writer.add(asked, response(asked))
    time.sleep(0.005)
"""


def test_a_killed_process_loses_but_the_last_of_its_answers(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _ANSWERING, str(tmp_path)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    eventually(lambda: ledger_parts(str(tmp_path)))
    process.kill()
    answered = process.communicate()[0].split()
    recorded = {read.id for read in held(tmp_path)}
    assert recorded == set(answered[: len(recorded)])
