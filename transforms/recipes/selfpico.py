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
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Status
from transforms.stages.exercises import FAILED, Exercise, MakeExercises, exercise
from transforms.stages.pairs import UNFIT, cases_of, is_small, known_outputs, unfit
from transforms.stages.tasks import purpose
from transforms.stages.together import run_together

_EVENTS = 10_000
"""Events of a whole run, at most."""
_SECONDS = 1.0
"""CPU seconds of a run, at most."""


@dataclass(kw_only=True)
class Remove(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: programs that fail since one
    definition is gone, graded by what they give on several inputs once it is there."""

    name: str = "remove"
    most: Annotated[int, Field(ge=1)] = 2
    """Programs made of one, at most."""
    inputs: Annotated[int, Field(ge=1)] = 12
    """Inputs beside its own that a completed program is run on, at most."""

    reasons: ClassVar[Iterable[str]] = (
        *UNFIT, *FAILED, "trace_cut", "no_pairs", "no_question",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise]]:
        code = seed.code or ""
        gone = sorted(without_definitions(code), key=lambda each: content_id("gone", seed.id, each))
        if seed.code and not gone:
            return reject("no_question", "it has no definition that could be gone")
        if (verdict := unfit(seed)) is not None:
            return verdict
        known = yield from known_outputs(seed.id, code, self.inputs)
        outputs = {canonical_json(output) for _, output in known}
        if len(known) < 4 or len(outputs) < 2 or not is_small(known[0][1]):
            return reject("no_pairs", f"{len(known)} inputs, {len(outputs)} outputs, or a long one")
        tried = gone[: 3 * self.most]
        programs = [code, *(rest for _, rest in tried)]
        ran = yield from run_together(programs, cpu_seconds=_SECONDS, events=_EVENTS)
        if isinstance(ran, Verdict):
            return ran
        whole, *parts = ran
        if whole.error is not None:
            return reject(Status.RUNTIME_ERROR, whole.error)
        if whole.lines is None:
            return reject("trace_cut", f"over {_EVENTS} events")
        rows: list[Exercise] = []
        for (name, rest), part in zip(tried, parts, strict=True):
            is_why = (part.error or "").startswith(("NameError: ", "UnboundLocalError: "))
            if is_why and f"'{name}'" in (part.error or "") and part.lines is not None:
                share = round(len(part.lines) / len(whole.lines), 3)
                rows.append(self._row(seed, name, rest, share, known))
        return rows[: self.most] or reject("no_question", "it runs without any definition")

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
