"""compiler_ir: LLVM IR of verified programs: its graph, its runs, and the program it came from.

`programs` draws seeds with more loops and branches than problems in words have.
After "Can LLMs Understand Intermediate Representations in Compilers?" (arXiv 2502.06854).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import content_id
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.form import literal_input, parse, solution_of
from transforms.programs.integer_ir import NotCompilable, compiled
from transforms.programs.ir_runs import Graph, follows, run
from transforms.programs.questions import Question
from transforms.sandbox.jobs import Job, Result, Status
from transforms.stages.exercises import FAILED, Exercise, MakeExercises, exercise
from transforms.stages.pairs import cases_of, known_outputs

_RUN = f"from __future__ import annotations\n\n{inspect.getsource(run)}\n\noutput = run(*"
_MOST = 1000
"""Blocks of a run that are noted, at most."""


@dataclass(kw_only=True)
class AskAboutIR(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: of each level of optimisation
    the graph (`cfg`), the blocks of a run (`path`), the block after one (`next_block`), an `output`
    and the program (`lift`); the first three where there are three blocks or more.
    """

    name: str = "ask"
    levels: tuple[Annotated[int, Field(ge=0, le=3)], ...] = (0, 2)
    """LLVM's levels of optimisation; one that changes nothing is left out."""
    inputs: Annotated[int, Field(ge=1)] = 4
    """Inputs beside its own that a program is run on, at most."""
    lines: Annotated[int, Field(ge=1)] = 150
    """Lines of IR, at most."""
    blocks: Annotated[int, Field(ge=3)] = 40
    """Blocks of a run that are asked for, at most."""

    reasons: ClassVar[Iterable[str]] = (
        *FAILED, "no_program", "not_compilable", "no_pairs", "integer_overflow", "differs_alone",
        "too_long",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if find_spec("llvmlite") is None:
            raise SettingsError("recipe=compiler_ir needs llvmlite: pip install 'cotmill[ir]'")

    def episode(self, seed: Seed) -> Steps[Verdict | list[Any]]:
        if seed.code is None:
            return reject("no_program")
        tree = parse(seed.code)
        own, solution = literal_input(tree) or {}, solution_of(tree)
        names = [each.arg for each in solution.args.args] if solution else []
        if not own or own.keys() != set(names) or not all(map(_is_int, own.values())):
            return reject("not_compilable", "its input is not integers alone")
        try:
            irs = compiled(tree), compiled(tree, checked=True)
        except NotCompilable as error:
            return reject("not_compilable", str(error))
        known = yield from known_outputs(seed.id, seed.code, self.inputs)
        pairs = [(given, output) for given, output in known if _is_int(output)]
        if len(pairs) < 2:
            return reject("no_pairs", f"{len(pairs)} inputs with an integer as output")
        arguments = [[given[name] for name in names] for given, _ in pairs]
        result: Result = yield Job(f"{_RUN}{(*irs, list(self.levels), arguments, _MOST)!r})\n")
        if result.status is not Status.OK:
            return reject(result.status, result.error or "")
        found = json.loads(result.output or "null")
        if found is None:
            return reject("integer_overflow")
        levels = {each["text"]: each for each in found}
        return [row for each in levels.values() for row in self._asked(seed, each, pairs)]

    def _asked(
        self, seed: Seed, level: Any, pairs: list[tuple[dict[str, int], int]]
    ) -> Iterator[Exercise | Verdict]:
        runs = [Run(given, *each) for (given, _), each in zip(pairs, level["runs"], strict=True)]
        if [each.output for each in runs] != [output for _, output in pairs]:
            yield reject("differs_alone", "the IR gives other outputs than the program")
        elif not all(follows(level["graph"], each.path) for each in runs):
            yield reject("differs_alone", "a run leaves the graph")
        elif (lines := 1 + level["text"].count("\n")) > self.lines:
            yield reject("too_long", f"{lines} lines of IR")
        else:
            for question in questions(seed, level["text"], level["graph"], runs, self.blocks):
                cases = cases_of(pairs) if question.grader == "tests" else None
                path = next((r.path for r in runs if r.given == question.params.get("given")), [])
                told = ""
                if question.kind == "output" and 1 < len(path) <= self.blocks:
                    told = f"The blocks of the run, one after another: {', '.join(path)}."
                yield exercise(seed, question, self.prompt, cases, reasoning=told)


class Run(NamedTuple):
    """One run of IR."""

    given: dict[str, int]
    output: int
    path: list[str]
    """Blocks in the order in which they begin."""


def questions(
    seed: Seed, text: str, graph: Graph, runs: Sequence[Run], most: int
) -> Iterator[Question]:
    """Yields what is asked of one text of IR; paths of over `most` blocks are not asked for."""

    def asked(kind: str, gold: str, run: Run | None = None, **params: Any) -> Question:
        shown = {"ir": text, **({"given": run.given} if run else {}), **params}
        return Question(kind, (gold,), params=shown, grader="tests" if kind == "lift" else "strict")

    ranked = sorted(runs, key=lambda run: content_id("run", seed.id, run.given))
    run = max(ranked, key=lambda run: min(len(run.path), most))  # what skips all is no question
    yield asked("output", repr(run.output), run)
    yield asked("lift", (seed.code or "").strip(), example=repr(runs[0].given))
    if len(graph) < 3:
        return
    yield asked("cfg", repr({block: [*after] for block, after in graph.items()}))
    short = [run for run in ranked if len(run.path) <= most]
    if short:
        longest = max(short, key=lambda run: len(run.path))
        yield asked("path", repr(longest.path), longest)
    forks = [
        (run, place)
        for run in short
        for place, block in enumerate(run.path[:-1])
        if run.path[place + 1] in graph[block] and len(graph[block]) > 1
    ]
    if forks:
        run, place = min(forks, key=lambda each: content_id("fork", seed.id, text, *each))
        block = run.path[place]
        time = run.path[: place + 1].count(block)
        yield asked("next_block", repr(run.path[place + 1]), run, block=block, time=time)


def _is_int(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63
