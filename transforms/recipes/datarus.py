"""datarus: analyses step by step, in a session that holds a challenge's data (arXiv 2508.13382)."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from transforms.engine.ids import canonical_json
from transforms.engine.records import Seed
from transforms.engine.stage import check
from transforms.stages.trajectories.converse import Converse
from transforms.stages.trajectories.records import Trajectory, Turn

_STEP = ("step", "thought", "action", "action_input")
_END = ("stop_analysis", "thought", "answer")


@dataclass(kw_only=True)
class Analyse(Converse):
    """PCollection[Seed] -> Outcome of Trajectory: `Converse`, in a session in which the challenge's
    own code has made its data, once for all attempts.

    A row's `data` says also `steps`, the number of each run's step, and `structure` (`tag_score`).
    """

    name: str = "analyse"
    data_code: str = "dataset_generation_code"
    """Column of the source that holds the code; a challenge without it has no data."""

    def prelude_of(self, seed: Seed) -> tuple[str, ...]:
        code = json.loads(seed.metadata).get(self.data_code)
        return (*self.prelude, code) if isinstance(code, str) else self.prelude

    def row(self, *args: Any, **kwargs: Any) -> Trajectory:
        row = super().row(*args, **kwargs)
        more = {"steps": step_numbers(row.messages), "structure": tag_score(row.messages)}
        return replace(row, data=canonical_json({**json.loads(row.data), **more}))


def step_numbers(turns: Iterable[Turn]) -> list[int]:
    """Returns the number of each run's step, from 1: a correction keeps that of the run that
    failed."""
    numbers: list[int] = []
    number, has_begun = 1, False
    for turn in turns:
        if turn.sampled:
            has_begun = True
        elif has_begun:
            numbers.append(number)
            number += not turn.failed
    return numbers


def tag_score(turns: Iterable[Turn]) -> float:
    """Returns the share of the tags of all turns of the model that are there, opened and closed
    once: those of a step, and in the last turn those of the end."""
    texts = [turn.content for turn in turns if turn.sampled]
    wanted = [*((text, tag) for text in texts[:-1] for tag in _STEP)]
    wanted += [(text, tag) for text in texts[-1:] for tag in _END]
    there = [text.count(f"<{tag}>") == 1 == text.count(f"</{tag}>") for text, tag in wanted]
    return sum(there) / len(there) if there else 0.0


def reward(structure: float, meaning: float, progress: float) -> float:
    """Returns a reward that goes over from structure to meaning along a cosine.

    Args:
        progress: the share of the training that is done, 0 to 1.

    >>> [round(reward(1, 0, progress), 3) for progress in (0, 0.5, 1)]
    [1.0, 0.5, 0.0]
    """
    weight = (1 + math.cos(math.pi * progress)) / 2
    return weight * structure + (1 - weight) * meaning


@check("untagged")
def untagged(row: Trajectory) -> bool:
    """Objects to an analysis that lacks a tag, or has one twice in a turn."""
    return tag_score(row.messages) < 1
