"""Conversations with a reward, from a source of one's own to rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.outcomes import Outcome
from transforms.engine.records import Message
from transforms.engine.stage import Stage, check
from transforms.models.episode import Episode, Steps
from transforms.sandbox.sandbox import Job
from transforms.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class Trajectory:
    """A conversation about a number."""

    id: str
    messages: tuple[Message, ...]
    """What was said."""
    reward: float | None = None
    """What the last turn is worth."""


@dataclass(kw_only=True)
class Tell(Stage):
    """PBegin -> Outcome of Trajectory: one for each number below `count`."""

    name: str = "tell"
    count: int

    reads: ClassVar[type | None] = None
    writes: ClassVar[type] = Trajectory
    creates_records: ClassVar[bool] = True

    def expand(self, begin: Any) -> Outcome:
        told: PCollection = begin | "Tell" >> beam.Create(
            [
                Trajectory(f"t{n}", (Message("user", f"Square {n}."), Message("assistant", str(n))))
                for n in range(self.count)
            ]
        )
        return Outcome(told, begin | "None" >> beam.Create([]), entered=told)


def is_no_nine(trajectory: Trajectory) -> Verdict:
    """A plain function: nobody knows beforehand for what it rejects."""
    return reject("nine") if trajectory.messages[-1].content == "9" else keep()


@check("far_too_large")
def is_small(trajectory: Trajectory) -> str:
    said = int(trajectory.messages[-1].content)
    return f"says {said}" if said > 7 else ""


@dataclass(kw_only=True)
class Reward(Episode):
    """PCollection[Trajectory] -> Outcome of the same: 1.0 where the square is what was said."""

    name: str = "reward"
    begins_segment: bool = True
    sandbox: SandboxSettings

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Trajectory

    def episode(self, trajectory: Trajectory) -> Steps[Trajectory]:
        said = trajectory.messages[-1].content
        result = yield Job(f"output = {trajectory.id[1:]} ** 2 == {said}")
        return replace(trajectory, reward=float(result.output == "true"))
