"""Records that show the same pictures, pixel by pixel, whatever their files look like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

from apache_beam.pvalue import PCollection

from transforms.engine.ids import content_id
from transforms.engine.losers import DropLosers, LimitPerKey
from transforms.engine.outcomes import Outcome
from transforms.engine.records import Picture
from transforms.engine.stage import AnyRecord, Stage
from transforms.images.blobs import Blobs
from transforms.images.rows import pictures_of
from transforms.models.driver import Drive
from transforms.models.episode import Steps
from transforms.sandbox.jobs import Job, Result
from transforms.sandbox.settings import SandboxSettings

_HASH = """
import hashlib
from PIL import Image

image = Image.open("picture", formats=("PNG", "JPEG", "WEBP")).convert("RGBA")
output = hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()
"""
_known: dict[str, str] = {}
"""SHA-256 of a picture's bytes -> its pixel hash, of the last pictures of this process."""


class Shows(NamedTuple):
    """What a record shows."""

    id: str
    key: str


@dataclass(kw_only=True)
class DistinctPictures(Stage):
    """PCollection[record] -> Outcome of the same: of the records that show the same pictures and
    are alike in `beside`, the one with the smallest id stays.

    Pictures are the same where their pixels are: equal PNG files of another encoder are, a JPEG of
    one is not. The sandbox decodes them.
    """

    name: str = "distinct_pictures"
    beside: str = ""
    """The records' field that has to be equal too, such as a question; empty for none."""
    sandbox: SandboxSettings
    blobs: str = ""
    """Folder of the run's pictures (`images.Blobs`)."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("beside",)
    reasons: ClassVar[Iterable[str]] = ("same_picture",)

    def expand(self, records: PCollection) -> Outcome:
        shown = records | "Hash" >> Drive(self.name, partial(shows, self), sandbox=self.sandbox)
        losers = shown.results | "Find" >> LimitPerKey(
            lambda each: each.key, lambda each: 0, 1, "same_picture"
        )
        outcome: Outcome = records | "Drop" >> DropLosers(self.name, losers)
        return outcome._replace(tallies=shown.tallies)


def shows(stage: DistinctPictures, record: Any) -> Steps[Shows]:
    """Returns the key of a record: of its pictures, and of the field beside them."""
    hashes = []
    for picture in pictures_of(record):
        hashes.append((yield from pixel_hash(picture, Blobs(stage.blobs))))
    beside = getattr(record, stage.beside) if stage.beside else None
    return Shows(record.id, content_id("shows", hashes, beside))


def pixel_hash(picture: Picture, blobs: Blobs) -> Steps[str]:
    """Returns the hash of a picture's size and pixels; of one that does not decode, that of its
    bytes."""
    if picture.sha256 not in _known:
        result: Result = yield Job(_HASH, files={"picture": blobs.get(picture)})
        if len(_known) >= 10_000:
            _known.clear()
        _known[picture.sha256] = str(result.output or picture.sha256)
    return _known[picture.sha256]
