"""Comparing answers with programs' outputs: exact rules here, symbolic ones in the sandbox."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.execution.execute import InSandbox
from transforms.execution.sandbox import Job, Result, Status
from transforms.settings import SandboxSettings
from transforms.verification.answers import compare_plain, compare_program


@dataclass(frozen=True)
class Pair:
    """A program's output and an answer to hold against it."""

    output: str
    """JSON."""
    answer: str | None
    """None where no answer was found: never agrees."""


_ORDER = re.compile(
    r"\b(?:in (?:the )?(?:[\w-]+ ){0,3}order|sort(?:ed)?|ascending|descending|(?:in|de)creasing"
    r"|ordered|arranged?|ranked|sequence|from (?:the )?(?:smallest|largest|least|lowest|highest"
    r"|shortest|longest|earliest|latest|oldest|youngest))\b",
    re.I,
)


def asks_for_order(instruction: str) -> bool:
    """Whether an instruction asks for its answers in an order: a set in another is then wrong.

    >>> asks_for_order("List the scores from highest to lowest.")
    True
    """
    return _ORDER.search(instruction) is not None


@dataclass(frozen=True)
class Comparison:
    """A record and the pairs to compare for it."""

    record: Any
    pairs: tuple[Pair, ...]


@dataclass
class CompareAnswers(beam.PTransform):
    """PCollection[Comparison] -> PCollection[(record, tuple[bool, ...])], one bool per pair.

    Exact rules decide what they can; the rest goes to math-verify inside the sandbox, because
    sympy evaluates what it parses. A comparison that fails there is a disagreement.
    """

    sandbox: SandboxSettings

    def expand(self, comparisons: PCollection) -> PCollection:
        return (
            comparisons
            | "Exact rules" >> beam.Map(_by_exact_rules)
            | "Symbolic rules" >> InSandbox(self.sandbox, _plan, _finish)
        )


@dataclass(frozen=True)
class _Partly:
    """A comparison of which some pairs are decided."""

    comparison: Comparison
    decided: tuple[bool | None, ...]

    @property
    def undecided(self) -> list[tuple[str, str]]:
        pairs = zip(self.decided, self.comparison.pairs, strict=True)
        return [(pair.output, pair.answer or "") for verdict, pair in pairs if verdict is None]


def _by_exact_rules(comparison: Comparison) -> _Partly:
    return _Partly(
        comparison,
        tuple(
            False if pair.answer is None else compare_plain(pair.output, pair.answer)
            for pair in comparison.pairs
        ),
    )


def _plan(partly: _Partly) -> list[Job]:
    # A job of its own for each pair: one answer that never ends must not lose its neighbours.
    return [Job(compare_program([pair])) for pair in partly.undecided]


def _finish(partly: _Partly, results: list[Result]) -> tuple[Any, tuple[bool, ...]]:
    found = iter(results)
    return (
        partly.comparison.record,
        tuple(_agrees(next(found)) if verdict is None else verdict for verdict in partly.decided),
    )


def _agrees(result: Result) -> bool:
    """Reads the comparing program's output; anything unexpected is a disagreement."""
    return result.status == Status.OK and json.loads(result.output or "null") == [True]
