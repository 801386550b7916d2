"""Grading: a solution is kept where its final answer agrees with the reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.stage import AnyRecord
from transforms.models.episode import Episode, Steps
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import as_pair, compare
from transforms.text.answers import extract_answer


class GradeReason(StrEnum):
    """Why a solution does not come to the reference answer."""

    NO_ANSWER_FOUND = "no_answer_found"
    ANSWER_MISMATCH = "answer_mismatch"


def graded(solution: str, reference: str) -> Steps[Verdict]:
    """Keeps a solution, or a bare answer, that comes to the reference answer.

    What exact rules cannot decide is compared in the sandbox.
    """
    answer = extract_answer(solution)
    if answer is None:
        return reject(GradeReason.NO_ANSWER_FOUND, solution[-200:])
    [agrees] = yield from compare([as_pair(reference, answer)])
    if agrees:
        return keep()
    return reject(GradeReason.ANSWER_MISMATCH, f"{answer[:200]}, reference {reference[:200]}")


@dataclass(kw_only=True)
class Grade(Episode):
    """PCollection[record] -> Outcome of the same: solutions that come to the reference answer."""

    name: str = "grade"
    sandbox: SandboxSettings
    solution: str = "solution"
    """The record's field that holds the solution, or its final answer alone."""
    answer: str = "answer"
    """The field that holds the reference answer."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("solution", "answer")
    reasons: ClassVar[Iterable[str]] = GradeReason

    def episode(self, record: Any) -> Steps[tuple[Any, Verdict]]:
        solution, reference = getattr(record, self.solution), getattr(record, self.answer)
        return record, (yield from graded(solution, reference))
