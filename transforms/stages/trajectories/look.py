"""Conversations about drawn pictures: a model looks, edits the picture by code, and looks again.

`Draw` draws the pictures of seeds, and gives them faults that an edit undoes; `Look` has the
conversations, and measures by a reader whether the edit is needed at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Tally, Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import canonical_json, derived_seed
from transforms.engine.records import Picture, Seed, grow
from transforms.engine.stage import Map
from transforms.images.blobs import Blobs, file_name, picture_of
from transforms.models.episode import Steps
from transforms.models.tools import Tool, ToolSettings, invoke
from transforms.scenes.base import Box
from transforms.scenes.operations import (
    OPERATION,
    Crop,
    Fit,
    Mirror,
    Operation,
    Rotate,
    Transpose,
    undone,
)
from transforms.scenes.proofs import box_of, crop_fault, same_pixels, undoes
from transforms.scenes.readers import Text, is_read, ocr, ocr_version, require_ocr
from transforms.scenes.seeds import Asked, OfScene
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.gallery import Gallery, ShownSettings
from transforms.stages.trajectories.records import PictureTrajectory, Trajectory

FILE = "image_1"
"""The picture's file in the session. It has no ending, and so is not taken for one of a cell's."""


@dataclass(frozen=True, kw_only=True)
class WithFaults(OfScene):
    """What a record says of the picture that it shows: its scene, and its faults."""

    box: tuple[int, ...] = ()
    """Where in the picture without faults the answer stands as text: left, top, right, bottom in
    pixels, y downwards; empty where it stands nowhere."""
    faults: tuple[str, ...] = ()
    """What the recipe calls the faults that the picture was given, in order."""
    changes: str = "[]"
    """The operations that they are, as JSON."""


@dataclass(frozen=True, kw_only=True)
class PictureSeed(WithFaults, Seed):
    """A question about a picture; the right answer is known from the scene that it was drawn of."""

    picture: Picture
    """What is looked at: with its faults."""
    original: Picture
    """The same without faults."""

    @property
    def wants_crop(self) -> bool:
        """Whether small print is among its faults, which no operation is."""
        return len(self.faults) > len(changes_of(self))


@dataclass(frozen=True, kw_only=True)
class LookTrajectory(WithFaults, PictureTrajectory):
    """A conversation about a picture that is known."""

    reader_before: bool | None = None
    """Whether a reader finds the answer in the picture as a model sees it; None: not measured."""
    reader_after: bool | None = None
    """Whether it does after the edit; None: not measured, or found before."""
    needs_tool: bool | None = None
    """Whether it does after the edit alone; None: not measured."""


@dataclass(kw_only=True)
class Draw(Map):
    """PCollection[Seed] (of `scenes.seeds.asked`) -> Outcome of PictureSeed: the picture is drawn,
    and given the faults of one of `sets`, drawn by the seed's id."""

    name: str = "draw"
    scenes: tuple[str, ...] = ()
    """Kinds of scenes that are asked about; empty for all."""
    faults: Mapping[str, Annotated[Operation, Field(discriminator="name")] | None] = field(
        default_factory=dict
    )
    """Name of a fault -> the operation that it is; null is none, for small print (`is_small`)."""
    sets: tuple[tuple[str, ...], ...] = ((),)
    """Faults that a picture is given together: each set that it can have is as likely as
    another. Turns and mirrorings are for pictures in which they are seen (`shows_turns`). Where
    some sets name small print, pictures have one of those if their answer is that, else another."""
    run_seed: int = 0
    blobs: str = ""
    """Folder of the run's pictures (`images.Blobs`)."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = PictureSeed
    reasons: ClassVar[Iterable[str]] = ("no_scene", "box_wanted", "no_fault_fits")

    def __post_init__(self) -> None:
        setting = f"recipe.stages.{self.name}.sets"
        for names in self.sets:
            if unknown := [name for name in names if name not in self.faults]:
                raise SettingsError(f"{setting}: there is no fault {unknown[0]}: add it to faults")
            turns = [isinstance(self.faults[n], (Transpose, Mirror)) for n in names]
            if len(names) > 1 and turns != [True, False]:
                raise SettingsError(
                    f"{setting}: of {list(names)} it cannot be proved that they are undone: of two "
                    "faults, set a turn by quarters or a mirroring and then one that is neither"
                )

    def of(self, seed: Seed) -> PictureSeed | Verdict:
        asked = Asked.of(seed)
        if asked is None or (self.scenes and seed.kind not in self.scenes):
            return reject("no_scene", f"{seed.kind}: seeds come from transforms.scenes.seeds.asked")
        if isinstance(asked.question.answer, list):
            return reject("box_wanted", "an answer in words cannot be held against a box")
        box = asked.question.box if asked.scene.has_text else None
        blobs, original = Blobs(self.blobs), asked.scene.draw()
        small = box is not None and is_small(box, picture_of(original))
        sets = [names for names in self.sets if self.fits(names, small, asked.scene.shows_turns)]
        if not sets:
            what = f"small print: {small}, shows turns: {asked.scene.shows_turns}"
            return reject("no_fault_fits", f"no set is for its picture ({what})")
        names = sets[derived_seed(self.run_seed, "faults", seed.id) % len(sets)]
        changes = [change for name in names if (change := self.faults[name]) is not None]
        changed = original
        for change in changes:
            changed = change.apply(changed)
        return grow(
            PictureSeed,
            seed,
            problem=asked.question.text,
            picture=blobs.put(changed),
            original=blobs.put(original),
            **asked.drawn,
            box=box or (),
            faults=names,
            changes=canonical_json([change.model_dump(mode="json") for change in changes]),
        )

    def fits(self, names: Sequence[str], small: bool, shows_turns: bool) -> bool:
        """Whether a picture can have these faults.

        Args:
            small: whether its answer is small print.
            shows_turns: whether it is seen that it is turned.
        """
        faults = [self.faults[name] for name in names]
        turns = any(isinstance(each, (Transpose, Mirror, Rotate)) for each in faults)
        if turns and not shows_turns:
            return False
        names_print = any(self.faults[name] is None for each in self.sets for name in each)
        return (None in faults) is small if names_print else True


def is_small(box: Box, picture: Picture) -> bool:
    """Whether a line of text is small print: a 25th as high as its picture at most, as on pages."""
    return 25 * (box[3] - box[1]) <= picture.height


def changes_of(seed: PictureSeed) -> list[Operation]:
    """Returns the operations that a picture's faults are."""
    return [OPERATION.validate_python(each) for each in json.loads(seed.changes)]


def repairs(seed: PictureSeed, crops: bool = True) -> list[Operation] | None:
    """Returns the operations that make an answer readable: those that undo the faults, and then a
    crop around its place; None where a fault has none that undoes it.

    Args:
        crops: whether a crop is among them where the answer has a place.
    """
    steps: list[Operation] = []
    width, height = seed.original.width, seed.original.height
    for change in reversed(changes_of(seed)):
        step = undone(change)
        if step is None:
            return None
        if isinstance(step, Rotate):  # on a sheet that grew twice, print is too small to be read
            step = step.model_copy(update={"size": (width, height)})
        steps.append(step)
    if crops and seed.box:
        left, top, right, bottom = seed.box
        edge = bottom - top
        box = (max(left - edge, 0), max(top - edge, 0),
               min(right + edge, width), min(bottom + edge, height))  # fmt: skip
        steps.append(Crop(box=box))
    return steps


def repaired(seed: PictureSeed, steps: Iterable[Operation], blobs: Blobs) -> Picture:
    """Returns a seed's picture after some operations."""
    data = blobs.get(seed.picture)
    for step in steps:
        data = step.apply(data)
    return blobs.put(data)


def edit_of(seed: PictureSeed, picture: Picture, blobs: Blobs) -> str:
    """Returns what an edit of a seed's picture is, by its pixels: `unchanged`; `restored` where it
    undoes the faults; of a picture without faults, or turned and with small print, `covers` where
    it is an upright crop around the answer's place, `missed` or `too_large` where it is another
    crop (`proofs.crop_fault`), and `part` where the answer has no place; else `other`."""
    changes, original = changes_of(seed), blobs.get(seed.original)
    if picture.mime != "image/png":  # its pixels are not those that were written
        return "other"
    if same_pixels(blobs.get(seed.picture), blobs.get(picture)).holds:
        return "unchanged"
    if changes and not seed.wants_crop:
        proof = undoes(changes, original, blobs.get(seed.picture), blobs.get(picture))
        return "restored" if proof.holds else "other"
    box = box_of(blobs.get(picture), original)
    if box is None:
        return "other"
    if not seed.box:
        return "part"
    left, top, right, bottom = seed.box
    return crop_fault(box, (left, top, right, bottom)) or "covers"


RIGHT = frozenset({"restored", "covers", "part"})
"""Edits that are what a picture needs, or at least a part of it where it is not known what it
needs."""


class PictureReader:
    """Reads the text in a picture of the run by OCR, as a tool (see `transforms.models.tools`).

    Args:
        blobs: folder of the run's pictures.
    """

    def __init__(self, blobs: str) -> None:
        self._blobs = Blobs(blobs)

    @property
    def version(self) -> Any:
        """What decides its answers beside the picture: the models of the OCR."""
        return ocr_version()

    def __call__(self, picture: str, pixels: int) -> list[str]:
        """Reads a picture.

        Args:
            picture: name of its file
            pixels: to which it is shrunk before
        """
        seen = Fit(pixels=pixels).apply(self._blobs.named(picture))
        return [each.text for each in ocr(seen)]


@dataclass(kw_only=True)
class Look(Converse):
    """PCollection[PictureSeed] -> Outcome of LookTrajectory: conversations about a picture, in
    which a call shows the pictures that it leaves as files. Right answers are kept of which no edit
    was in vain: one of the pictures that code shows has to be a right one (`RIGHT`), and an answer
    without any stands for itself, unless all of its code failed.

    A row's `data` has `edits`, what each of these pictures is (`edit_of`).

    The session begins with the file `image_1`. The prompt is rendered as by `Converse`, with
    `picture`, which is shown where it stands, `file`, `width` and `height`.
    """

    name: str = "look"
    pictures: ShownSettings = field(default_factory=ShownSettings)
    reader: Literal["ocr", "none"] = "none"
    """What measures whether an edit is needed, before any attempt: OCR (`cotmill[ocr]`) of the
    picture, and of that picture edited as is right."""
    pixels: Annotated[int, Field(ge=28 * 28)] = 262_144
    """Pixels to which the reader's pictures are shrunk, as a model sees large ones."""
    only_needed: bool = False
    """Whether questions are rejected for which no edit is needed, or none helps (with `reader`)."""

    reads: ClassVar[type] = PictureSeed
    writes: ClassVar[type] = LookTrajectory
    shows_pictures: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "no_tool_needed", "edit_in_vain")

    def __post_init__(self) -> None:
        super().__post_init__()
        setting = f"recipe.stages.{self.name}"
        if self.dialogue.continues:
            raise SettingsError(
                f"{setting}.dialogue={self.dialogue.name} shows results in a text that the model "
                "continues, where no picture can stand: set its role to user"
            )
        if self.reader == "ocr":
            require_ocr(f"{setting}.reader", "none")

    def episode(self, seed: Seed) -> Steps[list[tuple[Trajectory, Verdict]] | Verdict]:
        assert isinstance(seed, PictureSeed)
        before, after = yield from self.read(seed)
        needed = None if before is None else bool(after and not before)
        key = {None: "not measured", True: "needed", False: "not needed"}[needed]
        yield Tally(self.name, "needs_tool", key, 1)
        if self.only_needed and needed is False:
            return reject("no_tool_needed", "read before" if before else "not read after the edit")
        rows = yield from self.attempts(seed)
        if isinstance(rows, Verdict):
            return rows
        measured: dict[str, Any] = {
            "reader_before": before, "reader_after": after, "needs_tool": needed,
        }  # fmt: skip
        return [(replace(row, **measured), verdict) for row, verdict in rows]

    def attempts(self, seed: PictureSeed) -> Steps[list[tuple[Trajectory, Verdict]] | Verdict]:
        """Makes the attempts at a question that is worth them."""
        return (yield from super().episode(seed))

    def read(self, seed: PictureSeed) -> Steps[tuple[bool | None, bool | None]]:
        """Has the reader look for the answer in the picture and, unless it finds it, after the
        right edit; None where that is not measured: without a reader, a place of the answer, or an
        edit."""
        steps = repairs(seed)
        if self.reader == "none" or not seed.box or not steps:
            return None, None
        before = yield from self.finds(seed, seed.picture)
        if before is not False:
            return before, None
        after = yield from self.finds(seed, repaired(seed, steps, Blobs(self.blobs)))
        return (None, None) if after is None else (before, after)

    def finds(self, seed: PictureSeed, picture: Picture) -> Steps[bool | None]:
        """Whether the reader finds the answer in a picture; None where it fails."""
        asked = canonical_json({"picture": file_name(picture), "pixels": self.pixels})
        seen = yield from invoke({"read": self._reader}, "read", asked)
        if seen.error is not None:
            return None
        texts = [Text(text, (0, 0, 0, 0)) for text in json.loads(seen.text)]
        return is_read(texts, seed.answer or "", merged=True)

    @cached_property
    def _reader(self) -> Tool:
        path = f"{PictureReader.__module__}.{PictureReader.__name__}"
        settings = ToolSettings(function=path, arguments={"blobs": self.blobs}, seconds=600)
        return Tool("read", settings)

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        assert isinstance(seed, PictureSeed)
        size = {"width": seed.picture.width, "height": seed.picture.height}
        return {**super().words(seed, sample), "picture": seed.picture, "file": FILE, **size}

    def gallery(self, seed: Seed) -> Gallery:
        assert isinstance(seed, PictureSeed)
        return Gallery(Blobs(self.blobs), self.pictures, {FILE: seed.picture})

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        assert isinstance(seed, PictureSeed) and talk.gallery is not None
        tried = yield from super().graded(seed, talk)
        blobs = Blobs(self.blobs)
        edits = [edit_of(seed, picture, blobs) for picture in talk.gallery.shown]
        talk.data["edits"] = edits
        failed = [turn.failed for turn in talk.turns if turn.failed or turn.state is not None]
        in_vain = not RIGHT & {*edits} if edits else bool(failed) and all(failed)
        if tried.verdict.kept and in_vain:
            detail = ", ".join(edits) or "all of its code failed"
            return self.tried(talk, 0.0, reject("edit_in_vain", detail))
        return tried

    def row(
        self, seed: Seed, sample: int, each: Tried, rate: float, attempts: int, place: int = 0
    ) -> LookTrajectory:
        assert isinstance(seed, PictureSeed)
        about = {each.name: getattr(seed, each.name) for each in fields(WithFaults)}
        return grow(LookTrajectory, super().row(seed, sample, each, rate, attempts, place), **about)
