"""Running ahead: the programs that a model writes are run while it still writes others.

A stage that asks a model may hold its records back (exact copies are known once all programs are
there), and the next segment begins when it has ended. What that segment will run of a record is
known as soon as the record is, though: the stages up to its first episodes are played on it at
once, for their results alone. The segment then finds these (`transforms.models.results`); which
records come through, and their accounts, are the same with and without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.engine.accounting import Tally, first_rejection, put_off
from transforms.engine.stage import Filter, Stage, pair
from transforms.models.backends.settings import ReplayBackend
from transforms.models.episode import Ahead, Episode, ModelEpisode, Steps
from transforms.sandbox.jobs import Check, Job
from transforms.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class RunAhead:
    """Record -> steps that play the stages which follow on it, for the results of its programs."""

    stages: tuple[Stage, ...]
    sandbox: SandboxSettings

    def steps(self, record: Any) -> Steps[None]:
        for stage in self.stages:
            if isinstance(stage, Filter):
                kept = first_rejection(stage.checked_by(), record).kept
            else:
                assert isinstance(stage, Episode)
                record, verdict = pair(record, (yield from _ahead(stage.episode(record))))
                kept = verdict.kept
            if not kept:
                return


def _ahead(steps: Steps[Any]) -> Steps[Any]:
    """Plays an episode with its programs run ahead; nothing is counted."""
    sent: Any = None
    while True:
        try:
            yielded = steps.send(sent)
        except StopIteration as end:
            return end.value
        effects = yielded if isinstance(yielded, list) else [yielded]
        if not all(isinstance(each, (Job, Check, Tally)) for each in effects):
            return put_off("sessions and tools are of their own stage")
        found = iter((yield [Ahead(each) for each in effects if not isinstance(each, Tally)]))
        results = [None if isinstance(each, Tally) else next(found) for each in effects]
        sent = results if isinstance(yielded, list) else results[0]


def plan_ahead(segments: Sequence[Sequence[Stage]], folder: Path) -> None:
    """Has each stage that asks a model run ahead what the next segment does first.

    Its results lie in `folder`, where all episodes of the segments look for them.
    """
    for stage in (stage for stages in segments for stage in stages):
        if isinstance(stage, Episode):
            stage.ran_ahead = str(folder)
    for stages, following in zip(segments, segments[1:], strict=False):
        asking = [n for n, stage in enumerate(stages) if isinstance(stage, ModelEpisode)]
        if not asking:
            continue
        last = stages[asking[-1]]
        assert isinstance(last, ModelEpisode)
        chain = _chain(stages[asking[-1] + 1 :], following)
        sandboxes = [each.sandbox for each in (last, *chain) if hasattr(each, "sandbox")]
        if (
            chain
            and sandboxes == sandboxes[:1] * len(sandboxes)
            and not isinstance(last.backend, ReplayBackend)
        ):
            last.ahead = RunAhead(chain, sandboxes[0])


def _chain(rest: Sequence[Stage], following: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages that need nothing but the record: filters, and of the next segment also episodes
    that ask no model. Empty where no program is run in them."""
    chain: list[Stage] = []
    for stage, is_later in [*((s, False) for s in rest), *((s, True) for s in following)]:
        is_played = is_later and isinstance(stage, Episode) and _is_plain(stage)
        if not is_played and type(stage).expand is not Filter.expand:
            break
        chain.append(stage)
    while chain and not isinstance(chain[-1], Episode):
        chain.pop()
    return tuple(chain)


def _is_plain(stage: Episode) -> bool:
    """Whether a stage's work on a record is its episode alone, and asks no model."""
    own = (type(stage).expand, type(stage).sides, type(stage).opened)
    return (
        own == (Episode.expand, Episode.sides, Episode.opened)
        and not isinstance(stage, ModelEpisode)
        and not stage.creates_records
        and getattr(stage, "sandbox", None) is not None
    )
