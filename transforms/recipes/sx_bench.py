"""sx_bench: how many steps a composed program takes, and which outputs are its own.

After STEPWISE-CODEX-Bench (arXiv 2508.05193).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any, ClassVar

from apache_beam.pvalue import AsSingleton, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.pool import Pool, SeedPool, draw_shots, lineage
from transforms.programs.composition import (
    COUNTER,
    Unit,
    compose,
    counting_lines,
    unit_of,
)
from transforms.programs.facts import Kind, final_values
from transforms.programs.questions import Question
from transforms.programs.walk import walk
from transforms.stages.exercises import (
    UNTRACED,
    Exercise,
    MakeExercises,
    exercise,
    taking_turns,
    traced,
)
from transforms.stages.pairs import known_outputs


@dataclass(kw_only=True)
class Compose(MakeExercises):
    """PCollection[Seed] (verified, with code and an integer output) -> Outcome of Exercise: each is
    composed with others of the pool."""

    name: str = "compose"
    functions: Annotated[int, Field(ge=2)] = 8
    """Functions of a program, at most; two at least, that of the seed included."""
    pairs: Annotated[int, Field(ge=1)] = 7
    """Inputs with an output that may be the program's or not."""
    easy: Annotated[int, Field(ge=1)] = 30
    """Steps of an easy program, at most; a hard one has more."""
    steps: Annotated[int, Field(ge=1)] = 120
    """Steps of a program, at most."""
    pool: Annotated[int, Field(ge=1)] = 2000
    """Seeds that functions are drawn from."""

    reasons: ClassVar[Iterable[str]] = (
        *UNTRACED, "no_unit", "too_many_steps", "differs_alone", "no_pairs",
    )  # fmt: skip

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        return {"units": AsSingleton(records | "Seed pool" >> SeedPool(self.pool))}

    def episode(self, seed: Seed, units: Pool) -> Steps[list[Any]]:
        drawn = draw_shots(units, 4 * self.functions, 0, "units", seed.id)
        known = {each: unit for each in (seed, *drawn) if (unit := _unit(each)) is not None}
        # what branches comes first: other functions always take the same steps
        ranked = sorted(known, key=lambda each: (each != seed, not known[each].branches))
        rng = random.Random(derived_seed(0, "compose", seed.id))
        parts = ranked[: rng.randint(2, self.functions)]
        if seed not in known or len(parts) < 2:
            return [reject("no_unit", "solution alone, from and to integers, is composed")]
        rng.shuffle(parts)
        code = compose([known[part] for part in parts], rng)
        runs = yield from known_outputs(seed.id, code.staged, 4 * self.pairs)
        if not runs:
            return [reject("runtime_error", "the functions do not fit each other")]
        steps, *_, output = runs[0][1]
        if steps > self.steps:
            counted: Exercise | Verdict = reject("too_many_steps", f"{steps} steps")
        else:
            counted = yield from self._steps(seed, code.counting, output)
        pairs = taking_turns([values for _, (_, *values) in runs], itemgetter(-1))
        asked = [counted, self._pairs(seed, code.plain, pairs[: self.pairs], rng)]
        of_all = lineage(sorted(parts, key=lambda part: part.id))
        return [each if isinstance(each, Verdict) else replace(each, **of_all) for each in asked]

    def _steps(self, seed: Seed, code: str, output: Any) -> Steps[Exercise | Verdict]:
        """Asks for the counter at the end: as often as the trace says that it was raised."""
        own = replace(seed, code=code)
        trace = yield from traced(own, 10_000)
        if isinstance(trace, Verdict):
            return trace
        ends, lines = final_values(trace), counting_lines(code)
        raised = sum(e.kind is Kind.LINE and e.line in lines for e in trace.events)
        if (seen := (ends[COUNTER], ends["output"])) != (raised, output):
            return reject("differs_alone", f"{seen}, not {(raised, output)}")
        params = {"band": "easy" if raised <= self.easy else "hard"}
        question = Question(COUNTER, (repr(raised),), params=params)
        run = ["The run, line by line:", "", *walk(code, trace, counts=lines)]
        return exercise(own, question, self.prompt, reasoning="\n".join(run))

    def _pairs(
        self, seed: Seed, plain: str, known: list[list[int]], rng: random.Random
    ) -> Exercise | Verdict:
        """Asks of inputs and outputs which belong together; the outputs of some are others. There
        are three outputs at least: many a program makes one of nearly all inputs. `known` are all
        values of `x` in several runs, from the input to the output."""
        outputs = {values[-1] for values in known}
        if len(known) < self.pairs or len(outputs) < 3:
            return reject("no_pairs", f"{len(known)} inputs have {len(outputs)} outputs")
        shown, truths, told = [], [], ["The values of `x` in `solution`, one after another:", ""]
        for number, values in enumerate(known, start=1):
            start, output = values[0], values[-1]
            others = [other[-1] for other in known if other[-1] != output]
            wrong = rng.choice([*others, output + rng.choice([-1, 1])])
            truths.append(rng.random() < 0.5)
            shown.append([start, output if truths[-1] else wrong])
            is_not = "" if truths[-1] else f", not {wrong}"
            told.append(f"{number}. {', '.join(map(str, values))}: output = {output}{is_not}")
        question = Question("pairs", (repr(truths),), params={"pairs": shown})
        return exercise(replace(seed, code=plain), question, self.prompt, reasoning="\n".join(told))


@lru_cache(maxsize=10_000)  # each seed is drawn many times
def _unit(seed: Seed) -> Unit | None:
    """The function of a seed; None where it cannot be composed, or gives no integer."""
    is_integer = seed.output is not None and type(json.loads(seed.output)) is int
    return unit_of(seed.code) if is_integer and seed.code else None
