"""Comparing answers with programs' outputs: exact rules here, symbolic ones in the sandbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.programs import with_input
from transforms.sandbox.jobs import Job, Result, Status
from transforms.text.answers import compare_plain, compare_program

if TYPE_CHECKING:
    from transforms.models.episode import Steps


@dataclass(frozen=True)
class Pair:
    """A program's output and an answer to hold against it."""

    output: str
    """JSON."""
    answer: str | None
    """None where no answer was found: never agrees."""


def as_pair(one: str, other: str) -> Pair:
    """Two answers as a pair to compare: one that reads as a program's output is the output."""
    for output, answer in ((one, other), (other, one)):
        try:
            value = json.loads(output)
        except (ValueError, RecursionError):
            continue
        if not isinstance(value, str):
            return Pair(output, answer)
    return Pair(json.dumps(one), other)


def compare(pairs: Sequence[Pair]) -> Steps[list[bool]]:
    """Says of each pair whether the two agree.

    Exact rules decide what they can; the rest goes to math-verify inside the sandbox, because
    sympy evaluates what it parses. A comparison that fails there is a disagreement.
    """
    decided = [
        False if pair.answer is None else compare_plain(pair.output, pair.answer) for pair in pairs
    ]
    open_ = [place for place, verdict in enumerate(decided) if verdict is None]
    # A job of its own for each pair: one answer that never ends must not lose its neighbours.
    jobs = [Job(compare_program([(pairs[i].output, pairs[i].answer or "")])) for i in open_]
    if jobs:
        for place, result in zip(open_, (yield jobs), strict=True):
            decided[place] = _agrees(result)
    return [verdict is True for verdict in decided]


def _agrees(result: Result) -> bool:
    """Reads the comparing program's output; anything unexpected is a disagreement."""
    return result.status == Status.OK and json.loads(result.output or "null") == [True]


def reproduces(code: str, output: str, given: str) -> Steps[bool]:
    """Says whether a program gives an output on an input, both JSON.

    Raises:
        ValueError: the input cannot be the program's.
    """
    [result] = yield [Job(with_input(code, json.loads(given)))]
    [same] = yield from compare([Pair(output, result.output)])
    return same
