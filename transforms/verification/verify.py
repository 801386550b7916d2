"""Verification: an instruction is accepted where enough solutions agree with the program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.accounting import Decide, Outcome, Reason, Verdict, keep, reject
from transforms.ids import content_id
from transforms.records import Attempts, Example, Message, Models
from transforms.settings import SandboxSettings, VerifySettings
from transforms.verification.answers import extract_answer
from transforms.verification.judge import CompareAnswers, Comparison, Pair


def answer_type(output: str) -> str:
    """Names the JSON type of a program's output."""
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "list"}
    return names.get(type(json.loads(output)), "object")


def final_answer(text: str, finish_reason: str) -> str | None:
    """The final answer of a solution; None where it was cut off before one."""
    return None if finish_reason == "length" else extract_answer(text)


def comparison(record: Attempts) -> Comparison:
    """The pairs to compare for a record: each attempt's answer against the program's output."""
    return Comparison(
        record,
        tuple(
            Pair(record.output or "", final_answer(a.text, a.finish_reason), a.text)
            for a in record.attempts
        ),
    )


def judge_agreement(
    record: Attempts, agrees: Sequence[bool], min_agreement: float
) -> tuple[Attempts, Verdict]:
    """Marks each attempt and decides whether enough of them agree."""
    marked = replace(
        record,
        attempts=tuple(
            replace(attempt, agrees=yes)
            for attempt, yes in zip(record.attempts, agrees, strict=True)
        ),
    )
    answers = [final_answer(a.text, a.finish_reason) for a in record.attempts]
    if all(answer is None for answer in answers):
        return marked, reject(Reason.NO_ANSWER_FOUND, f"in {len(answers)} attempts")
    if agreement(marked) < min_agreement:
        said = ", ".join(str(answer)[:40] for answer in answers)
        return marked, reject(
            Reason.LOW_AGREEMENT,
            f"{agreement(marked):.2f}: program gives {(record.output or '')[:80]}, "
            f"attempts say {said}",
        )
    return marked, keep()


def agreement(record: Attempts) -> float:
    """Share of the attempts, marked before, that agree with the program's output."""
    return sum(attempt.agrees is True for attempt in record.attempts) / len(record.attempts)


def example(record: Attempts, recipe: str, run_id: str) -> Example:
    """The accepted row; its solution is the first attempt that agrees."""
    solution = next(attempt.text for attempt in record.attempts if attempt.agrees)
    share = agreement(record)
    return Example(
        id=content_id("example", record.instruction, record.code),
        recipe=recipe,
        instruction=record.instruction,
        solution=solution,
        code=record.code,
        input=record.input or "",
        answer=record.output or "",
        answer_type=answer_type(record.output or ""),
        messages=(Message("user", record.instruction), Message("assistant", solution)),
        agreement=share,
        attempts=len(record.attempts),
        difficulty=1 - share,
        seed_ids=record.seed_ids,
        source=record.source,
        license=record.license,
        models=Models(record.codegen_model, record.reverse_model, record.solve_model),
        tokens=record.tokens,
        run_id=run_id,
    )


@dataclass
class Verify(beam.PTransform):
    """PCollection[Attempts] -> Outcome of Example: `verify.min_agreement` of the attempts agree."""

    verify: VerifySettings
    sandbox: SandboxSettings
    recipe: str
    run_id: str

    stage: ClassVar[str] = "verify"
    reads: ClassVar[type] = Attempts
    writes: ClassVar[type] = Example
    draws: ClassVar[bool] = False

    def expand(self, records: PCollection) -> Outcome:
        least, recipe, run_id = self.verify.min_agreement, self.recipe, self.run_id
        decided = (
            records
            | "Find answers" >> beam.Map(comparison)
            | "Compare" >> CompareAnswers(self.sandbox)
            | "Judge"
            >> beam.MapTuple(lambda record, agrees: judge_agreement(record, agrees, least))
            | "Decide" >> Decide(self.stage)
        )
        examples = decided.kept | "Accept" >> beam.Map(
            lambda record: example(record, recipe, run_id)
        )
        return Outcome(examples, decided.rejected)
