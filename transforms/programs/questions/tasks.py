"""Tasks about programs and the attempts at them: the records of the execution recipes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.engine.ids import canonical_json
from transforms.engine.records import Call, Derived, Message, Program, Seed, derived


@dataclass(frozen=True, kw_only=True)
class Task(Derived):
    """A question about a program, and how an answer to it is graded."""

    task: str
    """Kind of the question, as its recipe names it, such as `output` or `next_line`."""
    code: str
    """The program that is asked about. A grader may run it."""
    grader: str
    """Graders of `transforms.stages.graders`, joined by `+`: each must be content."""
    answer: str
    """What the graders hold an answer against, as JSON in the form that they name."""
    shown: str = "{}"
    """Further variables of the prompt's template, as a JSON object; one named `code` is shown in
    place of the program."""


def task_about(
    parent: Seed | Derived | Program,
    kind: str,
    code: str,
    grader: str,
    answer: Any,
    shown: Mapping[str, Any],
    calls: Iterable[Call] = (),
) -> Task:
    """Returns a task made from a seed or a program; its id is the hash of what it asks.

    Args:
        answer, shown: as JSON values.
        calls: what models wrote for it.
    """
    return Task(
        task=kind,
        code=code,
        grader=grader,
        answer=canonical_json(answer),
        shown=canonical_json(shown),
        **derived(parent, "task", kind, code, grader, answer, shown, calls=calls),
    )


@dataclass(frozen=True, kw_only=True)
class Attempted(Task):
    """An attempt at a task, with its score."""

    task_id: str
    """The task's id, which all attempts at it share."""
    messages: tuple[Message, ...]
    """Question and response, and where it was revised, feedback and the further response."""
    final_answer: str | None
    """The answer in the last response; None where it has none."""
    score: float
    """What the last response is worth, 0 to 1."""
    turns: int
    """Responses: one more than there were revisions."""
    agreement: float
    """Share of the task's attempts that are right, of those that were answered."""
    attempts: int
    """Attempts at the task that were answered."""
