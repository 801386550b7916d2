"""Pictures from outside, and from cells: refused by their headers, decoded behind the walls.

A decoder is a large program that reads what somebody else wrote, so no process that grades or holds
a key decodes a picture that cotmill did not draw: a job of the sandbox does, under its limits, and
writes the pixels anew. What is kept has no metadata, and is turned and resized once, before it is
hashed.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from xml.etree import ElementTree

from PIL import Image, UnidentifiedImageError
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import one_line
from transforms.engine.records import Picture
from transforms.engine.settings import Group
from transforms.images.blobs import Blobs, picture_of
from transforms.models.episode import Steps
from transforms.sandbox.jobs import Cell, CellResult, Job, Result, Status


class PictureReason(StrEnum):
    """Why a picture is not taken in."""

    NO_PICTURE = "no_picture"
    """It is no PNG, JPEG or WebP."""
    PICTURE_TOO_LARGE = "picture_too_large"
    BROKEN_PICTURE = "broken_picture"
    """It does not decode within the sandbox's limits."""
    REFERS_OUTSIDE = "refers_outside"
    """An SVG that would load something, or run it."""


class IntakeSettings(Group):
    """Which pictures are taken in, and at which size they are kept."""

    max_mb: float = Field(20, gt=0, description="MB of a picture's file, at most")
    max_megapixels: float = Field(
        16, gt=0, description="million pixels that its header states, at most"
    )
    longest_side: int | None = Field(
        None, ge=1, description="pixels of the longer side, to which a larger picture is resized"
    )


class Refusal(ValueError):
    """A picture is not taken in."""

    def __init__(self, reason: PictureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def looked_at(data: bytes, settings: IntakeSettings) -> Picture:
    """Returns what a picture's header says of it; no pixel is decoded.

    Raises:
        Refusal: it is no picture for a model, or larger than the settings allow.
    """
    if len(data) > settings.max_mb * 1e6:
        raise Refusal(PictureReason.PICTURE_TOO_LARGE, f"{len(data) / 1e6:.1f} MB")
    if _SVG.match(data):
        check_svg(data.decode(errors="replace"))
        raise Refusal(PictureReason.NO_PICTURE, "an SVG, which models do not take: draw it first")
    try:
        picture = picture_of(data)
    except Image.DecompressionBombError as error:
        raise Refusal(PictureReason.PICTURE_TOO_LARGE, str(error)) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise Refusal(PictureReason.NO_PICTURE, one_line(error)) from None
    if picture.width * picture.height > settings.max_megapixels * 1e6:
        size = f"{picture.width} x {picture.height} pixels"
        raise Refusal(PictureReason.PICTURE_TOO_LARGE, size)
    return picture


def check_svg(text: str) -> None:
    """Checks that an SVG draws nothing but what it holds.

    Raises:
        Refusal: it does not parse, declares entities, refers to another file, or has scripts.
    """
    if re.search(r"<!(?:DOCTYPE|ENTITY)|<\?xml-stylesheet", text, re.IGNORECASE):
        raise Refusal(PictureReason.REFERS_OUTSIDE, "it declares a document type or a style sheet")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise Refusal(PictureReason.NO_PICTURE, str(error)) from None
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name.lower() in ("script", "foreignobject", "iframe"):
            raise Refusal(PictureReason.REFERS_OUTSIDE, f"it has an element {name}")
        for key, value in element.attrib.items():
            key = key.rpartition("}")[2].lower()
            is_link = key in ("href", "src") and not value.strip().startswith("#")
            if is_link or key.startswith("on") or _outside(value):
                raise Refusal(PictureReason.REFERS_OUTSIDE, f"its {name} has {key}={value[:60]!r}")
        if name == "style" and _outside(element.text or ""):
            raise Refusal(PictureReason.REFERS_OUTSIDE, "its style loads something")


def _outside(css: str) -> bool:
    return re.search(r"@import|\\|url\(\s*['\"]?\s*(?!['\"#\s])", css, re.IGNORECASE) is not None


def take_in(
    data: bytes, settings: IntakeSettings, blobs: Blobs, by: type[Job] | type[Cell] = Job
) -> Steps[Picture | Verdict]:
    """Takes a picture in, as steps of an episode whose stage has a `sandbox` (`yield from`).

    Args:
        by: what decodes it. A cell's result is in the ledger, so that a replay decodes nothing; it
            takes a stage that asks a model.

    Returns:
        the picture as it is kept, which may be another one than the bytes given; or a Verdict that
        rejects for a `PictureReason`.
    """
    try:
        seen = looked_at(data, settings)
        asked = json.dumps([settings.longest_side, settings.max_megapixels])
        ending = "jpg" if seen.mime == "image/jpeg" else "png"
        files = {"picture": data, "asked.json": asked.encode()}
        result: Result | CellResult = yield by(_DECODE, files=files, wanted=(f"decoded.{ending}",))
        decoded = result.files.get(f"decoded.{ending}")
        if result.status is not Status.OK or decoded is None:
            detail = f"{result.status}: {result.error or 'it gave no picture'}"
            raise Refusal(PictureReason.BROKEN_PICTURE, detail)
        looked_at(decoded, settings)  # what comes out of the sandbox is a claim, too
    except Refusal as refusal:
        return reject(refusal.reason, str(refusal))
    return blobs.put(decoded)


_SVG = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+)?svg",
    re.S | re.I,
)
_DECODE = """
import json, warnings
from PIL import Image, ImageOps

longest, megapixels = json.load(open("asked.json"))
warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = int(megapixels * 1e6)
image = Image.open("picture", formats=("PNG", "JPEG", "WEBP"))
form = image.format
image = ImageOps.exif_transpose(image)
if image.mode not in ("RGB", "RGBA", "L"):
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
if longest and max(image.size) > longest:
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
plain = Image.new(image.mode, image.size)
plain.paste(image)
if form == "JPEG":
    plain.convert("RGB").save("decoded.jpg", quality=95)
else:
    plain.save("decoded.png")
"""
"""Decodes a picture, and writes its pixels anew."""
