"""Pictures go into cells and come out of them: by hash in the ledger, once, and taken in as any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.images.drawn import drawn
from tests.sandbox.limits import SETTINGS
from transforms.engine.errors import LedgerMiss, RunFolderError
from transforms.engine.records import Picture
from transforms.images.blobs import Blobs, _read
from transforms.images.intake import IntakeSettings, take_in
from transforms.models.asking import Asking
from transforms.models.backends.settings import OpenAIBackend, ReplayBackend
from transforms.models.driver import drive
from transforms.models.episode import Steps
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.ledger.parts import ledger_parts
from transforms.sandbox.jobs import Cell

_REPLAY = ReplayBackend(engine="replay", model="m", api="chat", continue_prefix=False)
_OPENAI = OpenAIBackend(engine="openai", model="m", base_url="http://127.0.0.1:9/v1", api="chat")
_CROP = """
from PIL import Image
Image.open("picture.png").crop((0, 0, 8, 6)).save("cut.png")
"""


def _cut(folder: Path, backend: Any = _OPENAI, number: int = 1) -> Any:
    """Crops a picture in a cell, and takes in what the cell left."""
    blobs = Blobs(str(folder / "blobs"))

    def work(picture: Picture) -> Steps[Any]:
        files = {"picture.png": blobs.get(picture)}
        seen = yield Cell(_CROP, files=files, wanted=("*.png",))
        return (yield from take_in(seen.files["cut.png"], IntakeSettings(), blobs))

    asking = Asking(backend, str(folder / "ledger"), LedgerSettings(), blobs=blobs.folder)
    (found,) = drive([blobs.put(drawn(number))], work, asking, SETTINGS)
    return found


def test_what_a_cell_leaves_is_taken_in_as_a_picture(tmp_path: Path) -> None:
    cut = _cut(tmp_path)
    assert (cut.width, cut.height) == (8, 6)
    assert Blobs(str(tmp_path / "blobs")).get(cut)


def test_a_replay_takes_a_cells_picture_from_the_ledger_and_the_blobs(tmp_path: Path) -> None:
    assert _cut(tmp_path) == _cut(tmp_path, _REPLAY)


def test_another_picture_is_another_cell(tmp_path: Path) -> None:
    _cut(tmp_path)
    with pytest.raises(LedgerMiss, match="a cell is not in the ledger"):
        _cut(tmp_path, _REPLAY, number=2)


def test_the_ledger_has_a_cells_files_by_their_hashes(tmp_path: Path) -> None:
    _cut(tmp_path)
    (part,) = ledger_parts(str(tmp_path / "ledger"))
    (text,) = pq.read_table(part).column("text").to_pylist()
    files = json.loads(text)["files"]
    assert list(files) == ["cut.png", "picture.png"]
    assert Blobs(str(tmp_path / "blobs")).named(files["picture.png"]) == drawn(1)


def test_a_replay_without_the_blobs_is_one_line(tmp_path: Path) -> None:
    _cut(tmp_path)
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file() and not path.suffix:  # what the cell left, before it was taken in
            path.unlink()
    _read.cache_clear()
    with pytest.raises(RunFolderError, match="the blob .* cannot be read"):
        _cut(tmp_path, _REPLAY)
