"""refute: an input on which a program that is nearly right goes wrong.

After REFUTE (arXiv 2502.19414), with mutants in place of wrong submissions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import literal_input, parse
from transforms.programs.mutants import drawn_mutants
from transforms.programs.questions import Task, task_about
from transforms.programs.variation import drawn_inputs
from transforms.stages.pairs import UNFIT, outputs_on, unfit
from transforms.stages.tasks import MakeTasks


@dataclass(kw_only=True)
class AskCounterexamples(MakeTasks):
    """PCollection[Seed] (verified) -> Outcome of Task: mutants of a program that random inputs
    hardly tell from it.

    Those that some input tells from it come first. Of those that none does, some do what the
    program does, and nobody refutes these.
    """

    name: str = "mutate"
    tries: Annotated[int, Field(ge=1)] = 100
    """Random inputs that both run on."""
    easy: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of them on which the outputs differ, at most; 0 is the filter of the paper."""
    candidates: Annotated[int, Field(ge=1)] = 20
    """Mutants of one program that are run, at most: an endless one takes the CPU time of a job."""
    most: Annotated[int, Field(ge=1)] = 2
    """Mutants of one program that are asked about, at most."""
    shows_right: bool = False
    """Whether the right program is shown, too: problems that do not say what is right need it."""

    reasons: ClassVar[Iterable[str]] = (*UNFIT, "no_literal_input", "all_easy")

    def episode(self, seed: Seed) -> Steps[Verdict | list[Task]]:
        if (verdict := unfit(seed)) is not None:
            return verdict
        program = seed.code or ""
        own = literal_input(parse(program))
        if own is None:
            return reject("no_literal_input")
        inputs = [own, *drawn_inputs(seed.id, own, self.tries)]
        candidates = drawn_mutants(seed.id, program)[: self.candidates]
        right, *others = yield from outputs_on([program, *candidates], inputs)
        hard = []
        for code, outputs in zip(candidates, others, strict=True):
            share = differing(right, outputs)
            if share <= self.easy:
                hard.append((share == 0, code))
        if not hard:
            return reject("all_easy", f"{len(candidates)} mutants, {len(inputs)} inputs")
        tasks = []
        for _, code in sorted(hard, key=lambda each: each[0])[: self.most]:
            right_one = program if self.shows_right else None
            shown = {"problem": seed.problem, "faulty": code, "own": repr(own), "right": right_one}
            pair = {"faulty": code, "input": repr(own)}
            tasks.append(task_about(seed, "counterexample", program, "counterexample", pair, shown))
        return tasks


def differing(right: list[Any] | None, wrong: list[Any] | None) -> float:
    """The share of inputs on which two programs differ, of those on which the right one gives an
    output; 1 where either did not come to the end.

    >>> differing([[1], [2], []], [[1], [3], [4]])
    0.5
    """
    if not right or not wrong:
        return 1.0
    pairs = [(one, other) for one, other in zip(right, wrong, strict=True) if one]
    return sum(one != other for one, other in pairs) / len(pairs) if pairs else 1.0
