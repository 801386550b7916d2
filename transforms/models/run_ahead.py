"""Running ahead: the programs that a model writes are run while it still writes others.

A stage that asks a model may hold its records back (exact copies are known once all programs are
there), and the next segment begins when it has ended. What that segment will do first with a record
is known as soon as the record is, though: the stages up to its first episodes are played on it at
once, and what the episodes come to is kept (`transforms.models.results`). The segment then recalls
it; which records come through, and their accounts, are the same with and without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from transforms.engine.accounting import Tally, first_rejection
from transforms.engine.stage import Filter, Stage, pair
from transforms.models.backends.settings import ReplayBackend
from transforms.models.effects import Ending, Keep, Recall
from transforms.models.episode import Episode, ModelEpisode, Steps
from transforms.sandbox.jobs import Check, Job
from transforms.sandbox.settings import SandboxSettings


@dataclass(frozen=True)
class RunAhead:
    """Record -> steps that play the stages which follow on it, and keep what their episodes come
    to."""

    stages: tuple[Stage, ...]
    sandbox: SandboxSettings

    def steps(self, record: Any) -> Steps[None]:
        for stage in self.stages:
            if isinstance(stage, Filter):
                kept = first_rejection(stage.checked_by(), record).kept
            else:
                assert isinstance(stage, Episode)
                ending = yield from _settled(stage, record)
                if ending is None:
                    return
                record, verdict = pair(record, ending.returned)
                kept = verdict.kept
            if not kept:
                return


def _settled(stage: Episode, record: Any) -> Steps[Ending | None]:
    """Returns what the episode of a stage comes to for a record, kept for that stage.

    An interrupted run that goes on recalls it. None stands for an episode of sessions or tools,
    which are of their own stage.
    """
    recall = Recall(stage.name, record)
    ending: Ending | None = yield recall
    if ending is None:
        ending = yield from _played(stage.episode(record))
        if ending is not None:
            yield Keep(recall, ending)
    return ending


def _played(steps: Steps[Any]) -> Steps[Ending | None]:
    """Plays an episode whose tallies its own stage will count; None as for `_settled`."""
    tallies: list[Tally] = []
    sent: Any = None
    while True:
        try:
            yielded = steps.send(sent)
        except StopIteration as end:
            return Ending(end.value, tuple(tallies))
        effects = yielded if isinstance(yielded, list) else [yielded]
        if not all(isinstance(each, (Job, Check, Tally)) for each in effects):
            return None
        tallies += [each for each in effects if isinstance(each, Tally)]
        found = iter((yield [each for each in effects if not isinstance(each, Tally)]))
        results = [None if isinstance(each, Tally) else next(found) for each in effects]
        sent = results if isinstance(yielded, list) else results[0]


def plan_ahead(segments: Sequence[Sequence[Stage]], folder: Path) -> None:
    """Has each stage that asks a model run ahead what the next segment does first.

    What its episodes come to lies in `folder`.
    """
    for stages, following in pairwise(segments):
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
            for stage in (last, *chain):
                if isinstance(stage, Episode):
                    stage.ran_ahead = str(folder)


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
