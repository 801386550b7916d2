"""The filtering stages: form before the run, the run itself, then meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.engine.accounting import Check, Verdict, first_rejection, reject
from transforms.engine.blocks import PackByKey, records_of
from transforms.engine.ids import content_id
from transforms.engine.losers import DropLosers
from transforms.engine.outcomes import Outcome
from transforms.engine.records import Execution, Program
from transforms.engine.stage import Filter, Stage
from transforms.models.episode import Episode, Steps
from transforms.programs.checks import (
    RUN_REASONS,
    FilterSettings,
    FormOf,
    FormReason,
    MeaningReason,
    form_checks,
    meaning_checks,
    run_checks,
    trivial_kind,
)
from transforms.programs.perturb import perturb
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.execute import execute, execute_and_perturb


@dataclass(kw_only=True)
class FilterForm(Filter):
    """PCollection[Program] -> Outcome of Program: what is plain from the text, before a run."""

    name: str = "form"
    filter: FilterSettings

    reads: ClassVar[type] = Program
    reasons: ClassVar[Iterable[str]] = FormReason

    def checked_by(self) -> tuple[Check, ...]:
        return (FormOf(form_checks(self.filter)),)


@dataclass(kw_only=True)
class RunPrograms(Episode):
    """PCollection[Program] -> Outcome of Execution: programs that end well with an output."""

    name: str = "execute"
    begins_segment: bool = True
    perturbs: bool = False
    """Whether a program's second run goes on to what `FilterMeaning` looks at, which then need not
    run it once more: for recipes in which that stage follows."""
    sandbox: SandboxSettings
    filter: FilterSettings

    reads: ClassVar[type] = Program
    writes: ClassVar[type] = Execution
    reasons: ClassVar[Iterable[str]] = RUN_REASONS

    def episode(self, program: Program) -> Steps[tuple[Execution, Verdict]]:
        determinism = self.sandbox.determinism
        if self.perturbs:
            most_keys = self.filter.max_perturbed_keys
            execution = yield from execute_and_perturb(program, determinism, most_keys)
        else:
            execution = yield from execute(program, determinism)
        return execution, first_rejection(run_checks(self.filter), execution)


@dataclass(kw_only=True)
class FilterMeaning(Episode):
    """PCollection[Execution] -> Outcome of Execution: outputs that follow from their input."""

    name: str = "meaning"
    sandbox: SandboxSettings
    filter: FilterSettings

    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Execution
    reasons: ClassVar[Iterable[str]] = (MeaningReason.CONSTANT_OUTPUT, MeaningReason.COPIES_INPUT)

    def episode(self, execution: Execution) -> Steps[tuple[Execution, Verdict]]:
        if execution.sensitive_keys is None:
            execution = yield from perturb(execution, self.filter.max_perturbed_keys)
        return execution, first_rejection(meaning_checks(), execution)


def over_share(ids: Iterable[str], others: int, share: float) -> Iterator[tuple[str, Verdict]]:
    """Yields (id, rejection) for trivial programs beyond `share` of those then kept.

    With t kept of the trivial and `others` that are not, t / (t + others) <= share. Which stay is
    drawn by hash.
    """
    ranked = sorted(ids, key=lambda record_id: content_id("trivial", record_id))
    most = len(ranked) if share == 1 else int(share * others / (1 - share) + 1e-9)
    for record_id in ranked[most:]:
        yield (
            record_id,
            reject(MeaningReason.TRIVIAL_OVER_SHARE, f"{len(ranked)} beside {others} that are not"),
        )


@dataclass(kw_only=True)
class CapTrivial(Stage):
    """PCollection[Execution] -> Outcome of Execution: few answers that a guess would hit.

    Each kind of trivial answer (see `trivial_kind`) is held to `filter.max_trivial_share`. One
    process gathers the ids of the trivial ones, and of nothing else.
    """

    name: str = "trivial"
    filter: FilterSettings

    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Execution
    reasons: ClassVar[Iterable[str]] = (MeaningReason.TRIVIAL_OVER_SHARE,)

    def expand(self, executions: PCollection) -> Outcome:
        share = self.filter.max_trivial_share
        kinds = executions | "Kinds" >> beam.Map(lambda e: (trivial_kind(e), e.id))
        others = (
            kinds
            | "Not trivial" >> beam.Filter(lambda item: item[0] is None)
            | "Count" >> beam.combiners.Count.Globally()
        )
        losers = (
            kinds
            | "Trivial" >> beam.Filter(lambda item: item[0] is not None)
            | "Ids in blocks" >> beam.ParDo(PackByKey(lambda item: item[0], lambda item: item[1]))
            | "By kind" >> beam.GroupByKey()
            | "Over share"
            >> beam.FlatMap(
                lambda group, others: over_share(records_of(group[1]), others, share),
                AsSingleton(others),
            )
        )
        capped = executions | "Drop trivial" >> DropLosers(self.name, losers)
        return Outcome(capped.kept, capped.rejected)
