"""Equal pixels are one picture, whatever wrote the file."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from PIL import Image

from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX
from tests.recipes.playing import player
from transforms.engine.records import Picture
from transforms.images.blobs import Blobs
from transforms.stages.diversity.pictures import DistinctPictures, pixel_hash


@dataclass(frozen=True)
class Pictured:
    id: str
    picture: Picture
    question: str


def encoded(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, **{"format": "PNG", **options})  # type: ignore[arg-type]
    return file.getvalue()


def drawn() -> Image.Image:
    image = Image.new("RGB", (40, 30), "white")
    image.paste("navy", (5, 5, 20, 20))
    return image


def pixels(folder: Path, data: bytes) -> str:
    blobs = Blobs(str(folder))
    return str(player()(pixel_hash(blobs.put(data), blobs)))


@pytest.mark.parametrize(
    "again",
    [
        encoded(drawn(), compress_level=0),
        encoded(drawn(), format="WEBP", lossless=True),
        encoded(drawn().quantize(2)),
    ],
    ids=["other compression", "other format", "palette"],
)
def test_equal_pixels_have_one_hash_in_any_file(again: bytes, tmp_path: Path) -> None:
    plain = encoded(drawn())
    assert again != plain
    assert pixels(tmp_path, again) == pixels(tmp_path, plain)


def test_other_pixels_or_another_shape_of_them_have_another_hash(tmp_path: Path) -> None:
    other = drawn()
    other.putpixel((0, 0), (255, 255, 254))
    turned = Image.frombytes("RGB", (30, 40), drawn().tobytes())
    assert len({pixels(tmp_path, encoded(each)) for each in (drawn(), other, turned)}) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_of_equal_pictures_with_equal_questions_the_smallest_id_stays(
    workers: int, tmp_path: Path
) -> None:
    blobs = Blobs(str(tmp_path))
    plain, again = blobs.put(encoded(drawn())), blobs.put(encoded(drawn(), compress_level=0))
    records = [
        Pictured("c", plain, "How many?"), Pictured("b", again, "How many?"),
        Pictured("d", again, "What colour?"),
    ]  # fmt: skip
    stage = DistinctPictures(beside="question", sandbox=SANDBOX, blobs=str(tmp_path))
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(records) | pickle.loads(pickle.dumps(stage))
        kept = outcome.kept | "Ids" >> beam.Map(lambda each: each.id)
        lost = outcome.rejected | "Reasons" >> beam.Map(lambda each: each.reason)
        assert_that(kept, equal_to(["b", "d"]), label="kept")
        assert_that(lost, equal_to(["same_picture"]), label="rejected")
