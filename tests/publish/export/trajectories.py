"""Small finished runs whose rows are trajectories: text that goes on behind each output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.publish.export.runs import LINEAGE, finished
from transforms.engine.ids import content_id
from transforms.engine.records import Message
from transforms.engine.run_folder import RunFolder
from transforms.stages.trajectories.records import Trajectory, Turn, turn, turns_of

QUESTION = "What is 6 times 7, in words?"
CODE = "I compute it.\n```python\nprint(6 * 7)\n```\n```output\n"
FAILING = "I compute it.\n```python\nprint(a)\n```\n```output\n"
OUTPUT = "42\n```\n"
ERROR = "Traceback (most recent call last):\nNameError: name 'a' is not defined\n```\n"


def turns(*said: str, question: str = QUESTION) -> tuple[Turn, ...]:
    """A question and a text in which every other part, from the second on, is shown by code."""
    talk = turns_of([Message("user", question)])
    for place, text in enumerate(said):
        message = Message("tool" if place % 2 else "assistant", text)
        talk = (*talk, turn(talk, message, sampled=place % 2 == 0, continues=place > 0))
    return talk


def trajectory(messages: tuple[Turn, ...], score: float = 1.0, **fields: object) -> Trajectory:
    made = content_id("trajectory", [each.content for each in messages], score)
    values = {"problem": messages[0].content, "reference": "42", **LINEAGE, **fields}
    return Trajectory(id=made, messages=messages, score=score, **values)  # type: ignore[arg-type]


def run_of(root: Path, rows: Sequence[Trajectory]) -> RunFolder:
    return finished(root, "openmath_tir", rows)
