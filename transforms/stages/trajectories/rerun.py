"""Runs the code of texts that already state its output, and compares the two."""

from __future__ import annotations

from typing import Any

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Message
from transforms.models.episode import Steps
from transforms.sandbox.jobs import Cell, Status
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.dialogues import PYTHON
from transforms.stages.trajectories.records import Ended

RERUN_REASONS = (Ended.FORMAT, "no_code", "other_output")
"""Why `rerun` rejects."""


def rerun(talk: Conversation, text: str, **fields: Any) -> Steps[Verdict]:
    """Splits a text at its calls and outputs and appends it to a conversation, turn by turn.

    Each call is run by itself. The text is rejected where an output that it states is not the real
    one, letter for letter but for blanks around it, or is missing.

    Args:
        fields: further fields of the turns that a model wrote.
    """
    dialogue, said, ran = talk.dialogue, "", None
    parts = list(dialogue.parts(text))
    outputs = iter((yield [Cell(part.body) for part in parts if part.kind == "call"]))
    for part in parts:
        if ran is None and part.kind == "text":
            said += part.raw if said else part.raw.removeprefix("\n")  # it ends the output's block
        elif ran is None and part.kind == "call":
            said, ran = said + part.raw, next(outputs)
        elif ran is not None and part.kind == "result":
            output = dialogue.observed(ran)
            if part.body.strip() != output.strip():
                return reject("other_output", f"says {part.body!r}, the code gives {output!r}")
            _append(talk, said, fields)
            shown = dialogue.shown(PYTHON, output, said)
            state, failed = content_id("state", ran.after), ran.status is not Status.OK
            talk.add(Message("tool", shown), True, state=state, failed=failed)
            talk.cells, said, ran = talk.cells + 1, "", None
        elif part.raw.strip():
            return reject(Ended.FORMAT, f"{part.raw[:80]!r} is out of place")
    if ran is not None:
        return reject(Ended.FORMAT, "the output of the last code is missing")
    _append(talk, said, fields)
    return keep() if talk.cells else reject("no_code")


def _append(talk: Conversation, text: str, fields: dict[str, Any]) -> None:
    talk.add(Message("assistant", text), talk.in_message, sampled=True, **fields)
