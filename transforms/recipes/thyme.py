"""thyme: a picture is edited by code, looked at again, and read (after Thyme, arXiv 2508.11630)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Tried
from transforms.stages.trajectories.look import Look


@dataclass(kw_only=True)
class Edit(Look):
    """PCollection[PictureSeed] -> Outcome of LookTrajectory: conversations whose `data` has
    `rounds`, what the edits of a picture show (`rounds_of`)."""

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        tried = yield from super().graded(seed, talk)
        talk.data["rounds"] = rounds_of(talk.data["edits"])
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
