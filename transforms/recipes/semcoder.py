"""semcoder: monologues that follow a program forward and backward, and repairs of faulty programs.

After SemCoder (arXiv 2406.01006); each value that a forward monologue states is checked, too.
"""

import json
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import masked_input, with_input
from transforms.programs.mutants import drawn_mutants
from transforms.programs.questions import Task, read_literal, task_about
from transforms.stages.graders import runs_of_tests
from transforms.stages.pairs import Pair
from transforms.stages.tasks import MakeTasksOfPairs, purpose


@dataclass(kw_only=True)
class AskMonologues(MakeTasksOfPairs):
    """PCollection[Seed] (verified) -> Outcome of Task: `forward` and `backward` for each pair of
    input and output, and one `refine`, which the pairs test.
    """

    name: str = "monologues"
    mutants: Annotated[int, Field(ge=0)] = 5
    """Mutants that are tried until one fails a test."""

    def make(self, seed: Seed, pairs: list[Pair]) -> Steps[list[Task]]:
        program = seed.code or ""
        tasks, masked = [], tagged(masked_input(program))
        for pair in pairs:
            code = with_input(program, read_literal(pair.input))
            golds, shown = [repr(json.loads(pair.output))], {"code": tagged(code)}
            tasks.append(task_about(seed, "forward", code, "tolerant+claims", golds, shown))
            shown = {"code": masked, "known": pair.output}
            tasks.append(task_about(seed, "backward", code, "witness", pair.output, shown))
        return tasks + (yield from self._refine(seed, pairs))

    def _refine(self, seed: Seed, pairs: list[Pair]) -> Steps[list[Task]]:
        """The task to repair the first mutant that ends well and fails a test, where one does."""
        for code in drawn_mutants(seed.id, seed.code or "")[: self.mutants]:
            for run in (yield from runs_of_tests(code, pairs)) or ():
                if run.ended_well and not run.passed:
                    shown = {"problem": purpose(seed), "known": run.input, "wrong": run.seen}
                    shown |= {"right": run.output, "code": tagged(masked_input(code))}
                    return [task_about(seed, "refine", code, "tests", pairs, shown)]
        return []


def tagged(code: str) -> str:
    """A program with the tag of its number before each line.

    >>> tagged("a = 1\\nb = 2")
    '[L1] a = 1\\n[L2] b = 2'
    """
    lines = code.rstrip("\n").split("\n")
    return "\n".join(f"[L{number}] {line}".rstrip() for number, line in enumerate(lines, 1))
