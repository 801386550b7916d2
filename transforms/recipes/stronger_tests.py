"""stronger_tests: an input on which a fault that given tests miss shows (after UTBoost, arXiv
2506.09289)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs import literal_input, parse
from transforms.programs.mutants import drawn_mutants
from transforms.programs.questions import Task, read_literal, task_about
from transforms.programs.variation import drawn_inputs
from transforms.stages.pairs import UNPAIRED, outputs_on, several_pairs
from transforms.stages.tasks import MakeTasks, purpose


@dataclass(kw_only=True)
class FindSurvivors(MakeTasks):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: mutants that pass the given tests
    of a program and yet differ from it on some input that is drawn.

    The given tests are the program's own input and `given` - 1 others. What the answer is graded by
    is that the two programs differ on it (`counterexample`).
    """

    name: str = "survive"
    given: Annotated[int, Field(ge=2)] = 3
    """Tests that a program has already."""
    tries: Annotated[int, Field(ge=1)] = 60
    """Random inputs that a survivor has to differ on at least one of."""
    candidates: Annotated[int, Field(ge=1)] = 20
    """Mutants of one program that are run, at most."""
    most: Annotated[int, Field(ge=1)] = 2
    """Survivors of one program that are asked about, at most."""

    reasons: ClassVar[Iterable[str]] = (*UNPAIRED, "no_literal_input", "none_survives")

    def episode(self, seed: Seed) -> Steps[Verdict | list[Task]]:
        pairs = yield from several_pairs(seed, self.given)
        if isinstance(pairs, Verdict):
            return pairs
        program, cases = seed.code or "", [(pair.input, pair.output) for pair in pairs]
        own = literal_input(parse(program))
        if own is None:
            return reject("no_literal_input")
        inputs = [read_literal(given) for given, _ in cases]
        inputs += drawn_inputs(seed.id, own, self.tries)
        candidates = drawn_mutants(seed.id, program)[: self.candidates]
        right, *others = yield from outputs_on([program, *candidates], inputs)
        found = [
            code
            for code, outputs in zip(candidates, others, strict=True)
            if survives(right, outputs, len(cases))
        ]
        if not found:
            return reject("none_survives", f"of {len(candidates)} mutants")
        return [
            task_about(
                seed, "test", program, "counterexample", {"faulty": code, "input": repr(own)},
                {"problem": purpose(seed), "faulty": code, "tests": cases},
            )
            for code in found[: self.most]
        ]  # fmt: skip


def survives(right: list[Any] | None, wrong: list[Any] | None, given: int) -> bool:
    """Whether a program gives what the right one does on the first `given` inputs, and something
    else on one of the others. Both are outputs as `outputs_on` has them.

    >>> survives([[1], [2], [3]], [[1], [2], [4]], 2), survives([[1], [2]], [[1], []], 1)
    (True, False)
    """
    if not right or not wrong or right[:given] != wrong[:given]:
        return False
    pairs = zip(right[given:], wrong[given:], strict=True)
    return any(one and other and one != other for one, other in pairs)
