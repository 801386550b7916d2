"""The index finds what serves a request: answers under other limits, failures, in any order."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.examples import LATER, chat, request, response
from tests.models.ledger.test_ledger import write
from transforms.models.backends.base import failed
from transforms.models.ledger import index as ledger_index
from transforms.models.ledger.compaction import compact
from transforms.models.ledger.index import LedgerIndex, open_index, part_entries
from transforms.models.ledger.parts import SCHEMA, ledger_parts
from transforms.models.requests import ErrorKind, Request, Response

_OWN = (ErrorKind.TOO_LONG, ErrorKind.REFUSED, ErrorKind.BAD_JSON, ErrorKind.INVALID)


def _asked(limit: int, **changes: Any) -> Request:
    return request("Think.", max_tokens=limit, **changes)


def _failure(asked: Request, kind: ErrorKind) -> Response:
    return failed(asked, "test 1", kind, "why", 1.0)


def _serves(folder: Path, asked: Request, failures: bool = False) -> str | None:
    """The text, or kind of failure, that serves `asked`; None where it is not held."""
    index = LedgerIndex(str(folder), failures)
    index.refresh()
    read = index.read([asked])
    assert index.holds([asked]) == [asked.id in read]
    return None if asked.id not in read else (read[asked.id].error_kind or read[asked.id].text)


def _make_first_edition(folder: Path) -> None:
    for part in ledger_parts(str(folder)):
        pq.write_table(pq.read_table(part).drop_columns(LATER), part)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=50))
def test_no_key_that_the_index_has_is_told_to_be_new(keys: list[bytes]) -> None:
    has = ledger_index._Filter(np.array(keys, "S16"))
    assert all(key.hex() in has for key in keys)


def test_most_keys_that_the_index_has_not_are_told_to_be_new() -> None:
    draw = random.Random(0)
    has = ledger_index._Filter(np.array([draw.randbytes(16) for _ in range(1000)], "S16"))
    assert sum(draw.randbytes(16).hex() in has for _ in range(1000)) < 150


@pytest.mark.parametrize("first_edition", [False, True])
@pytest.mark.parametrize(
    ("limit", "reason", "generated", "asked", "served"),
    [
        (100, "stop", 40, 200, True),  # a larger limit changes nothing
        (100, "stop", 40, 41, True),  # a smaller one neither, where the answer fits
        (100, "stop", 40, 40, False),  # its end might not have been seen
        (100, "stop", 0, 99, False),  # how long it is is not known
        (100, "stop", 0, 101, True),
        (100, "stop", 100, 100, True),
        (100, "length", 100, 200, False),  # cut off
        (100, "length", 100, 50, False),
        (100, "length", 100, 100, True),
    ],
)
def test_an_answer_that_ended_by_itself_serves_the_limits_that_it_never_reached(
    tmp_path: Path,
    limit: int,
    reason: str,
    generated: int,
    asked: int,
    served: bool,
    first_edition: bool,
) -> None:
    of = _asked(limit)
    write(tmp_path, (of, response(of, "x", finish_reason=reason, generated_tokens=generated)))
    if first_edition:
        _make_first_edition(tmp_path)
    assert _serves(tmp_path, _asked(asked)) == ("x" if served else None)


def test_a_ledger_of_the_first_edition_serves_larger_limits_once_compacted(tmp_path: Path) -> None:
    for number in range(2):
        of = _asked(100, sample=number)
        write(tmp_path, (of, response(of, f"{number}")))
    _make_first_edition(tmp_path)
    compact(str(tmp_path), 64_000_000)
    assert _serves(tmp_path, _asked(200, sample=1)) == "1"
    (part,) = ledger_parts(str(tmp_path))
    assert pq.read_table(part)["question"].null_count == 0


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", "3", '{"sampler": {"stop": null}}', '{"sampler": []}']
)
def test_a_row_whose_request_is_not_recorded_serves_that_request_alone(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, (_asked(100), response(_asked(100))))
    (part,) = ledger_parts(str(tmp_path))
    table = pq.read_table(part).drop_columns(LATER)
    place = table.schema.names.index("request")
    pq.write_table(table.set_column(place, SCHEMA.field("request"), pa.array([text])), part)
    assert (_serves(tmp_path, _asked(100)), _serves(tmp_path, _asked(200))) == (" 2", None)


@pytest.mark.parametrize(
    "changes", [{"temperature": 0.5}, {"sample": 1}, {"run_seed": 1}, {"stop": ("x",)}]
)
def test_an_answer_serves_no_request_that_differs_in_anything_else(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    write(tmp_path, (_asked(100), response(_asked(100))))
    assert _serves(tmp_path, _asked(200, **changes)) is None


def test_the_answer_to_the_very_request_goes_before_one_of_another_limit(tmp_path: Path) -> None:
    write(tmp_path, (_asked(100), response(_asked(100), "a")))
    write(tmp_path, (_asked(200), response(_asked(200), "b", finish_reason="length")))
    assert _serves(tmp_path, _asked(200)) == "b"


def test_what_is_served_bears_the_id_of_the_request(tmp_path: Path) -> None:
    write(tmp_path, (_asked(100), response(_asked(100))))
    asked = _asked(200)
    index = open_index(str(tmp_path))
    assert index.read([asked])[asked.id].id == asked.id


def test_a_model_that_moved_is_read_under_its_new_name(tmp_path: Path) -> None:
    there, here = (request(model=name, model_id="blake2b:1") for name in ("there", "here"))
    write(tmp_path, (there, response(there)))
    assert open_index(str(tmp_path)).read([here])[here.id].model == "here"


@pytest.mark.parametrize("kind", _OWN)
def test_a_failure_of_the_request_itself_serves_it_again(tmp_path: Path, kind: ErrorKind) -> None:
    write(tmp_path, (_asked(100), _failure(_asked(100), kind)))
    assert (_serves(tmp_path, _asked(100)), _serves(tmp_path, _asked(200))) == (kind, None)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - set(_OWN)))
def test_an_unanswered_request_is_known_to_replays_alone(tmp_path: Path, kind: ErrorKind) -> None:
    write(tmp_path, (_asked(100), _failure(_asked(100), kind)))
    assert _serves(tmp_path, _asked(100)) is None
    assert _serves(tmp_path, _asked(100), failures=True) == kind


def test_a_failure_serves_no_other_settings_of_the_backend(tmp_path: Path) -> None:
    write(tmp_path, (_asked(9), _failure(_asked(9), ErrorKind.INVALID)), backend="one")
    for backend in ("one", "other"):
        write(tmp_path, (request(backend), response(request(backend))), backend=backend)
    index = open_index(str(tmp_path))
    assert [len(index.read([_asked(9)], how)) for how in ("one", "other", None)] == [1, 0, 1]


def test_failures_of_a_stage_without_an_answer_are_asked_again(tmp_path: Path) -> None:
    answer = request("another stage", stage="sample")
    failure = _failure(_asked(9), ErrorKind.INVALID)
    write(tmp_path, (_asked(9), failure), (answer, response(answer)), backend="one")
    assert open_index(str(tmp_path)).read([_asked(9)], "one") == {}


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_an_answer_goes_before_a_failure_and_that_before_an_unanswered_request(
    tmp_path: Path, order: tuple[int, ...], compacted: bool
) -> None:
    asked = _asked(100)
    rows = [
        response(asked, "zz"),
        _failure(asked, ErrorKind.REFUSED),
        _failure(asked, ErrorKind.TIMEOUT),
    ]
    expected: list[str] = ["zz", ErrorKind.REFUSED, ErrorKind.TIMEOUT]
    for best in range(3):
        folder = tmp_path / str(best)
        for number in order:
            if number >= best:
                write(folder, (asked, rows[number]))
        if compacted:
            compact(str(folder), 64_000_000)
        assert _serves(folder, asked, failures=True) == expected[best]


_ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([5, 10, 20]),
        st.sampled_from(["stop", "length", ErrorKind.TOO_LONG, ErrorKind.TIMEOUT]),
        st.integers(0, 5),
    ),
    max_size=8,
    unique_by=lambda row: row[:3],
)
"""Recorded responses: sample, limit, how it ended, tokens. A part is named by its responses: one of
the same text with other tokens takes its place."""


@settings(max_examples=60)
@given(rows=_ROWS, sample=st.integers(0, 2), limit=st.sampled_from([4, 5, 10, 20, 40]))
def test_a_request_is_held_where_any_recorded_response_serves_it(
    tmp_path_factory: pytest.TempPathFactory, rows: Any, sample: int, limit: int
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    for number, of, ended, generated in rows:
        asked = _asked(of, sample=number)
        if isinstance(ended, ErrorKind):
            write(folder, (asked, _failure(asked, ended)))
        else:
            answer = response(asked, finish_reason=ended, generated_tokens=generated)
            write(folder, (asked, answer))
    expected = any(
        number == sample
        and ended != ErrorKind.TIMEOUT
        and (of == limit or (ended == "stop" and (limit > of or 0 < generated < limit)))
        for number, of, ended, generated in rows
    )
    assert (_serves(folder, _asked(limit, sample=sample)) is not None) == expected


def test_rows_are_read_in_any_order_and_each_of_the_ledgers_groups_twice_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [request(f"{i} squared =") for i in range(2500)]
    pairs = [(each, response(each, f"{i}²")) for i, each in enumerate(asked)]
    write(tmp_path, *pairs[:2200], flush_requests=5000)
    write(tmp_path, *pairs[2200:], flush_requests=5000)
    index = LedgerIndex(str(tmp_path))
    index.refresh()
    decoded: Counter[tuple[str, int]] = Counter()
    reading = ledger_index.read_columns

    def counted(path: str, columns: list[str], rows: np.ndarray | None = None) -> pa.Table:
        assert rows is not None
        decoded.update({(path, int(row) // 1000) for row in rows})
        return reading(path, columns, rows)

    monkeypatch.setattr(ledger_index, "read_columns", counted)
    order = list(range(2500))
    random.Random(0).shuffle(order)
    for start in range(0, 2500, 100):
        window = order[start : start + 100]
        read = index.read([asked[i] for i in window])
        assert [read[asked[i].id].text for i in window] == [f"{i}²" for i in window]
    assert set(decoded.values()) == {2} and len(decoded) == 4


def test_a_part_that_is_found_damaged_between_two_reads_is_asked_again(tmp_path: Path) -> None:
    asked = request()
    write(tmp_path, (asked, response(asked, "x" * 500)))
    index = LedgerIndex(str(tmp_path))
    index.refresh()
    (part,) = map(Path, ledger_parts(str(tmp_path)))
    content = part.read_bytes()
    part.write_bytes(content[:4] + b"\xff" * 40 + content[44:])
    assert (index.read([asked]), index.holds([asked])) == ({}, [False])


def test_an_id_that_is_none_makes_a_part_unreadable(tmp_path: Path) -> None:
    write(tmp_path, (request(), response(request(), finish_reason="length")))
    (part,) = ledger_parts(str(tmp_path))
    table = pq.read_table(part)
    pq.write_table(table.set_column(0, SCHEMA.field("id"), pa.array(["no hash"])), part)
    with pytest.raises(ledger_index.PartUnreadable, match="32 hexadecimal digits"):
        part_entries(part)


def test_a_chat_of_the_first_edition_is_found_under_other_limits(tmp_path: Path) -> None:
    asked = chat("What is é?", stop=("\n\n", "x"), prefix="I", max_tokens=10)
    write(tmp_path, (asked, response(asked, "I say")))
    _make_first_edition(tmp_path)
    (part,) = ledger_parts(str(tmp_path))
    assert json.loads(pq.read_table(part)["request"][0].as_py())["messages"][0]["role"] == "user"
    larger = chat("What is é?", stop=("\n\n", "x"), prefix="I", max_tokens=20)
    assert _serves(tmp_path, larger) == "I say"
