"""codeio: what a function gives on an input, or an input for its output, reasoned in language.

After CodeI/O and CodeI/O++ (arXiv 2502.07316).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.programs import masked_input, with_input
from transforms.programs.questions import Task, read_literal, task_about
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.pairs import UNPAIRED, Pair, several_pairs


@dataclass(kw_only=True)
class AskPairs(Episode):
    """PCollection[Seed] (verified) -> Outcome of Task: two for each pair of input and output."""

    name: str = "pairs"
    sandbox: SandboxSettings
    pairs: Annotated[int, Field(ge=2)] = 10
    """Pairs of each program, at most."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = UNPAIRED

    def episode(self, seed: Seed) -> Steps[Verdict | list[Task | Verdict]]:
        pairs = yield from several_pairs(seed, self.pairs)
        if isinstance(pairs, Verdict):
            return pairs
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
