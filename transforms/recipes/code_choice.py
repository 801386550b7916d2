"""code_choice: questions about programs with four options, of which runs decide; no model is asked.

After CodeMMLU (multiple-choice questions about code).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.programs.mutants import drawn_mutants
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Job, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.exercises import Exercise, exercise
from transforms.stages.pairs import UNFIT, is_small, unfit

_OPTIONS = 4


@dataclass(kw_only=True)
class AskChoices(Episode):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: which of four outputs a
    program gives, and which of four lines it lacks.

    The wrong options are what mutants give, and their lines: each mutant ran, ended well, and gave
    something else than the program.
    """

    name: str = "ask"
    prompt: PromptTemplate
    sandbox: SandboxSettings
    candidates: Annotated[int, Field(ge=3)] = 24
    """Mutants of a program that are run, at most."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Exercise
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*UNFIT, "not_small", "few_options")

    def episode(self, seed: Seed) -> Steps[Verdict | list[Exercise]]:
        if (verdict := unfit(seed)) is not None:
            return verdict
        code = seed.code or ""
        mutants = drawn_mutants(seed.id, code)[: self.candidates]
        first, *others = yield [Job(code), *map(Job, mutants)]
        gold = first.output
        if first.status is not Status.OK or gold is None or not is_small(json.loads(gold)):
            return reject("not_small", f"{first.status}: {gold}"[:200])
        ran = [
            (mutant, result.output)
            for mutant, result in zip(mutants, others, strict=True)
            if result.status is Status.OK and result.output not in (None, gold)
        ]
        rng = random.Random(derived_seed(0, "choice", seed.id))
        outputs = [
            output for output in dict.fromkeys(out for _, out in ran) if is_small_json(output)
        ]
        lines = _lines(code, [mutant for mutant, _ in ran])
        rows = []
        if len(outputs) >= _OPTIONS - 1:
            wrong = outputs[: _OPTIONS - 1]
            rows.append(self._row(seed, "output", gold, wrong, {"shown": code}, rng))
        if lines is not None:
            masked, right, wrong = lines
            shown = {"shown": masked, "output": gold}
            rows.append(self._row(seed, "line", right, wrong, shown, rng))
        return rows or reject("few_options", f"{len(ran)} mutants give something else")

    def _row(
        self, seed: Seed, kind: str, right: str, wrong: list[str], shown: dict[str, str],
        rng: random.Random,
    ) -> Exercise:  # fmt: skip
        options = [right, *wrong]
        rng.shuffle(options)
        gold = str(options.index(right) + 1)
        return exercise(
            seed, Question(kind, (gold,), params={**shown, "options": options}), self.prompt
        )


def is_small_json(output: str | None) -> bool:
    """Whether an output, as JSON, is small."""
    return output is not None and is_small(json.loads(output))


def _lines(code: str, mutants: Iterable[str]) -> tuple[str, str, list[str]] | None:
    """The program with a line masked, the line, and three that mutants have there; None where no
    line has as many."""
    own = code.split("\n")
    found: dict[int, list[str]] = {}
    for mutant in mutants:
        changed = mutant.split("\n")
        places = [n for n, (a, b) in enumerate(zip(own, changed, strict=False)) if a != b]
        if len(changed) == len(own) and len(places) == 1:
            line = changed[places[0]].strip()
            if line not in found.setdefault(places[0], []):
                found[places[0]].append(line)
    for place, wrong in sorted(found.items()):
        if len(wrong) >= _OPTIONS - 1:
            line = own[place]
            masked = [
                *own[:place],
                line[: len(line) - len(line.lstrip())] + "...",
                *own[place + 1 :],
            ]
            return "\n".join(masked), line.strip(), wrong[: _OPTIONS - 1]
    return None
