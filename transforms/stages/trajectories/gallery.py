"""Pictures of a conversation's calls: files of its session, taken in and shown, within limits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict
from transforms.engine.records import Picture
from transforms.images.blobs import Blobs
from transforms.images.intake import IntakeSettings, PictureReason, take_in
from transforms.images.wire import picture_tokens
from transforms.models.episode import Steps, side_by_side
from transforms.sandbox.jobs import Cell

_WANTED = ("*.png", "*.jpg", "*.jpeg", "*.webp")


class ShownSettings(IntakeSettings):
    """Which pictures of its calls a conversation shows."""

    most: int = Field(10, ge=0, description="pictures that calls show in a conversation, at most")
    tokens: int = Field(
        12_000,
        ge=1,
        description="tokens of a conversation's pictures, at most, by estimate (one for each 28 x "
        "28 pixels); the backend's picture_tokens limit a request",
    )


class Taken(NamedTuple):
    """What became of a call's pictures."""

    pictures: tuple[Picture, ...]
    """Those that are shown, in the order of their files' names."""
    notes: tuple[str, ...]
    """A line for each that is not, with the reason."""


@dataclass
class Gallery:
    """The pictures of a conversation under way, by hash.

    A call shows a picture by leaving a file that ends in .png, .jpg, .jpeg or .webp; one that was
    there before, with the same bytes, is not shown again.
    """

    blobs: Blobs
    settings: ShownSettings
    given: Mapping[str, Picture]
    """The files that the session begins with. They have no ending, so that no cell shows them."""
    shown: tuple[Picture, ...] = ()
    """What calls have shown so far, in order."""
    known: Mapping[str, str] = field(default_factory=dict)
    """Name of a file that a cell left -> hash of its bytes."""

    @property
    def hashes(self) -> tuple[str, ...]:
        """Names and hashes of the files that the session begins with."""
        return tuple(f"{name} {each.sha256}" for name, each in sorted(self.given.items()))

    def cell(self, code: str, after: tuple[str, ...]) -> Cell:
        """Returns a cell of the conversation's session."""
        files = {name: self.blobs.get(picture) for name, picture in self.given.items()}
        return Cell(code, after, files=files, wanted=_WANTED)

    def fresh(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Returns those of the files of a session that its cell before did not leave."""
        before = self.known
        self.known = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        return {name: files[name] for name in files if before.get(name) != self.known[name]}

    def take(self, files: Mapping[str, bytes]) -> Steps[Taken]:
        """Takes in the pictures of a call, as far as they are within the limits."""
        new, room = sorted(files), max(self.settings.most - len(self.shown), 0)
        taken = yield from side_by_side(
            take_in(files[name], self.settings, self.blobs, by=Cell) for name in new[:room]
        )
        pictures, notes = list[Picture](), list[str]()
        for name, each in zip(new, taken, strict=False):
            if isinstance(each, Verdict):
                size = f": {each.detail}" if each.reason == PictureReason.PICTURE_TOO_LARGE else ""
                notes.append(f"[{name} is not shown: {str(each.reason).replace('_', ' ')}{size}]")
            elif self._tokens(each) > self.settings.tokens:
                notes.append(f"[{name} is not shown: it is one too many for its size]")
            else:
                pictures.append(each)
                self.shown += (each,)
        if left := len(new[room:]):
            notes.append(f"[{left} not shown: {self.settings.most} pictures are the most]")
        return Taken(tuple(pictures), tuple(notes))

    def _tokens(self, picture: Picture) -> int:
        return sum(map(picture_tokens, (*self.given.values(), *self.shown, picture)))
