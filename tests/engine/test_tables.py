"""Records survive Parquet, and files do not depend on order or workers."""

import pickle
import tempfile
from dataclasses import dataclass
from unittest.mock import patch

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.engine import tables
from transforms.engine.accounting import Reject
from transforms.engine.blocks import pack, records_of
from transforms.engine.plain import as_plain
from transforms.engine.records import Attempt, Attempts, Call, Example, Message, Seed
from transforms.engine.tables import (
    ReadRecords,
    Size,
    WriteRecords,
    arrow_schema,
    from_row,
    write_table,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
examples = st.builds(
    Example,
    messages=st.lists(st.builds(Message, texts, texts), max_size=3).map(tuple),
    seed_ids=st.lists(texts, max_size=3).map(tuple),
    calls=st.lists(st.builds(Call, texts, texts, st.integers(0, 2**60))).map(tuple),
    attempts=st.integers(0, 100),
    tokens=st.integers(0, 2**60),
    agreement=st.floats(0, 1),
    difficulty=st.floats(0, 1),
    **{
        name: texts
        for name in [
            "id",
            "recipe",
            "instruction",
            "solution",
            "code",
            "input",
            "answer",
            "answer_type",
            "source",
            "license",
            "run_id",
        ]
    },
)


@given(examples)
def test_a_record_is_the_same_after_a_row(record):
    assert from_row(Example, as_plain(record)) == record


def test_a_record_with_nested_and_missing_values_is_the_same_after_parquet(tmp_path):
    record = Attempts(
        id="1",
        code="x",
        seed_ids=("a", "b"),
        source="s",
        license="l",
        calls=(Call("sample", "m", 3),),
        tokens=3,
        status="ok",
        input="{}",
        output=None,
        error=None,
        wall_seconds=0.5,
        cpu_seconds=0.25,
        peak_mb=9.0,
        attempts=(
            Attempt("text", "stop"),
            Attempt("é\u2028", "length", "code", answer="4", agrees=True),
        ),
    )
    path = str(tmp_path / "deep" / "file.parquet")
    assert write_table(path, [record], Attempts, "zstd") == 1
    [row] = pq.read_table(path).to_pylist()
    assert from_row(Attempts, row) == record


@dataclass(frozen=True)
class Step:
    text: str
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Nested:
    id: str
    first: Step | None
    steps: tuple[Step, ...] | None
    gaps: tuple[Step | None, ...] = ()


steps = st.builds(Step, texts, st.none() | st.lists(texts, max_size=2).map(tuple))


@settings(max_examples=25)
@given(
    st.builds(
        Nested,
        texts,
        st.none() | steps,
        st.none() | st.lists(steps, max_size=2).map(tuple),
        st.lists(st.none() | steps, max_size=2).map(tuple),
    )
)
def test_optional_structs_and_tuples_are_the_same_after_parquet(record):
    with tempfile.TemporaryDirectory() as folder:
        write_table(f"{folder}/file.parquet", [record], Nested, "zstd")
        [row] = pq.read_table(f"{folder}/file.parquet").to_pylist()
    assert from_row(Nested, row) == record


def test_published_columns_are_those_of_the_contract():
    assert arrow_schema(Example).names == [
        "id",
        "recipe",
        "kind",
        "instruction",
        "solution",
        "reasoning",
        "code",
        "input",
        "answer",
        "answer_type",
        "messages",
        "agreement",
        "attempts",
        "difficulty",
        "seed_ids",
        "source",
        "license",
        "calls",
        "tokens",
        "run_id",
    ]


def seeds(count):
    return [
        Seed.make(problem=f"problem {n}", source="test", license="CC0-1.0") for n in range(count)
    ]


def write(folder, records, workers=1, shards=3):
    with TestPipeline(**on_workers(workers)) as pipeline:
        written = pipeline | beam.Create(records) | WriteRecords(Seed, str(folder), "part", shards)
        _ = written
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_the_same_bytes_for_any_order_and_number_of_workers(tmp_path):
    one = write(tmp_path / "one", seeds(200))
    other = write(tmp_path / "other", seeds(200)[::-1], workers=2)
    assert one == other
    assert sorted(one) == [f"part-0000{n}-of-00003.parquet" for n in range(3)]


def test_a_shard_without_rows_is_written_too(tmp_path):
    write(tmp_path / "none", [], shards=2)
    tables = [pq.read_table(path) for path in sorted((tmp_path / "none").iterdir())]
    assert [table.num_rows for table in tables] == [0, 0]
    assert tables[0].schema.names == arrow_schema(Seed).names


@pytest.mark.parametrize(("workers", "folder"), [(1, "rows"), (2, "rows [1]*")])
def test_records_read_are_those_written(tmp_path, workers, folder):
    write(tmp_path / folder, seeds(50))
    with TestPipeline(**on_workers(workers)) as pipeline:
        read = pipeline | ReadRecords(Seed, str(tmp_path / folder))
        assert_that(read, equal_to(seeds(50)))


def test_nothing_but_whole_files_is_left_in_the_folder(tmp_path):
    write(tmp_path / "rows", seeds(5))
    write(tmp_path / "rows", seeds(7))
    names = sorted(path.name for path in (tmp_path / "rows").iterdir())
    assert names == [f"part-0000{n}-of-00003.parquet" for n in range(3)]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.text(max_size=20)), max_size=30))
def test_rows_of_a_shard_are_in_one_order_however_many_of_them_are_held(rows):
    seeds = [Seed(i, text, None, None, None, None, "s", "MIT", "{}") for i, text in rows]
    packed = [(seed.id, pickle.dumps(seed)) for seed in seeds]
    blocks = [pack(packed[start : start + 4]) for start in range(0, len(packed), 4)]
    with patch.object(tables, "_HELD_BYTES", 500):
        ordered = list(tables.in_order(blocks))
    assert ordered == list(tables.in_order(blocks))
    assert [seed.id for seed in ordered] == sorted(record_id for record_id, _ in rows)
    assert sorted((seed.id, seed.problem) for seed in ordered) == sorted(rows)


@pytest.mark.parametrize("workers", [1, 2])
def test_there_are_more_files_where_one_would_have_too_many_rows(tmp_path, workers):
    with TestPipeline(**on_workers(workers)) as pipeline:
        parts = (
            pipeline | "Some" >> beam.Create(seeds(200)[:50]),
            pipeline | "Others" >> beam.Create(seeds(200)[50:]),
        )
        _ = parts | WriteRecords(Seed, str(tmp_path), "part", 1, rows_per_shard=30)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [f"part-0000{n}-of-00007.parquet" for n in range(7)]
    rows = [pq.read_table(path)["id"].to_pylist() for path in files]
    assert sorted(id for ids in rows for id in ids) == sorted(seed.id for seed in seeds(200))


@given(st.integers(0, 10**9), st.integers(0, 10**12), st.integers(1, 64), st.integers(1, 10**6))
def test_no_file_has_more_than_its_share_of_rows_and_bytes(rows, size, least, most):
    shards = Size(rows, size).shards(least, most)
    assert shards >= least
    assert rows / shards <= most
    assert size / shards <= 128 << 20


def test_large_rows_are_packed_before_there_are_many():
    packing = tables._PackRows(0, False)
    packing.start_bundle()
    rows = [Reject(f"{n}", "form", "r", "", "Seed", "x" * 500_000, ()) for n in range(20)]
    early = [block for row in rows for _, block in packing.process(row)]
    assert len(list(records_of(early))) == 18
