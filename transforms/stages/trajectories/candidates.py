"""Right and wrong solutions of a problem side by side, for a model that learns to choose."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.groups import GroupMap
from transforms.engine.ids import derived_seed
from transforms.engine.records import Derived, derived
from transforms.stages.trajectories.records import Trajectory


@dataclass(frozen=True, kw_only=True)
class Candidates(Derived):
    """A problem and solutions of it to choose among."""

    problem: str
    """The problem in natural language."""
    solutions: tuple[str, ...]
    """The solutions by their numbers, from 0."""
    right: tuple[bool, ...]
    """Whether each comes to the right answer."""


_JUDGMENT = re.compile(r"Judge?ment:\**\s*(\d+)")


def judgment(text: str, count: int) -> int | None:
    """Returns the number that the last `Judgment: n` of a text names; None where it has none, or
    one that is no number of `count` solutions.

    >>> judgment("Judgment: 0? No. Judgment: 2", 3), judgment("Judgment: 3", 3)
    (2, None)
    """
    found = _JUDGMENT.findall(text)
    return int(found[-1]) if found and int(found[-1]) < count else None


def draw_size(chance: random.Random, most: int) -> int:
    """Draws how many solutions are shown: 2 to `most`, from a truncated normal distribution that
    peaks at half of them, as in GenSelect's released code."""
    while most > 2:
        drawn = chance.gauss((most + 2) // 2, (most - 2) / 6)
        if 2 <= drawn <= most:
            return int(drawn)
    return most


def draw_groups(
    right: Sequence[Any], wrong: Sequence[Any], seed: int, most: int, largest: int
) -> Iterator[list[Any]]:
    """Yields up to `most` different groups of 2 to `largest` solutions in a drawn order, each with
    at least one that is right and one that is wrong, and never more right ones than there are wrong
    (GenSelect, arXiv 2504.16891)."""
    chance = random.Random(seed)
    seen: set[tuple[str, ...]] = set()
    for _ in range(2 * most):
        good = chance.sample(right, min(len(right), len(wrong)))
        bad = chance.sample(wrong, len(wrong))
        size = draw_size(chance, min(len(good) + len(bad), largest))
        rest = [*good[1:], *bad[1:]]
        group = [good[0], bad[0], *chance.sample(rest, size - 2)]
        chance.shuffle(group)
        name = tuple(each.id for each in group)
        if name not in seen and len(seen) < most:
            seen.add(name)
            yield group


@dataclass(kw_only=True)
class BuildCandidates(GroupMap):
    """PCollection[Trajectory] -> Outcome of Candidates: groups of right and wrong solutions.

    Solutions that are shown in no group are rejected.
    """

    name: str = "candidates"
    text: str = "summary"
    """The field that is shown of a solution."""
    right: float = 1.0
    """Score from which a solution is right."""
    most: Annotated[int, Field(ge=1)] = 8
    """Groups of a problem, at most."""
    largest: Annotated[int, Field(ge=2)] = 16
    """Solutions of a group, at most."""
    least: Annotated[int, Field(ge=2)] = 4
    """Solutions that a problem has, at least."""
    characters: Annotated[int, Field(ge=1)] = 60_000
    """Characters of the solutions of a group, at most; the released code counts 20,000 tokens."""

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Candidates
    creates_records: ClassVar[bool] = True
    by_field: ClassVar[tuple[str, ...]] = ("by", "text")
    reasons: ClassVar[Iterable[str]] = ("few_solutions", "all_alike", "not_shown")

    def of(self, group: Sequence[Any]) -> Iterator[tuple[Any, Verdict]]:
        right = [each for each in group if each.score >= self.right]
        wrong = [each for each in group if each.score < self.right]
        shown: set[str] = set()
        reason = "few_solutions" if len(group) < self.least else "not_shown"
        if not right or not wrong:
            reason = "all_alike"
        elif len(group) >= self.least:
            seed = derived_seed(0, "candidates", group[0].seed_ids)
            for members in draw_groups(right, wrong, seed, self.most, self.largest):
                made = self._candidates(members)
                if sum(map(len, made.solutions)) <= self.characters:
                    shown |= {each.id for each in members}
                    yield made, keep()
        for each in group:
            if each.id not in shown:
                yield each, reject(reason, f"{len(right)} of {len(group)} right")

    def _candidates(self, members: Sequence[Any]) -> Candidates:
        first, *others = members
        calls = [call for each in others for call in each.calls]
        return Candidates(
            problem=first.problem,
            solutions=tuple(getattr(each, self.text) for each in members),
            right=tuple(each.score >= self.right for each in members),
            **derived(first, "candidates", [each.id for each in others], calls=calls),
        )
