"""Quantities: tasks whose answer has a unit, made of programs whose units hold together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import literal_input, parse, with_input
from transforms.programs.questions import Task, task_about
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.exercises import FAILED
from transforms.stages.pairs import UNFIT, unfit
from transforms.stages.tasks import MakeTasks
from transforms.text.answers.units import (
    Measure,
    conversion_program,
    is_same_value,
    read_measure,
    significant_digits,
)


@dataclass(kw_only=True)
class CheckUnits(MakeTasks):
    """PCollection[Seed] (with code) -> Outcome of Task: programs whose quantities hold together.

    The output has a unit. With every given in other units of its dimension the program gives the
    same quantity: it converts nothing by hand, and takes no number off its unit. Each given, a
    tenth larger, moves the output, and none turns its sign: the output is then a small difference
    of large terms, and their rounding decides about its digits.

    An answer may differ by half a unit of the last digit that all givens have, a hundredth at most.
    """

    name: str = "units"

    reasons: ClassVar[Iterable[str]] = (
        *UNFIT, *FAILED, "no_quantity", "unit_dependent", "unused_given", "cancels",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Task | Verdict]:
        if (verdict := unfit(seed)) is not None:
            return verdict
        code = seed.code or ""
        own = literal_input(parse(code)) or {}
        givens = {n: m for n, given in own.items() if (m := read_measure(str(given))) is not None}
        if len(givens) < len(own) or not own:
            return reject("no_quantity", f"givens: {', '.join(map(str, own.values()))}"[:200])
        measures = list(givens.values())
        [other] = yield [Job(conversion_program([(each, None) for each in measures]))]
        written = json.loads(other.output or "null") if other.status is Status.OK else None
        if not written or not all(isinstance(each, list) for each in written):
            return reject("no_quantity", f"no such unit: {[each.unit for each in measures]}")
        inputs = [own, dict(zip(own, (f"{v!r} {unit}" for v, unit in written), strict=True))]
        inputs += [{**own, name: f"{m.value * 1.1!r} {m.unit}"} for name, m in givens.items()]
        results: list[Result] = yield [Job(with_input(code, each)) for each in inputs]
        if results[0].status is not Status.OK:
            return reject(results[0].status, results[0].error or "")
        found = [_output(result) for result in results]
        gold, again, *moved = found
        if gold is None:
            return reject("no_quantity", f"output: {results[0].output}"[:200])
        if again is None or again.unit != gold.unit or not same(again, gold):
            return reject("unit_dependent", f"{gold}, in other units {again}")
        still = [name for name, each in zip(own, moved, strict=True) if each and same(each, gold)]
        if still:
            return reject("unused_given", ", ".join(still))
        turned = [n for n, m in zip(own, moved, strict=True) if m and m.value * gold.value < 0]
        if turned:
            return reject("cancels", f"{gold}; its sign turns with {', '.join(turned)}")
        digits = min(significant_digits(str(given)) for given in own.values())
        answer = {"value": gold.value, "unit": gold.unit, "tolerance": tolerance_of(digits)}
        variants = [
            {"input": each, "answer": f"{one.value:.10g} {one.unit}".strip()}
            for each, one in zip(inputs[2:], moved, strict=True)
            if one is not None
        ]
        shown = {"problem": seed.problem, "variants": variants, "digits": digits}
        return task_about(seed, "quantity", code, "units", answer, shown)


def tolerance_of(digits: int) -> float:
    """Returns by how much an answer may differ where all givens have so many digits, relative."""
    return min(0.01, 0.5 * 10.0 ** (1 - digits))


def _output(result: Result) -> Measure | None:
    output = json.loads(result.output or "null") if result.status is Status.OK else None
    return read_measure(output) if isinstance(output, str) else None


def same(one: Measure, other: Measure) -> bool:
    """Whether two outputs of a program are the same number, to nine digits."""
    return is_same_value(one.value, 0, other.value, 1e-9)
