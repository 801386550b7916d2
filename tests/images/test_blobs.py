"""Pictures are kept once, by their hash, on disk and in object stores."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.images.drawn import drawn
from transforms.engine.errors import RunFolderError
from transforms.images.blobs import Blobs


def test_a_picture_is_named_by_its_bytes_and_comes_back_as_it_was(tmp_path: Path) -> None:
    blobs, data = Blobs(str(tmp_path)), drawn(1)
    picture = blobs.put(data)
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert (picture.mime, picture.width, picture.height, picture.size) == (
        *("image/png", 64, 48),
        len(data),
    )
    assert blobs.get(picture) == data


def test_equal_pictures_are_one_file(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    assert blobs.put(drawn(1)) == blobs.put(drawn(1))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_picture_that_is_gone_or_damaged_is_one_line(tmp_path: Path, damage) -> None:
    blobs = Blobs(str(tmp_path))
    picture = blobs.put(drawn(3))
    damage(Path(blobs.path(picture)))
    with pytest.raises(RunFolderError, match=rf"the blob .*{picture.sha256}.png"):
        blobs.get(picture)


def test_a_name_says_nothing_but_hash_and_format(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    picture = replace(blobs.put(drawn(4, form="JPEG")), width=1)
    assert blobs.path(picture) == str(tmp_path / picture.sha256[:2] / f"{picture.sha256}.jpg")
