"""Compaction keeps one row of every request, the same whatever was compacted before."""

from __future__ import annotations

import contextlib
import fcntl
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.examples import LATER, held, request, response
from transforms.engine.errors import LedgerError
from transforms.models.ledger import compaction
from transforms.models.ledger import index as ledger_index
from transforms.models.ledger.compaction import compact
from transforms.models.ledger.index import LedgerIndex
from transforms.models.ledger.ledger import LedgerSettings, LedgerWriter
from transforms.models.ledger.parts import first_of, ledger_parts

_LARGE = 64_000_000
_ASKED = [request(f"{i} + 1 =") for i in range(6)]

PARTS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "c"])),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row[0],
    ),
    min_size=1,
    max_size=6,
)
"""Parts of a ledger: for each row, which request it answers and with what."""


def write(folder: Path, parts: list[list[tuple[int, str]]]) -> None:
    how = LedgerSettings(flush_requests=512, flush_seconds=600)
    for part in parts:
        writer = LedgerWriter(str(folder), how, api="completions", continue_prefix=True)
        for asked, text in part:
            writer.add(_ASKED[asked], response(_ASKED[asked], text))
        writer.flush()


def chosen(folder: Path) -> dict[str, str]:
    """What a reader of the ledger sees: request -> its text."""
    index = LedgerIndex(str(folder))
    index.refresh()
    return {key: answer.text for key, answer in index.read(_ASKED).items()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lambda: tmp_path_factory.mktemp("ledger")


@settings(max_examples=25)
@given(parts=PARTS)
def test_readers_see_the_same_before_and_after(folders: Any, parts: Any) -> None:
    folder = folders()
    write(folder, parts)
    before = chosen(folder)
    compact(str(folder), _LARGE)
    assert chosen(folder) == before
    assert sorted(answer.id for answer in held(folder)) == sorted(before)
    assert len(ledger_parts(str(folder))) == 1


@settings(max_examples=25)
@given(parts=PARTS, others=PARTS)
def test_compacting_twice_is_compacting_once(folders: Any, parts: Any, others: Any) -> None:
    folder = folders()
    write(folder, parts)
    compact(str(folder), _LARGE)
    write(folder, others)
    compact(str(folder), _LARGE)
    at_once = folders()
    write(at_once, parts + others)
    assert chosen(folder) == chosen(at_once)


@settings(max_examples=25)
@given(parts=PARTS, deleted=st.integers(0, 5))
def test_a_crash_between_copying_and_deleting_loses_nothing(
    folders: Any, parts: Any, deleted: int
) -> None:
    folder = folders()
    write(folder, parts)
    before = chosen(folder)
    with pytest.MonkeyPatch.context() as patch:

        def delete(paths: list[str]) -> None:
            for path in paths[:deleted]:
                Path(path).unlink()
            raise KeyboardInterrupt

        patch.setattr(compaction.FileSystems, "delete", delete)
        if len(parts) > 1:
            with contextlib.suppress(KeyboardInterrupt):
                compact(str(folder), _LARGE)
    assert chosen(folder) == before
    compact(str(folder), _LARGE)
    assert chosen(folder) == before


@given(texts=st.lists(st.text(max_size=3), min_size=1, max_size=5), seed=st.randoms())
def test_the_first_of_several_responses_does_not_depend_on_their_order(
    texts: list[str], seed: Any
) -> None:
    answers = [response(_ASKED[0], text) for text in texts]
    shuffled = list(answers)
    seed.shuffle(shuffled)
    assert first_of(shuffled) == first_of(answers)


def test_a_reader_finds_what_was_compacted_since_it_looked(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a")], [(1, "b")]])
    index = LedgerIndex(str(tmp_path))
    index.refresh()
    compact(str(tmp_path), _LARGE)
    read = index.read(_ASKED[:2])
    assert {answer.text for answer in read.values()} == {"a", "b"}


def test_an_index_that_is_filled_while_parts_move_misses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [[(0, "a")], [(1, "b")]])
    listing = ledger_index.ledger_parts

    def list_then_compact(folder: str) -> list[str]:
        listed = listing(folder)
        compact(folder, _LARGE)
        return listed

    monkeypatch.setattr(ledger_index, "ledger_parts", list_then_compact)
    assert sorted(chosen(tmp_path).values()) == ["a", "b"]


def test_parts_are_merged_up_to_the_size_that_is_asked_and_large_ones_are_left(
    tmp_path: Path,
) -> None:
    write(tmp_path, [[(0, "a")], [(1, "b")]])
    size = Path(ledger_parts(str(tmp_path))[0]).stat().st_size
    before = ledger_parts(str(tmp_path))
    compact(str(tmp_path), size)
    assert ledger_parts(str(tmp_path)) == before


def test_writers_go_on_while_a_ledger_is_compacted(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a")], [(1, "b")]])
    ended = threading.Event()

    def write_on() -> None:
        while True:
            write(tmp_path, [[(2, "c")], [(3, "d")], [(4, "e")]])
            if ended.is_set():
                return

    writer = threading.Thread(target=write_on)
    writer.start()
    for _ in range(5):
        compact(str(tmp_path), _LARGE)
    ended.set()
    writer.join()
    assert sorted(chosen(tmp_path).values()) == ["a", "b", "c", "d", "e"]


def test_a_corrupt_part_is_set_aside_and_the_others_are_compacted(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a")], [(1, "b")], [(2, "c")]])
    Path(ledger_parts(str(tmp_path))[0]).write_bytes(b"half")
    compact(str(tmp_path), _LARGE)
    assert len(chosen(tmp_path)) == 2
    assert len(list(tmp_path.glob(".corrupt-part-*"))) == 1


def test_two_compactions_at_once_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a")]])
    with (tmp_path / ".compacting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="is being compacted"):
            compact(str(tmp_path), _LARGE)


def test_parts_of_older_ledgers_are_compacted_with_new_ones(tmp_path: Path) -> None:
    write(tmp_path, [[(0, "a")], [(1, "b")]])
    old = Path(ledger_parts(str(tmp_path))[0])
    pq.write_table(pq.read_table(old).drop_columns(LATER), old)
    compact(str(tmp_path), _LARGE)
    assert sorted(chosen(tmp_path).values()) == ["a", "b"]
