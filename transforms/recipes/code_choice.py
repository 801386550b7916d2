"""code_choice: questions about programs with four options, of which runs decide; no model is asked.

After CodeMMLU (multiple-choice questions about code).
"""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.form import parse
from transforms.programs.mutants import drawn_mutants
from transforms.programs.mutants import mutants as mutants_of
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Job, Status
from transforms.stages.exercises import Exercise, MakeExercises, exercise
from transforms.stages.pairs import UNFIT, is_small, unfit

_OPTIONS = 4
_SQUARES = 8
"""Pairs of changes of a program that are run together, at most."""


@dataclass(kw_only=True)
class AskChoices(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: which of four outputs a
    program gives, and which of four lines it lacks.

    The wrong options are what mutants give, and their lines: each mutant ran, ended well, and gave
    something else than the program. Of the lines two have one change and one has both, and
    comments are left out, so that the lines alone do not tell which is right.
    """

    name: str = "ask"
    candidates: Annotated[int, Field(ge=3)] = 24
    """Mutants of a program that are run, at most."""

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
        rows = []
        outputs = [
            output
            for output in dict.fromkeys(output for _, output in ran)
            if is_small(value := json.loads(output)) and value != json.loads(gold)
        ]
        if len(outputs) >= _OPTIONS - 1:
            wrong = around(gold, outputs, rng)
            rows.append(self._row(seed, "output", gold, wrong, {"shown": code}, rng))
        squares = list(islice(_squares(code, [mutant for mutant, _ in ran]), _SQUARES))
        corners = yield [Job(square.both) for square in squares]
        for square, result in zip(squares, corners, strict=True):
            if result.status is Status.OK and result.output not in (None, gold):
                shown = {"shown": square.masked, "output": gold}
                rows.append(self._row(seed, "line", square.right, square.wrong, shown, rng))
                break
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


def around(gold: str, others: Sequence[str], rng: random.Random) -> list[str]:
    """Returns three of the wrong outputs (JSON), the first ones; of numbers so that the right one
    is the smallest, the second, the third or the largest with equal chances, where that can be:
    mutants give somewhat less and somewhat more.
    """
    try:
        values = {other: float(other) for other in (gold, *others)}
    except ValueError:
        return list(others[: _OPTIONS - 1])
    below = [each for each in others if values[each] < values[gold]]
    above = [each for each in others if values[each] > values[gold]]
    wanted = rng.randrange(_OPTIONS)
    count = max(_OPTIONS - 1 - len(above), min(wanted, len(below)))
    return [*below[:count], *above[: _OPTIONS - 1 - count]]


def plain(code: str) -> str:
    """Returns a program in the layout of `ast.unparse`, without its comments."""
    return ast.unparse(parse(code))


class _Square(NamedTuple):
    """A program with a line masked, and four lines for it: with none, the one, the other and both
    of two changes, so that no line is the one that all others are near to."""

    masked: str
    right: str
    wrong: list[str]
    both: str
    """The program with both changes, which has not been run."""


def _squares(code: str, mutants: Sequence[str]) -> Iterator[_Square]:
    """Yields the squares of a program, of mutants that change one line; all are written anew by
    `plain`, as a mutant's quotes and parentheses would show what was changed."""
    code = plain(code)
    own = code.split("\n")
    found: dict[int, dict[str, str]] = {}
    for mutant in map(plain, mutants):
        changed = mutant.split("\n")
        places = [n for n, (a, b) in enumerate(zip(own, changed, strict=False)) if a != b]
        if len(changed) == len(own) and len(places) == 1:
            found.setdefault(places[0], {})[mutant] = changed[places[0]].strip()
    for place, lines in sorted(found.items()):
        line = own[place]
        indent = line[: len(line) - len(line.lstrip())]
        masked = "\n".join([*own[:place], f"{indent}...", *own[place + 1 :]])
        several = lines if len(lines) > 1 else ()
        twice = {each: {plain(m.code) for m in mutants_of(each)} for each in several}
        for one, other in combinations(twice, 2):
            for both in sorted((twice[one] & twice[other]) - {code}):
                last = both.split("\n")[place].strip()
                wrong = [lines[one], lines[other], last]
                yield _Square(masked, line.strip(), wrong, both)
