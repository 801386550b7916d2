"""Parquet: the columns that a seed has room for, and checks on the schema."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.reading import read, source_of
from transforms.engine.errors import SourceError
from transforms.sources import check_source


def write(path: Path, **columns: list) -> str:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return str(path)


def test_mapped_columns_become_seeds_and_the_rest_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", q=["one", "two", None], a=[1, None, 3], big=["x"] * 3)
    write(tmp_path / "b.parquet", q=["four"], a=[4], kind=["k"])
    seen = read(
        tmp_path,
        2,
        type="parquet",
        path=str(tmp_path / "*.parquet"),
        columns={"problem": "q", "answer": "a"},
    )
    assert {(s["problem"], s["answer"], s["kind"]) for s in seen.seeds} == {
        ("one", "1", None),
        ("four", "4", "k"),
    }
    assert {s["metadata"] for s in seen.seeds} == {"{}"}
    assert seen.reasons == {"missing_field": 2}


def test_lists_dates_and_floats_are_answers_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", problem=["a"], answer=[[1, 2]])
    other = write(tmp_path / "b.parquet", problem=["b"], answer=[datetime.date(2024, 2, 29)])
    answers = [
        read(tmp_path, type="parquet", path=where).seeds[0]["answer"] for where in (path, other)
    ]
    assert answers == ["[1,2]", "2024-02-29"]


def test_a_limit_takes_the_first_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", problem=[f"p{i}" for i in range(10)])
    seen = read(tmp_path, type="parquet", path=path, limit=3)
    assert {seed["problem"] for seed in seen.seeds} == {"p0", "p1", "p2"}


def test_a_column_that_is_not_in_the_schema_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", q=["x"], a=[1])
    with pytest.raises(SourceError, match="no column question .*its columns are a, q"):
        check_source(source_of(type="parquet", path=path, columns={"problem": "question"}))


def test_binary_columns_are_the_text_that_they_encode(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", question=[b"wie?", b"\xff"], answer=[b"1", b"2"])
    [line] = check_source(source_of(type="parquet", path=path))
    seen = read(tmp_path, type="parquet", path=path)
    assert "column question" in line
    assert [(s["problem"], s["answer"]) for s in seen.seeds] == [("wie?", "1")]
    assert seen.reasons == {"unreadable_record": 1}


def test_paths_lead_into_struct_columns(tmp_path: Path) -> None:
    rows = {
        "q": [{"text": "one", "more": 1}],
        "meta": [{"final": 5, "extra": "x"}],
        "a.b": ["k"],
        "odd[1].parquet": ["s"],
    }
    columns = {
        "problem": "q.text",
        "answer": "meta.final",
        "kind": "a.b",
        "source": "odd[1].parquet",
    }
    path = write(tmp_path / "a[1].parquet", **rows)
    check_source(source_of(type="parquet", path=path, columns=columns))
    [seed] = read(tmp_path, type="parquet", path=path, columns=columns).seeds
    assert (seed["problem"], seed["answer"], seed["kind"], seed["source"]) == ("one", "5", "k", "s")


def test_a_column_that_is_null_in_one_file_is_text_in_another(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", problem=["x"], solution=pa.nulls(1))
    write(tmp_path / "b.parquet", problem=["y"], solution=["so"])
    seen = read(tmp_path, type="parquet", path=str(tmp_path / "*.parquet"))
    assert {s["solution"] for s in seen.seeds} == {None, "so"}


def test_a_file_without_rows_and_a_file_of_another_kind_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", problem=[])
    with pytest.raises(SourceError, match=r"a\.parquet holds no rows"):
        check_source(source_of(type="parquet", path=path))
    (tmp_path / "b.jsonl").write_text("{}")
    with pytest.raises(SourceError, match=r"b\.jsonl is not Parquet: use source=jsonl"):
        check_source(source_of(type="parquet", path=str(tmp_path / "b.jsonl")))


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("no parquet")
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="parquet", path=str(path)))
    assert str(path) in str(error.value) and "\n" not in str(error.value)
