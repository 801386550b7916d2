"""Marking: what each attempt answers, and whether that agrees with the program's output."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Check
from transforms.execution.execute import InSandbox
from transforms.execution.sandbox import Job, Result, Status
from transforms.records import Attempt
from transforms.settings import SandboxSettings
from transforms.verification.answers import as_sequence, compare_plain, extract_answer
from transforms.verification.judge import CompareAnswers, Comparison, Pair, asks_for_order


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
    and run; its answer is its output. Answers are then compared with the program's output, as
    everywhere, and those that disagree with each other: their votes are counted by value.
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
    record, output = item.record, item.record.output or ""
    answers = [attempt.answer for attempt in record.attempts if attempt.agrees is None]
    if output.startswith("[") and asks_for_order(record.instruction):
        answers = [answer and as_sequence(answer) for answer in answers]
    pairs = [Pair(output, answer) for answer in answers]
    texts = [attempt.answer or "" for attempt in record.attempts]
    between = rivals(record.attempts, output)
    pairs += [as_pair(texts[one], texts[other]) for one, other in between]
    return Comparison((item, between), tuple(pairs))


def _marked(compared: tuple[Any, list[tuple[int, int]]], agrees: Sequence[bool]) -> Any:
    item, between = compared
    verdicts = iter(agrees)
    attempts = [
        a if a.agrees is not None else replace(a, agrees=next(verdicts))
        for a in item.record.attempts
    ]
    return _with(item, with_values(attempts, {pair for pair in between if next(verdicts)}))


def _form(answer: str) -> str:
    """What two answers share that differ in case and spacing alone."""
    return " ".join(answer.split()).casefold()


def rivals(attempts: Sequence[Attempt], output: str) -> list[tuple[int, int]]:
    """Returns pairs of attempts, by index, whose answers have to be held against each other.

    Each is of two attempts of one kind that are worded differently, and that exact rules do not
    find to agree with the program. Of attempts worded alike only the first is named.
    """
    first: dict[tuple[str, str], int] = {}
    for index, attempt in enumerate(attempts):
        if attempt.answer is None or attempt.agrees:
            continue
        if attempt.agrees is False or not compare_plain(output, attempt.answer):
            first.setdefault((attempt.kind, _form(attempt.answer)), index)
    return [
        (one, other)
        for one, other in combinations(first.values(), 2)
        if attempts[one].kind == attempts[other].kind
    ]


def as_pair(one: str, other: str) -> Pair:
    """Two answers as a pair to compare: one that reads as a program's output is the output."""
    for output, answer in ((one, other), (other, one)):
        try:
            value = json.loads(output)
        except ValueError:
            continue
        if not isinstance(value, str):
            return Pair(output, answer)
    return Pair(json.dumps(one), other)


def with_values(attempts: Sequence[Attempt], same: Set[tuple[int, int]]) -> list[Attempt]:
    """Gives attempts that disagree with the program their `value`, by the pairs that are equal."""
    valued: list[Attempt] = []
    for index, attempt in enumerate(attempts):
        value = None if attempt.agrees else attempt.answer
        if value is not None:
            for earlier, one in enumerate(valued):
                if one.kind != attempt.kind or one.value is None or one.answer is None:
                    continue
                if (earlier, index) in same or _form(one.answer) == _form(value):
                    value = one.value
                    break
        valued.append(replace(attempt, value=value))
    return valued
