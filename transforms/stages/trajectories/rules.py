"""Rules on solutions that run code in their text, after AIMO-2's filters (arXiv 2504.16891)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import ClassVar

from transforms.engine.stage import Map, check
from transforms.stages.trajectories.dialogue_forms import DIALOGUES
from transforms.stages.trajectories.dialogues import Dialogue
from transforms.stages.trajectories.records import Trajectory, with_content

_BOX = re.compile(r"\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}(?:\\[\])]|[$.])*")


def form_of(row: Trajectory) -> Dialogue:
    """Returns the form of a row's dialogue, as `Converse` noted it."""
    return DIALOGUES[json.loads(row.data)["dialogue"]]


@check("no_code")
def no_code(row: Trajectory) -> bool:
    """Objects to a solution that ran no code."""
    return row.cells == 0


@check("code_not_run")
def code_not_run(row: Trajectory) -> bool:
    """Objects to a call in the text that no result follows."""
    form = form_of(row)
    return sum(len(form.read(turn.content)) for turn in row.messages if turn.sampled) != row.cells


@check("answer_before_code")
def answer_before_code(row: Trajectory) -> str:
    """Objects to an answer before the first call: any in a box, or the final one as a word.

    The released code takes any occurrence of the final answer, and so objects to most short ones.
    """
    form = form_of(row)
    first = next(turn.content for turn in row.messages if turn.sampled)
    calls = form.read(first)
    before = first[: calls[0].start] if calls else first
    stated = _BOX.search(before)
    if stated is None and row.answer:
        stated = re.search(rf"(?<![\w.]){re.escape(row.answer)}(?!\w|\.\d)", before)
    return stated[0] if stated else ""


@check("too_many_blocks")
def too_many_blocks(row: Trajectory) -> bool:
    """Objects to more than two calls."""
    return row.cells > 2


@check("failed_call")
def failed_call(row: Trajectory) -> bool:
    """Objects to a conversation in which code or a call failed."""
    return any(turn.failed for turn in row.messages)


@dataclass(kw_only=True)
class CutAfterAnswer(Map):
    """PCollection[Trajectory] -> Outcome of the same: the text ends with its last boxed answer."""

    name: str = "cut"

    reads: ClassVar[type] = Trajectory

    def of(self, row: Trajectory) -> Trajectory:
        *before, last = row.messages
        boxes = list(_BOX.finditer(last.content))
        if not boxes:
            return row
        cut = with_content(before, last, last.content[: boxes[-1].end()])
        return replace(row, messages=(*before, cut))
