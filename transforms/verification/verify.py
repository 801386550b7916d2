"""Verification: an instruction is accepted where enough solutions agree with the program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Decide, Outcome, Reason, Verdict, keep, reject
from transforms.ids import content_id
from transforms.records import Attempts, Example, Message, Models
from transforms.settings import VerifySettings
from transforms.verification.steps import false_step


def answer_type(output: str) -> str:
    """Names the JSON type of a program's output."""
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "list"}
    return names.get(type(json.loads(output)), "object")


def share(record: Attempts, kind: str, more: int = 0, agreeing: int = 0) -> float:
    """Share of the attempts of a kind that agree, if `more` came of which `agreeing` did."""
    marks = [attempt.agrees is True for attempt in record.attempts if attempt.kind == kind]
    return (sum(marks) + agreeing) / max(1, len(marks) + more)


def is_settled(record: Attempts, left: Sequence[int], verify: VerifySettings) -> bool:
    """Whether no outcome of the attempts that are left can change the verdict.

    Args:
        left: attempts that could still be made, by kind in the order of `verify.kinds`.
    """
    kinds = list(zip(verify.kinds, left, strict=True))
    least = verify.min_agreement
    if any(share(record, kind, more, more) < least for kind, more in kinds):
        return True
    agreed = all(share(record, kind, more, 0) >= least for kind, more in kinds)
    return agreed and (not any(left) or solution_of(record) is not None)


def judge_agreement(record: Attempts, verify: VerifySettings) -> Verdict:
    """Decides whether enough of the marked attempts agree, of each kind that is asked for.

    Of those that agree, one has to be a solution to show: `false_equation` where all of them come
    to the right answer by calculations that are wrong.
    """
    if all(attempt.answer is None for attempt in record.attempts):
        return reject(Reason.NO_ANSWER_FOUND, f"in {len(record.attempts)} attempts")
    if any(share(record, kind) < verify.min_agreement for kind in verify.kinds):
        said = ", ".join(str(attempt.answer)[:40] for attempt in record.attempts)
        return reject(
            Reason.LOW_AGREEMENT,
            f"{agreement(record):.2f}: program gives {(record.output or '')[:80]}, "
            f"attempts say {said}",
        )
    if solution_of(record) is None:
        return reject(Reason.FALSE_EQUATION, false_step(told(record)[0]) or "")
    return keep()


def agreement(record: Attempts) -> float:
    """Share of the attempts made, of all kinds, that agree with the program's output."""
    return sum(attempt.agrees is True for attempt in record.attempts) / len(record.attempts)


def told(record: Attempts) -> list[str]:
    """The language solutions that agree."""
    return [a.text for a in record.attempts if a.agrees and a.kind == "cot"]


def solution_of(record: Attempts) -> str | None:
    """The first language solution that agrees and whose equations are true; None for none.

    Where no language solutions were asked for, the shortest written program that agrees.
    """
    if solutions := told(record):
        return next((text for text in solutions if false_step(text) is None), None)
    written = (attempt.text for attempt in record.attempts if attempt.agrees)
    return min(written, key=lambda text: (len(text), text))


def example(record: Attempts, recipe: str, run_id: str) -> Example:
    """The row of a record that was accepted."""
    solution = solution_of(record)
    assert solution is not None
    share_agreeing = agreement(record)
    return Example(
        id=content_id("example", record.instruction, record.code),
        recipe=recipe,
        kind=record.kind,
        instruction=record.instruction,
        solution=solution,
        code=record.code,
        input=record.input or "",
        answer=record.output or "",
        answer_type=answer_type(record.output or ""),
        messages=(Message("user", record.instruction), Message("assistant", solution)),
        agreement=share_agreeing,
        attempts=len(record.attempts),
        difficulty=1 - share_agreeing,
        seed_ids=record.seed_ids,
        source=record.source,
        license=record.license,
        models=Models(record.codegen_model, record.reverse_model, record.solve_model),
        tokens=record.tokens,
        run_id=run_id,
    )


@dataclass
class Verify(beam.PTransform):
    """PCollection[Attempts] (marked) -> Outcome of Example: `verify.min_agreement` of them agree.

    Agreement and difficulty are shares of the attempts made. Where attempts come in several
    rounds, clear cases have fewer of them and a coarser share.
    """

    verify: VerifySettings
    recipe: str
    run_id: str

    stage: ClassVar[str] = "verify"
    reads: ClassVar[type] = Attempts
    writes: ClassVar[type] = Example
    draws: ClassVar[bool] = False

    def expand(self, records: PCollection) -> Outcome:
        verify, recipe, run_id = self.verify, self.recipe, self.run_id
        decided = (
            records
            | "Judge" >> beam.Map(lambda record: (record, judge_agreement(record, verify)))
            | "Decide" >> Decide(self.stage)
        )
        examples = decided.kept | "Accept" >> beam.Map(
            lambda record: example(record, recipe, run_id)
        )
        return Outcome(examples, decided.rejected)
