"""Stages that work on each record in an episode (`transforms.models.effects`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Protocol

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.records import Call, Message
from transforms.engine.runner_settings import DirectSettings, RunnerSettings
from transforms.engine.stage import Stage, pair
from transforms.models.asking import Asking
from transforms.models.backends.settings import Backend, VllmBackend
from transforms.models.budget import Price
from transforms.models.driver import Drive
from transforms.models.effects import Effect, Ending, Recall, Steps, play, side_by_side
from transforms.models.ledger.ledger import LedgerSettings
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import calls
from transforms.models.settings import BudgetSettings, SamplerSettings
from transforms.sandbox.settings import SandboxSettings

__all__ = ["Effect", "Episode", "ModelEpisode", "RunsAhead", "Steps", "play", "side_by_side"]
"""What the author of a stage needs."""


@dataclass(kw_only=True)
class Episode(Stage):
    """A stage that works on each record in an episode. A field `sandbox` says where programs run.

    Subclasses write `episode`, which returns one of

    - a record of `writes`: it is kept;
    - a `Verdict`: the record that was read is rejected, or put off;
    - (record, Verdict): that record is kept, rejected or put off;
    - a list of these, where the stage creates records.
    """

    ran_ahead: str = ""
    """Folder of what episodes that were played ahead came to, this stage's or those that it plays
    itself (`ModelEpisode.ahead`); empty where none are."""

    by_record: ClassVar[bool] = True
    episode: ClassVar[Callable[..., Steps[Any]]]
    """(record, **sides) -> the steps of the work on it."""

    def sides(self, records: PCollection) -> Mapping[str, Any]:
        """Further arguments of `episode` by name, side inputs among them."""
        return {}

    def opened(self, records: PCollection) -> PCollection:
        """What the episodes are about, where that is not the records themselves."""
        return records

    def expand(self, records: PCollection) -> Outcome:
        asking: Asking | None = None
        ahead: RunsAhead | None = None
        hints: dict[str, str] = {}
        if isinstance(self, ModelEpisode):
            asking, ahead, hints = self.asking, self.ahead, self.hints()
        sandbox: SandboxSettings | None = getattr(self, "sandbox", None)
        if sandbox is None and ahead is not None:
            sandbox = ahead.sandbox
        driven = self.opened(records) | "Episodes" >> Drive(
            self.name,
            partial(_judged, self, ahead),
            asking,
            sandbox,
            self.sides(records),
            self.ran_ahead,
        ).with_resource_hints(**hints)
        results = driven.results
        if hints:  # what follows is not fused with it, and so needs no such machine
            results = results | "Leave the model" >> beam.Reshuffle()
        judged = results | "Each" >> beam.FlatMap(lambda results: results)
        return (judged | "Decide" >> Decide(self.name))._replace(
            entered=judged if self.creates_records else None, tallies=driven.tallies
        )


class RunsAhead(Protocol):
    """Plays on a record the episodes of later stages, and keeps what they come to (`run_ahead`)."""

    @property
    def sandbox(self) -> SandboxSettings: ...

    def steps(self, record: Any) -> Steps[None]: ...


def _judged(
    stage: Episode, ahead: RunsAhead | None, record: Any, **sides: Any
) -> Steps[list[tuple[Any, Verdict]]]:
    """Plays an episode, or recalls what it came to when it was played ahead.

    Returns what it returned as pairs of a record and the verdict on it. Later episodes are played
    ahead on those that are kept.
    """
    ending: Ending | None = None
    if stage.ran_ahead and not isinstance(stage, ModelEpisode):
        ending = yield Recall(stage.name, record)
    if ending is None:
        returned = yield from stage.episode(record, **sides)
    else:
        returned, tallies = ending
        yield list(tallies)
    pairs = [pair(record, one) for one in (returned if isinstance(returned, list) else [returned])]
    if ahead is not None:
        for each, verdict in pairs:
            if verdict.kept:
                yield from ahead.steps(each)
    return pairs


@dataclass(kw_only=True)
class ModelEpisode(Episode):
    """An episode in which models are asked: renders the stage's prompt for each record.

    `model` names the stage's own. Fields `..._model` (a name or None) and `..._models` (names) name
    further ones, to which `requests` may address a request.
    """

    begins_segment: bool = True
    model: str | None = None
    """What the recipe calls the model that is asked (see `models`); None asks the run's own."""
    run_seed: int = 0
    """Seed of every random choice of the run."""
    backend: Backend
    models: Mapping[str, Backend] = field(default_factory=dict)
    """Backends of the further models, by name."""
    prompt: PromptTemplate
    ledger_dir: str
    ledger: LedgerSettings
    budget: BudgetSettings
    prices: Mapping[str, Price]
    runner: RunnerSettings = DirectSettings()
    blobs: str = ""
    """Folder of the run's pictures (`images.Blobs`)."""
    ahead: RunsAhead | None = None
    """What is played ahead on the records that it keeps; None where nothing is."""

    def hints(self) -> dict[str, str]:
        """Beam's resource hints for its episodes, where the workers themselves load a model."""
        loads = any(isinstance(each, VllmBackend) for each in (self.backend, *self.models.values()))
        return self.runner.model_hints() if loads else {}

    @property
    def asking(self) -> Asking:
        return Asking(
            self.backend,
            self.ledger_dir,
            self.ledger,
            self.budget,
            self.prices,
            self.models,
            self.blobs,
        )

    def backend_of(self, model: str | None) -> Backend:
        """Returns the backend of a model that a field names; None is the stage's own."""
        return self.backend if model is None else self.models[model]

    def requests(
        self,
        sampler: SamplerSettings,
        first_sample: int = 0,
        prompt: PromptTemplate | None = None,
        model: str | None = None,
        samples: int | None = None,
        **variables: Any,
    ) -> list[Request]:
        """The requests of a prompt (the stage's own) for one record, filled in with `variables`. A
        variable that is a `Picture` is shown in its place.

        Args:
            model: the name of a further model that is asked; None asks the stage's own.
            samples: how many requests, from `first_sample` on; None is `sampler.samples`.
        """
        return list(
            (prompt or self.prompt).requests(
                stage=self.name,
                backend=self.backend_of(model),
                named=model,
                sampler=sampler,
                run_seed=self.run_seed,
                first_sample=first_sample,
                samples=samples,
                blobs=self.blobs,
                **variables,
            )
        )

    def calls(self, *responses: Response) -> tuple[Call, ...]:
        """What models wrote in these responses, for the record made of them (`derived`)."""
        return calls(self.name, responses)

    def stored(self, talk: Iterable[Message]) -> tuple[Message, ...]:
        """A conversation as rows hold it: without thoughts where `backend.reasoning=drop`."""
        if self.backend.keeps_reasoning:
            return tuple(talk)
        return tuple(replace(message, reasoning=None) for message in talk)
