"""selfpico: programs that lack a definition, to be completed. After SelfPiCo (arXiv 2407.16974)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json, content_id
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.definitions import without_definitions
from transforms.programs.facts import InvalidTrace, Kind, coverage, read_trace
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Job, Result, TraceLimits
from transforms.stages.exercises import UNTRACED, Exercise, MakeExercises, exercise, traced
from transforms.stages.pairs import cases_of, is_small, known_outputs
from transforms.stages.tasks import purpose


@dataclass(kw_only=True)
class Remove(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: programs that fail since one
    definition is gone, graded by what they give on several inputs once it is there."""

    name: str = "remove"
    most: Annotated[int, Field(ge=1)] = 2
    """Programs made of one, at most."""
    inputs: Annotated[int, Field(ge=1)] = 12
    """Inputs beside its own that a completed program is run on, at most."""

    reasons: ClassVar[Iterable[str]] = (*UNTRACED, "no_pairs", "no_question")

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise]]:
        code = seed.code or ""
        gone = sorted(without_definitions(code), key=lambda each: content_id("gone", seed.id, each))
        if seed.code and not gone:
            return reject("no_question", "it has no definition that could be gone")
        whole = yield from traced(seed, 10_000)
        if isinstance(whole, Verdict):
            return whole
        known = yield from known_outputs(seed.id, code, self.inputs)
        outputs = {canonical_json(output) for _, output in known}
        if len(known) < 4 or len(outputs) < 2 or not is_small(known[0][1]):
            return reject("no_pairs", f"{len(known)} inputs, {len(outputs)} outputs, or a long one")
        rows: list[Exercise] = []
        for name, rest in gone[: 3 * self.most]:
            result: Result = yield Job(rest, trace=TraceLimits())
            is_why = result.error_type in ("NameError", "UnboundLocalError")
            if is_why and f"'{name}'" in (result.error or ""):
                ran = _covered(result.trace or "") / len(coverage(whole))
                rows.append(self._row(seed, name, rest, round(ran, 3), known))
            if len(rows) == self.most:
                break
        return rows or reject("no_question", "it runs without any definition")

    def _row(
        self, seed: Seed, name: str, code: str, ran: float, known: list[tuple[Any, Any]]
    ) -> Exercise:
        params = {
            "problem": purpose(seed),
            "partial": code,
            "name": name,
            "coverage": ran,
            "output": canonical_json(known[0][1]),
        }
        gold = (seed.code or "").strip()
        question = Question("complete", (gold,), params=params, grader="tests")
        return exercise(seed, question, self.prompt, cases_of(known))


def _covered(claim: str) -> int:
    """Returns how many lines ran without an exception, also of a cut trace; 0 for no trace."""
    try:
        recorded = read_trace(claim).recorded
    except InvalidTrace:
        return 0
    failed = {event.line for event in recorded if event.kind is Kind.EXCEPTION}
    return len({event.line for event in recorded if event.kind is Kind.LINE} - failed)
