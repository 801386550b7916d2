"""Rows with pictures: `datasets` loads them as images, with the bytes that were put in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from datasets import Image, List, load_dataset

from tests.beam import on_workers
from tests.images.drawn import drawn
from transforms.engine.plain import as_plain
from transforms.engine.records import Example, Message, Picture, PictureMessage, Shown
from transforms.engine.tables import WriteRecords, arrow_schema, from_row, write_table
from transforms.images import rows as rows_module
from transforms.images.blobs import Blobs
from transforms.images.rows import holds_pictures, image_schema, pictures_of


@dataclass(frozen=True)
class Look:
    """A row with pictures."""

    id: str
    messages: tuple[PictureMessage, ...]
    before: Picture | None = None


def look(blobs: Blobs, number: int, pictures: int = 2) -> Look:
    """A row that shows pictures of its own and asks what they are."""
    seen = [blobs.put(drawn(number * 10 + each)) for each in range(pictures)]
    shown = tuple(Shown(**asdict(picture), at=5) for picture in seen)
    asked = PictureMessage("user", "What is it?", pictures=shown)
    return Look(f"{number:04}", (asked, PictureMessage("assistant", "A line.")))


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs"))


def _loaded(folder: Path) -> Any:
    files = sorted(map(str, folder.glob("*.parquet")))
    cache = str(folder / ".cache")
    return load_dataset("parquet", data_files=files, split="train", cache_dir=cache)


def test_datasets_loads_the_pictures_of_rows_as_images(blobs: Blobs, tmp_path: Path) -> None:
    row = look(blobs, 1)
    write_table(str(tmp_path / "rows.parquet"), [row], Look, "zstd", blobs.folder)
    loaded = _loaded(tmp_path)
    assert loaded.features["images"] == List(Image())
    assert [image.size for image in loaded[0]["images"]] == [(64, 48)] * 2


def test_what_is_loaded_has_the_bytes_that_were_sent(blobs: Blobs, tmp_path: Path) -> None:
    rows = [look(blobs, number) for number in range(3)]
    write_table(str(tmp_path / "rows.parquet"), rows, Look, "zstd", blobs.folder)
    loaded = _loaded(tmp_path).cast_column("images", List(Image(decode=False)))
    for row, record in zip(loaded, rows, strict=True):
        sent = [blobs.get(picture) for picture in record.messages[0].pictures]
        assert [image["bytes"] for image in row["images"]] == sent
        assert from_row(Look, row) == record


def test_the_schema_tells_the_feature_of_every_column(tmp_path: Path) -> None:
    schema = image_schema(arrow_schema(Look))
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names


def test_a_row_carries_the_pictures_of_its_messages_as_often_as_they_are_shown(
    blobs: Blobs,
) -> None:
    row = look(blobs, 1, 1)
    twice = Look("1", row.messages * 2, before=blobs.put(drawn(9)))
    assert pictures_of(twice) == row.messages[0].pictures * 2


def test_a_row_whose_messages_show_none_carries_its_other_pictures(blobs: Blobs) -> None:
    before = blobs.put(drawn(9))
    assert pictures_of(Look("1", (), before)) == (before,)


def test_a_turn_of_text_among_turns_with_pictures_comes_back(blobs: Blobs, tmp_path: Path) -> None:
    row = look(blobs, 1)
    talk = (row.messages[0], Message("assistant", "A line."))
    path = str(tmp_path / "part.parquet")
    write_table(path, [replace(row, messages=talk)], Look, "zstd")  # type: ignore[arg-type]
    (read,) = pq.read_table(path).to_pylist()
    assert from_row(Look, read) == row


@pytest.mark.parametrize(("kind", "holds"), [(Look, True), (Example, False), (Message, False)])
def test_a_type_says_whether_its_records_hold_pictures(kind: type, holds: bool) -> None:
    assert holds_pictures(kind) is holds


def test_rows_of_text_have_the_columns_that_they_always_had(tmp_path: Path) -> None:
    write_table(str(tmp_path / "a.parquet"), [], Example, "zstd", str(tmp_path / "blobs"))
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert schema == arrow_schema(Example)
    assert schema.metadata is None


def test_few_pictures_are_held_at_a_time(blobs: Blobs, tmp_path: Path, monkeypatch) -> None:
    records = [look(blobs, number) for number in range(6)]
    monkeypatch.setattr(rows_module, "_BATCH_BYTES", 1)
    write_table(str(tmp_path / "rows.parquet"), records, Look, "zstd", blobs.folder)
    assert pq.ParquetFile(tmp_path / "rows.parquet").num_row_groups == 6


def test_records_without_the_bytes_come_back_from_a_stage(blobs: Blobs, tmp_path: Path) -> None:
    record = look(blobs, 1)
    write_table(str(tmp_path / "part.parquet"), [record], Look, "zstd")
    assert "images" not in pq.read_schema(tmp_path / "part.parquet").names
    assert from_row(Look, as_plain(record)) == record


def test_a_pipeline_of_several_workers_writes_the_pictures(blobs: Blobs, tmp_path: Path) -> None:
    records = [look(blobs, number) for number in range(6)]
    with TestPipeline(**on_workers(2)) as pipeline:
        _ = (
            pipeline
            | beam.Create(records)
            | WriteRecords(Look, str(tmp_path / "data"), "train", 1, blobs=blobs.folder)
        )
    table = pq.read_table(tmp_path / "data")
    assert table.column("id").to_pylist() == [record.id for record in records]
    assert table.column("images").to_pylist()[5][1]["bytes"] == drawn(51)
