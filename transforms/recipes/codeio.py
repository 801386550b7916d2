"""codeio: what a function gives on an input, or an input for its output, reasoned in language.

After CodeI/O and CodeI/O++ (arXiv 2502.07316).
"""

import json
from dataclasses import dataclass

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import masked_input, with_input
from transforms.programs.questions import Task, read_literal, task_about
from transforms.stages.pairs import Pair
from transforms.stages.tasks import MakeTasksOfPairs


@dataclass(kw_only=True)
class AskPairs(MakeTasksOfPairs):
    """PCollection[Seed] (verified) -> Outcome of Task: two for each pair of input and output."""

    name: str = "pairs"
    likely = True

    def make(self, seed: Seed, pairs: list[Pair]) -> Steps[list[Task]]:
        yield from ()
        return [asked(seed, kind, pair) for pair in pairs for kind in ("output", "input")]


def asked(seed: Seed, kind: str, pair: Pair) -> Task:
    """The task of one direction: an output is held against the known one, an input is run."""
    described = json.loads(seed.metadata)
    code = with_input(seed.code or "", read_literal(pair.input))
    shown = {
        "code": masked_input(code),
        "problem": described.get("task_description", ""),
        "spec": described.get("input_output_spec", ""),
        "known": pair.input if kind == "output" else pair.output,
    }
    if kind == "output":
        return task_about(seed, kind, code, "tolerant", [repr(json.loads(pair.output))], shown)
    return task_about(seed, kind, code, "witness", pair.output, shown)
