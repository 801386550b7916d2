"""codeadapt: solutions under solved examples of the model's own (CodeAdapt, arXiv 2510.20909)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed, grow
from transforms.models.episode import Steps
from transforms.models.pool import Pool, SeedPool, draw_shots
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Converse
from transforms.stages.trajectories.records import Trajectory, Turn, as_messages


@dataclass(frozen=True)
class Trained(Seed):
    """A problem, and of those that were solved as examples the solution."""

    trace: tuple[Turn, ...] = ()
    """The conversation that solves it; empty where it is no example."""


_EXAMPLES = 100
"""Examples in the pool, at most."""


@dataclass(kw_only=True)
class Bootstrap(Converse):
    """PCollection[Seed] -> Outcome of Trained: an attempt at each of `train` problems, drawn by
    their ids, and all other problems as they are. Problems whose attempt is wrong are rejected."""

    name: str = "bootstrap"
    train: Annotated[int, Field(ge=1)] = 5
    """Problems that are solved as examples; no row is about them."""

    writes: ClassVar[type] = Trained
    creates_records: ClassVar[bool] = False

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        drawn = records | "Training problems" >> SeedPool(self.train, coded=False)
        return {"examples": AsSingleton(drawn)}

    def episode(  # type: ignore[override]  # it has a side input
        self, seed: Seed, examples: Pool
    ) -> Steps[Trained | Verdict]:
        if seed.id not in {example.id for example in examples}:
            return grow(Trained, seed)
        tried = yield from super().episode(seed)
        if isinstance(tried, Verdict):
            return tried
        row, verdict = min(tried, key=lambda each: (not each[1].kept, not each[1].unanswered))
        return grow(Trained, seed, trace=row.messages) if verdict.kept else verdict


@dataclass(kw_only=True)
class Solve(Converse):
    """PCollection[Trained] -> Outcome of Trajectory: attempts at the problems that are no example,
    each under `shots` examples drawn by its problem's id. Rows leave the examples out."""

    name: str = "solve"
    shots: Annotated[int, Field(ge=1)] = 2
    """Examples shown, where as many were solved."""

    reads: ClassVar[type] = Trained
    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "no_examples")

    def opened(self, records: PCollection) -> PCollection:
        return records | "Problems" >> beam.Filter(lambda seed: not seed.trace)

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        solved = records | "Examples" >> beam.Filter(lambda seed: bool(seed.trace))
        return {"pool": AsSingleton(solved | "Pool" >> SeedPool(_EXAMPLES, coded=False))}

    def episode(  # type: ignore[override]
        self, seed: Trained, pool: Pool
    ) -> Steps[list[tuple[Trajectory, Verdict]] | Verdict]:
        if not pool:
            return reject("no_examples", "no training problem was solved")
        drawn = draw_shots(pool, self.shots, self.run_seed, "examples", seed.id)
        turns = (turn for example in drawn for turn in getattr(example, "trace", ()))
        shown = tuple(turn for turn in turns if turn.role != "system")
        return (yield from super().episode(replace(seed, trace=shown)))

    def begun(self, seed: Seed, sample: int, start: tuple[str, ...] = ()) -> Conversation:
        talk = super().begun(seed, sample, start)
        talk.shown = as_messages(getattr(seed, "trace", ()))
        return talk
