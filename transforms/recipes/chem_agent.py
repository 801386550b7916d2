"""chem_agent: solutions under sub-tasks that were verified before: a library that is frozen for the
round (ChemAgent, arXiv 2501.06590)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.pool import Pool
from transforms.recipes import codeadapt
from transforms.recipes.codeadapt import Trained
from transforms.stages.diversity.overlap import folded
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Converse
from transforms.stages.trajectories.dialogues import Dialogue
from transforms.stages.trajectories.records import Trajectory


class Entry(NamedTuple):
    """A sub-task of a problem that was solved, with its code and what that gave."""

    seed_id: str
    task: str
    """The problem, and what the model said before the code."""
    code: str
    output: str


def library(solved: Iterable[Seed], dialogue: Dialogue) -> list[Entry]:
    """Returns the sub-tasks of solved problems whose code ran well; their order does not count."""
    entries = []
    for seed in solved:
        turns = getattr(seed, "trace", ())
        for turn, after in pairwise(turns):
            calls = dialogue.read(turn.content) if turn.sampled and not after.sampled else ()
            if calls and not after.failed:
                said = " ".join(turn.content[: calls[0].start].split())
                task = f"{seed.problem.strip()} {said}"
                entries.append(Entry(seed.id, task, calls[0].code, after.content.strip()))
    return sorted(entries)


def retrieved(
    seed: Seed, entries: Sequence[Entry], most: int, at_least: float
) -> list[tuple[float, Entry]]:
    """Returns the entries that are most like a problem, the likest first, with their similarity:
    the cosine of their counts of words, numbers left out. None is of the problem itself."""
    own = _words(seed.problem)
    near = [(round(_cosine(own, _words(e.task)), 9), e) for e in entries if e.seed_id != seed.id]
    near = [pair for pair in near if pair[0] >= at_least]
    return sorted(near, key=lambda pair: (-pair[0], pair[1]))[:most]


def _words(text: str) -> Counter[str]:
    return Counter(word for word in folded(text) if not word[0].isdigit())


def _cosine(one: Counter[str], other: Counter[str]) -> float:
    sizes = [math.sqrt(sum(n * n for n in each.values())) for each in (one, other)]
    return sum(n * other[word] for word, n in one.items()) / (sizes[0] * sizes[1] or 1)


@dataclass(frozen=True)
class _Prepared(Trained):
    """A problem with the entries that its attempts are shown."""

    found: tuple[tuple[float, Entry], ...] = ()


@dataclass(kw_only=True)
class SolveWithLibrary(codeadapt.Solve):
    """PCollection[Trained] -> Outcome of Trajectory: attempts at the problems that were not solved
    as examples, each under the sub-tasks of these that are most like it.

    The prompt is rendered with `library` too: {task, code, output} of each. A row's `data` names
    the problems that these are of, with their similarity.
    """

    shots: Annotated[int, Field(ge=0)] = 3
    """Sub-tasks shown, at most."""
    similarity: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Of a sub-task that is shown, at least."""

    reasons: ClassVar[Iterable[str]] = Converse.reasons

    def episode(  # type: ignore[override]
        self, seed: Trained, pool: Pool
    ) -> Steps[list[tuple[Trajectory, Verdict]] | Verdict]:
        entries = library(pool, self.dialogue)
        found = tuple(retrieved(seed, entries, self.shots, self.similarity))
        return (yield from Converse.episode(self, _Prepared(**vars(seed), found=found)))

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        found = getattr(seed, "found", ())
        return {**super().words(seed, sample), "library": [e._asdict() for _, e in found]}

    def begun(self, seed: Seed, sample: int, start: tuple[str, ...] = ()) -> Conversation:
        talk = Converse.begun(self, seed, sample, start)
        talk.data["library"] = [[each.seed_id, near] for near, each in getattr(seed, "found", ())]
        return talk
