"""Hostile and huge pictures are refused by their headers; the others are decoded elsewhere."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from tests.images.drawn import drawn
from tests.sandbox.limits import SETTINGS
from transforms.engine.accounting import Verdict
from transforms.engine.records import Picture
from transforms.images.blobs import Blobs
from transforms.images.intake import IntakeSettings, Refusal, check_svg, looked_at, take_in
from transforms.models.driver import drive
from transforms.models.episode import play


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header states so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")
    )


_SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no_picture"),
        (b"GIF89a" + bytes(60), "no_picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(60), "no_picture"),
        (_bomb(5_000, 5_000), "picture_too_large"),
        (_bomb(60_000, 60_000), "picture_too_large"),
        (drawn() + bytes(21_000_000), "picture_too_large"),
        (_SVG.format("<rect/>").encode(), "no_picture"),
        (_SVG.format('<image href="file:///etc/passwd"/>').encode(), "refers_outside"),
    ],
)
def test_a_hostile_or_huge_picture_is_refused_before_anything_decodes_it(
    data: bytes, reason: str, tmp_path: Path
) -> None:
    turns, verdict = play(take_in(data, IntakeSettings(), Blobs(str(tmp_path))))
    assert (turns, isinstance(verdict, Verdict) and verdict.reason) == ([], reason)


@pytest.mark.parametrize(
    "inside",
    [
        '<image xlink:href="http://127.0.0.1/x.png"/>',
        '<use href="other.svg#a"/>',
        "<script>fetch('x')</script>",
        '<rect onload="f()"/>',
        '<rect style="fill:url(http://127.0.0.1/a)"/>',
        "<style>@import 'x.css';</style>",
        "<style>rect{fill:u\\72l(x)}</style>",
        "<foreignObject/>",
    ],
)
def test_an_svg_that_refers_to_something_outside_is_refused(inside: str) -> None:
    with pytest.raises(Refusal) as refusal:
        check_svg(_SVG.format(inside))
    assert refusal.value.reason == "refers_outside"


def test_an_svg_with_entities_is_refused_before_they_are_read() -> None:
    bomb = '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + _SVG.format("&b;")
    with pytest.raises(Refusal, match="document type"):
        check_svg(bomb)


def test_an_svg_that_refers_to_its_own_parts_passes() -> None:
    check_svg(
        _SVG.format('<g id="a"/><use href="#a"/><rect fill="url(#a)" style="fill: url(#a)"/>')
    )


def _taken(data: bytes, folder: Path, **settings: object) -> Picture | Verdict:
    """What becomes of a picture with a real sandbox."""
    given = IntakeSettings(**settings)
    (found,) = drive(
        [data], lambda each: take_in(each, given, Blobs(str(folder))), sandbox=SETTINGS
    )
    return found


def test_a_picture_that_does_not_decode_is_refused(tmp_path: Path) -> None:
    verdict = _taken(drawn()[:-40], tmp_path)
    assert isinstance(verdict, Verdict)
    assert verdict.reason == "broken_picture"


def test_what_is_kept_has_the_pixels_and_no_metadata(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("fault", "the answer is 42")
    data = drawn(7, pnginfo=info)
    picture = _taken(data, tmp_path)
    assert isinstance(picture, Picture)
    kept = Blobs(str(tmp_path)).get(picture)
    assert b"42" in data
    assert b"42" not in kept
    one, other = (Image.open(io.BytesIO(each)).tobytes() for each in (data, kept))
    assert one == other


def test_a_larger_picture_is_resized_once_before_it_is_hashed(tmp_path: Path) -> None:
    picture = _taken(drawn(8, (400, 200), form="JPEG"), tmp_path, longest_side=100)
    assert isinstance(picture, Picture)
    assert (picture.mime, picture.width, picture.height) == ("image/jpeg", 100, 50)


def test_no_pixel_is_decoded_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError(f"decoded in process {os.getpid()}")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    assert isinstance(_taken(drawn(9), tmp_path), Picture)


def test_a_header_is_read_of_each_format_that_models_take() -> None:
    kinds = [looked_at(drawn(form=form), IntakeSettings()).mime for form in ("PNG", "JPEG", "WEBP")]
    assert kinds == ["image/png", "image/jpeg", "image/webp"]
