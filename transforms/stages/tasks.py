"""Stages that make tasks of seeds' programs: what they read, write and need."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.programs.questions import Task
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.pairs import UNPAIRED, Pair, several_pairs


@dataclass(kw_only=True)
class MakeTasks(Episode):
    """PCollection[Seed] -> Outcome of Task; subclasses say what a seed has to have."""

    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True


def purpose(seed: Seed) -> str:
    """Returns what a seed's program is for: its problem, but for CodeI/O programs without the
    question that this ends with, what the output for one input is."""
    described = json.loads(seed.metadata)
    if {"task_description", "input_output_spec"} <= described.keys():
        return f"{described['task_description']}\n\n{described['input_output_spec']}"
    return seed.problem


@dataclass(kw_only=True)
class MakeTasksOfPairs(MakeTasks):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: what subclasses `make` of
    programs that give an output on several inputs."""

    pairs: Annotated[int, Field(ge=2)] = 5
    """Pairs of input and output of each program, at most."""

    reasons: ClassVar[Iterable[str]] = UNPAIRED
    make: ClassVar[Callable[..., Steps[list[Any]]]]
    """(seed, its pairs) -> steps that give tasks and verdicts."""
    likely: ClassVar[bool] = False
    """As `several_inputs` has it."""

    def episode(self, seed: Seed) -> Steps[Verdict | list[Any]]:
        pairs: Verdict | list[Pair] = yield from several_pairs(seed, self.pairs, likely=self.likely)
        return pairs if isinstance(pairs, Verdict) else (yield from self.make(seed, pairs))
