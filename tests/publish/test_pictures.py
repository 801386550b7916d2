"""The report and the pages of a run show pictures, in a real browser."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from datasets import Image, List, load_dataset
from starlette.testclient import TestClient

from pipelines.report import write_report
from tests.browser import browser, needs_browser
from tests.images.drawn import drawn
from tests.publish.inspect.serving import serving
from tests.publish.report.folder import run_folder
from transforms.engine.plain import as_plain
from transforms.engine.records import Picture, PictureMessage, Shown
from transforms.engine.run_folder import RunFolder
from transforms.engine.tables import write_table
from transforms.images.blobs import Blobs
from transforms.publish.catalog import Catalog
from transforms.publish.fields import fields_of
from transforms.publish.inspect.web import application
from transforms.publish.scrub import Scrubber
from transforms.publish.staging import stage_rows


@dataclass(frozen=True)
class Edited:
    """A row about an edit of a picture."""

    id: str
    messages: tuple[PictureMessage, ...]
    before: Picture
    after: Picture


def _edited(blobs: Blobs) -> Edited:
    before, after = (blobs.put(drawn(number, (120, 80))) for number in (1, 2))
    asked = PictureMessage("user", "What moved?", pictures=(Shown(**asdict(before), at=4),))
    return Edited("0" * 32, (asked, PictureMessage("assistant", "A line.")), before, after)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run whose one row is about an edited picture."""
    run = run_folder(tmp_path_factory.mktemp("pictures") / "run")
    for path in Path(run.path("data")).iterdir():
        path.unlink()
    blobs = Blobs(run.path("blobs"))
    path = run.path("data", "train-00000-of-00001.parquet")
    write_table(path, [_edited(blobs)], Edited, "zstd", blobs.folder)
    return run


def test_a_turn_shows_its_pictures_between_its_texts(tmp_path: Path) -> None:
    row = as_plain(_edited(Blobs(str(tmp_path))))
    fields = fields_of(row)
    (talk,) = [block for block in fields.blocks if block.turns]
    assert [part if isinstance(part, str) else part.width for part in talk.turns[0].parts] == [
        *("What", 120, " moved?")
    ]


def test_pictures_of_a_record_stand_side_by_side_by_their_names(tmp_path: Path) -> None:
    first = fields_of(as_plain(_edited(Blobs(str(tmp_path))))).blocks[0]
    assert [picture.caption for picture in first.pictures] == ["before", "after"]


def test_a_picture_that_the_conversation_shows_is_shown_once(tmp_path: Path) -> None:
    row = _edited(Blobs(str(tmp_path)))
    fields = fields_of(as_plain(replace(row, after=row.before)))
    assert [block.title for block in fields.blocks] == ["messages"]


_SHOWN = "[...document.querySelectorAll('img')].map((i) => [i.alt, i.naturalWidth, i.complete])"
_EXPECTED = [["before", 120, True], ["after", 120, True], ["picture", 120, True]]


@needs_browser
def test_a_browser_shows_before_and_after_in_the_report_and_on_the_pages(
    run: RunFolder, tmp_path: Path
) -> None:
    write_report(run, run.read_manifest() or {})
    with browser(tmp_path) as tab, serving(Catalog.open(run.root)) as url:
        tab.size(1280)
        tab.open(Path(run.path("report.html")).as_uri())
        assert tab.value(_SHOWN) == _EXPECTED
        edges = tab.value("[...document.querySelectorAll('.pictures img')].map((i) => i.y)")
        assert len(set(edges)) == 1
        assert (tab.clipped(), tab.faults()) == ([], [])
        tab.open(f"{url}/record/{'0' * 32}")
        assert tab.value(_SHOWN) == _EXPECTED
        assert tab.faults() == []


def test_a_report_without_its_pictures_says_so(run: RunFolder) -> None:
    moved = run.read_manifest() or {}
    config = {**moved["config"], "ledger": {"dir": run.path("elsewhere", "ledger")}}
    write_report(run, {**moved, "config": config})
    text = Path(run.path("report.html")).read_text()
    assert "not shown here" in text
    assert "<img" not in text


@pytest.mark.parametrize(
    "name", ["..%2Fmanifest.json", "x.png", "0" * 64 + ".svg", "0" * 64 + ".png"]
)
def test_only_pictures_of_the_run_are_served(name: str, run: RunFolder) -> None:
    client = TestClient(application(Catalog.open(run.root)), base_url="http://127.0.0.1")
    assert client.get(f"/picture/{name}").status_code == 404


@pytest.mark.parametrize("secret", ["", "hf_" + "a1" * 15])
def test_what_is_published_loads_as_images_with_the_same_bytes(
    secret: str, run: RunFolder, tmp_path: Path
) -> None:
    """Also where a row is written anew, because it holds a secret."""
    blobs = Blobs(run.path("blobs"))
    row = _edited(blobs)
    told = PictureMessage("assistant", f"A line {secret}")
    source = RunFolder(str(tmp_path / "run"))
    path = source.path("data", "train-00000-of-00001.parquet")
    write_table(
        path, [replace(row, messages=(row.messages[0], told))], Edited, "zstd", blobs.folder
    )
    (tmp_path / "staged").mkdir()
    staged = stage_rows(source, tmp_path / "staged", Scrubber({}, {}))
    assert staged.scrubbed == bool(secret)
    loaded = load_dataset(str(tmp_path / "staged"), cache_dir=str(tmp_path / "cache"))["train"]
    assert loaded.features["images"] == List(Image())
    raw = loaded.cast_column("images", List(Image(decode=False)))[0]
    assert [image["bytes"] for image in raw["images"]] == [blobs.get(row.before)]
