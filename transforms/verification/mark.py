"""Marking: what each attempt answers, and whether that agrees with the program's output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Check
from transforms.execution.execute import InSandbox
from transforms.execution.sandbox import Job, Result, Status
from transforms.records import Attempt
from transforms.settings import SandboxSettings
from transforms.verification.answers import extract_answer
from transforms.verification.judge import CompareAnswers, Comparison, Pair


@dataclass(frozen=True)
class _Code:
    """What the check of form sees of a written program."""

    code: str


def final_answer(text: str, finish_reason: str) -> str | None:
    """The final answer of a solution; None where it was cut off before one."""
    return None if finish_reason == "length" else extract_answer(text)


def plain_answer(output: str) -> str:
    """A program's output (JSON) as a source would state it: strings without their quotes."""
    value = json.loads(output)
    return value if isinstance(value, str) else output


@dataclass
class MarkAttempts(beam.PTransform):
    """PCollection[item with `record: Attempts`] -> the same, each attempt answered and marked.

    Attempts that are marked already stay as they are. A written program is checked for its form
    and run; its answer is its output. Answers are then compared as everywhere.
    """

    sandbox: SandboxSettings
    form: Check

    def expand(self, items: PCollection) -> PCollection:
        form = self.form

        def plan(item: Any) -> list[Job]:
            return [
                Job(attempt.text)
                for attempt in item.record.attempts
                if _is_new_code(attempt) and form(_Code(attempt.text)).kept
            ]

        def finish(item: Any, results: list[Result]) -> Any:
            found = iter(results)
            attempts = []
            for attempt in item.record.attempts:
                if _is_new_code(attempt):
                    runs = form(_Code(attempt.text)).kept
                    attempt = replace(attempt, answer=_output(next(found)) if runs else None)
                elif attempt.agrees is None:
                    answer = final_answer(attempt.text, attempt.finish_reason)
                    attempt = replace(attempt, answer=answer)
                attempts.append(attempt)
            return _with(item, attempts)

        return (
            items
            | "Answers" >> InSandbox(self.sandbox, plan, finish)
            | "Pairs" >> beam.Map(_comparison)
            | "Compare" >> CompareAnswers(self.sandbox)
            | "Marked" >> beam.MapTuple(_marked)
        )


def _is_new_code(attempt: Attempt) -> bool:
    return attempt.kind == "code" and attempt.agrees is None


def _output(result: Result) -> str | None:
    return plain_answer(result.output) if result.status is Status.OK and result.output else None


def _with(item: Any, attempts: Sequence[Attempt]) -> Any:
    return replace(item, record=replace(item.record, attempts=tuple(attempts)))


def _comparison(item: Any) -> Comparison:
    return Comparison(
        item,
        tuple(
            Pair(item.record.output or "", a.answer, a.text if a.kind == "cot" else "")
            for a in item.record.attempts
            if a.agrees is None
        ),
    )


def _marked(item: Any, agrees: Sequence[bool]) -> Any:
    found = iter(agrees)
    return _with(
        item,
        [
            a if a.agrees is not None else replace(a, agrees=next(found))
            for a in item.record.attempts
        ],
    )
