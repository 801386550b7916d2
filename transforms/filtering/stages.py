"""The filtering stages: form before the run, the run itself, then meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.accounting import ApplyChecks, Outcome, Reason, Verdict, reject
from transforms.execution.execute import Execute
from transforms.filtering.checks import (
    FormOf,
    form_checks,
    meaning_checks,
    run_checks,
    trivial_kind,
)
from transforms.filtering.perturb import Perturb
from transforms.ids import content_id
from transforms.losers import DropLosers
from transforms.records import Execution, Program
from transforms.settings import FilterSettings, SandboxSettings


@dataclass
class FilterForm(beam.PTransform):
    """PCollection[Program] -> Outcome of Program: what is plain from the text, before a run."""

    filter: FilterSettings

    stage: ClassVar[str] = "form"
    reads: ClassVar[type] = Program
    writes: ClassVar[type] = Program
    draws: ClassVar[bool] = False

    def expand(self, programs: PCollection) -> Outcome:
        checked = programs | ApplyChecks(self.stage, (FormOf(form_checks(self.filter)),))
        return Outcome(checked.kept, checked.rejected)


@dataclass
class RunPrograms(beam.PTransform):
    """PCollection[Program] -> Outcome of Execution: programs that end well with an output."""

    sandbox: SandboxSettings
    filter: FilterSettings

    stage: ClassVar[str] = "execute"
    reads: ClassVar[type] = Program
    writes: ClassVar[type] = Execution
    draws: ClassVar[bool] = False

    def expand(self, programs: PCollection) -> Outcome:
        checked = (
            programs
            | "Execute" >> Execute(self.sandbox)
            | "Check run" >> ApplyChecks(self.stage, run_checks(self.filter))
        )
        return Outcome(checked.kept, checked.rejected)


@dataclass
class FilterMeaning(beam.PTransform):
    """PCollection[Execution] -> Outcome of Execution: outputs that follow from their input."""

    sandbox: SandboxSettings
    filter: FilterSettings

    stage: ClassVar[str] = "meaning"
    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Execution
    draws: ClassVar[bool] = False

    def expand(self, executions: PCollection) -> Outcome:
        checked = (
            executions
            | "Perturb" >> Perturb(self.sandbox, self.filter.max_perturbed_keys)
            | "Check meaning" >> ApplyChecks(self.stage, meaning_checks())
        )
        return Outcome(checked.kept, checked.rejected)


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
            reject(Reason.TRIVIAL_OVER_SHARE, f"{len(ranked)} beside {others} that are not"),
        )


@dataclass
class CapTrivial(beam.PTransform):
    """PCollection[Execution] -> Outcome of Execution: few answers that a guess would hit.

    Each kind of trivial answer (see `trivial_kind`) is held to `filter.max_trivial_share`. One
    process gathers the ids of the trivial ones, and of nothing else.
    """

    filter: FilterSettings

    stage: ClassVar[str] = "trivial"
    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Execution
    draws: ClassVar[bool] = False

    def expand(self, executions: PCollection) -> Outcome:
        kinds = executions | "Kinds" >> beam.Map(lambda e: (trivial_kind(e), e.id))
        others = (
            kinds
            | "Not trivial" >> beam.Filter(lambda item: item[0] is None)
            | "Count" >> beam.combiners.Count.Globally()
        )
        losers = (
            kinds
            | "Trivial" >> beam.Filter(lambda item: item[0] is not None)
            | "By kind" >> beam.GroupByKey()
            | "Ids" >> beam.Values()
            | "Over share"
            >> beam.FlatMap(over_share, AsSingleton(others), self.filter.max_trivial_share)
        )
        capped = executions | "Drop trivial" >> DropLosers(self.stage, losers)
        return Outcome(capped.kept, capped.rejected)
