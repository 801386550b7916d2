"""cogex: programs whose leaf functions are a name and a docstring, emulated by a model.

After CoGEX (arXiv 2405.16337).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.facts import final_values
from transforms.programs.leaves import returned_by_leaves, with_leaves
from transforms.programs.questions import Task, task_about
from transforms.stages.exercises import UNTRACED, traced
from transforms.stages.graders import same_output
from transforms.stages.pairs import is_small
from transforms.stages.tasks import MakeTasks


@dataclass(kw_only=True)
class SplitLeaves(MakeTasks):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: what a program gives whose leaf
    functions have no bodies. The answer is the dict that the program with the bodies gives."""

    name: str = "split"
    leaves: Annotated[int, Field(ge=1)] = 2
    """Leaf functions of a program, at least."""

    reasons: ClassVar[Iterable[str]] = (
        *UNTRACED, "few_leaves", "no_entry", "not_small", "differs_alone",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[Task | Verdict]:
        split = with_leaves(seed.code) if seed.code else None
        if split is None or len(split.names) < self.leaves:
            return reject("few_leaves", "of solution, with comments, are leaf functions")
        trace = yield from traced(replace(seed, code=split.whole), 10_000)
        if isinstance(trace, Verdict):
            return trace
        gold = final_values(trace).get("output")
        if not isinstance(gold, dict) or gold.keys() != {*split.names, "answer"}:
            return reject("no_entry", "output is not what solution returns")
        if not is_small(gold):
            return reject("not_small", repr(gold)[:200])
        returned = returned_by_leaves(trace)
        if any(name not in returned or returned[name] != gold[name] for name in split.names):
            return reject("differs_alone", "the dict has not what the leaf functions gave")
        if seed.output is not None and not same_output(json.dumps(gold["answer"]), seed.output):
            return reject("differs_alone", f"{gold['answer']!r}, not {seed.output}")
        shown = {"problem": seed.problem, "program": split.stubs}
        golds = {name: repr(value) for name, value in gold.items()}
        return task_about(seed, "emulate", split.whole, "parts", golds, shown)
