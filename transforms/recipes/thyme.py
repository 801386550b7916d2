"""thyme: a picture is edited by code, looked at again, and read (after Thyme, arXiv 2508.11630)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import reject
from transforms.engine.records import Seed
from transforms.images.blobs import Blobs
from transforms.models.episode import Steps
from transforms.stages.trajectories.converse import Conversation, Tried
from transforms.stages.trajectories.look import Look, PictureSeed, edit_of


@dataclass(kw_only=True)
class Edit(Look):
    """PCollection[PictureSeed] -> Outcome of LookTrajectory: right answers of which no edit was in
    vain.

    A row's `data` has `edits`, what each picture that code wrote is (`look.edit_of`), and `rounds`.
    Where there is something to prove, faults or a place where the answer stands, one of the edits
    has to do it; an answer without edits stands for itself.
    """

    reasons: ClassVar[Iterable[str]] = (*Look.reasons, "edit_in_vain")

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        assert isinstance(seed, PictureSeed) and talk.gallery is not None
        tried = yield from super().graded(seed, talk)
        blobs = Blobs(self.blobs)
        edits = [edit_of(seed, picture, blobs) for picture in talk.gallery.shown]
        talk.data |= {"edits": edits, "rounds": rounds_of(edits)}
        right = {"restored", "covers"}
        if not (seed.box or seed.changes != "[]"):  # nothing can be proved but that it did nothing
            right |= {"other"}
        if tried.verdict.kept and edits and not right & {*edits}:
            verdict = reject("edit_in_vain", ", ".join(edits))
            return tried._replace(score=0.0, verdict=tried.verdict if self.keeps_wrong else verdict)
        return tried


def rounds_of(edits: Sequence[str]) -> str:
    """Returns what a conversation's edits show: `none`, `one`, `refined` where a crop was too large
    before it was right, `corrected` where it missed its place before, `several` otherwise.

    >>> rounds_of(["missed", "covers"]), rounds_of(["too_large", "covers"]), rounds_of(["restored"])
    ('corrected', 'refined', 'one')
    """
    if len(edits) < 2:
        return "one" if edits else "none"
    before = edits[: edits.index("covers")] if "covers" in edits else ()
    if "missed" in before:
        return "corrected"
    return "refined" if "too_large" in before else "several"
