"""Marking: what each attempt answers, and whether that agrees with the program's output."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from transforms.engine.accounting import Check
from transforms.engine.records import Attempt, Attempts
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.judge import Pair, as_pair, compare
from transforms.text.answers import as_asked, compare_plain, final_answer, plain_answer

if TYPE_CHECKING:
    from transforms.models.episode import Steps


@dataclass(frozen=True)
class _Code:
    """What the check of form sees of a written program."""

    code: str


def answered(attempts: Sequence[Attempt], form: Check) -> Steps[list[Attempt]]:
    """Returns attempts with their answers; those that are marked already stay as they are.

    A written program is checked for its form and run, and its answer is its output.
    """
    new = [attempt for attempt in attempts if attempt.agrees is None]
    written = [a for a in new if a.kind == "code" and form(_Code(a.text)).kept]
    results = iter((yield [Job(attempt.text) for attempt in written]) if written else [])
    outputs = {id(attempt): _output(next(results)) for attempt in written}
    return [
        a
        if a.agrees is not None
        else replace(a, answer=outputs.get(id(a)))
        if a.kind == "code"
        else replace(a, answer=final_answer(a.text, a.finish_reason))
        for a in attempts
    ]


def as_held(attempt: Attempt, output: str, instruction: str) -> Pair:
    """An answered attempt's answer, in the form that was asked for, beside the program's output."""
    return Pair(output, attempt.answer and as_asked(attempt.answer, output, instruction))


def mark(record: Attempts, form: Check) -> Steps[Attempts]:
    """Returns a record whose attempts are all answered and marked.

    Attempts that are marked already stay as they are. Answers are compared with the program's
    output, and those that disagree with each other: their votes are counted by value.
    """
    attempts = yield from answered(record.attempts, form)
    output = record.output or ""
    pairs = [as_held(a, output, record.instruction) for a in attempts if a.agrees is None]
    texts = [attempt.answer or "" for attempt in attempts]
    between = rivals(attempts, output)
    pairs += [as_pair(texts[one], texts[other]) for one, other in between]
    verdicts = iter((yield from compare(pairs)))
    marked = [a if a.agrees is not None else replace(a, agrees=next(verdicts)) for a in attempts]
    equal = {pair for pair in between if next(verdicts)}
    return replace(record, attempts=tuple(with_values(marked, equal)))


def _output(result: Result) -> str | None:
    return plain_answer(result.output) if result.status is Status.OK and result.output else None


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
