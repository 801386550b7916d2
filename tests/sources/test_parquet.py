"""Parquet: the columns that a seed has room for, and checks on the schema."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.reading import read, source_of
from transforms.errors import SourceError
from transforms.sources import check_source


def write(path: Path, **columns: list) -> str:
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return str(path)


@pytest.mark.parametrize("workers", [1, 2])
def test_mapped_columns_become_seeds_and_the_rest_is_not_read(tmp_path: Path, workers: int) -> None:
    write(tmp_path / "a.parquet", q=["one", "two", None], a=[1, None, 3], big=["x"] * 3)
    write(tmp_path / "b.parquet", q=["four"], a=[4], kind=["k"])
    seen = read(
        tmp_path,
        workers,
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


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("no parquet")
    with pytest.raises(SourceError) as error:
        check_source(source_of(type="parquet", path=str(path)))
    assert str(path) in str(error.value) and "\n" not in str(error.value)
