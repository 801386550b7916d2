"""The filtering stages: form before the run, the run itself, then meaning and structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PCollection

from transforms.accounting import ApplyChecks, Outcome, Reason, Verdict, reject
from transforms.execution.execute import Execute
from transforms.filtering.checks import (
    DependsOnInput,
    DoesNotCopyInput,
    FormOf,
    form_checks,
    is_guessable,
    run_checks,
)
from transforms.filtering.perturb import Perturb
from transforms.ids import content_id
from transforms.losers import DropLosers, LimitPerKey
from transforms.programs import fingerprint
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
            | "Check meaning" >> ApplyChecks(self.stage, (DependsOnInput(), DoesNotCopyInput()))
        )
        return Outcome(checked.kept, checked.rejected)


def guessable_over_share(
    guessable: list[str], total: int, share: float
) -> Iterator[tuple[str, Verdict]]:
    """Yields (id, rejection) for guessable programs beyond `share` of those then kept.

    With g kept of the guessable and r others, g / (g + r) <= share. Which stay is drawn by hash.
    """
    others = total - len(guessable)
    most = len(guessable) if share == 1 else int(share * others / (1 - share) + 1e-9)
    ranked = sorted(guessable, key=lambda record_id: content_id("guessable", record_id))
    for record_id in ranked[most:]:
        yield (
            record_id,
            reject(Reason.GUESSABLE_OVER_SHARE, f"{len(guessable)} of {total} are yes/no"),
        )


@dataclass
class FilterStructure(beam.PTransform):
    """PCollection[Execution] -> Outcome of Execution: few of each structure, few yes/no answers.

    Of programs with one fingerprint the shortest stay, then those with the smallest id.
    """

    filter: FilterSettings

    stage: ClassVar[str] = "structure"
    reads: ClassVar[type] = Execution
    writes: ClassVar[type] = Execution
    draws: ClassVar[bool] = False

    def expand(self, executions: PCollection) -> Outcome:
        same = executions | "Find same structure" >> LimitPerKey(
            key=lambda execution: fingerprint(execution.code),
            order=lambda execution: len(execution.code),
            limit=self.filter.max_per_fingerprint,
            reason=Reason.FINGERPRINT_FULL,
        )
        different = executions | "Drop same structure" >> DropLosers(self.stage, same)
        total = different.kept | "Count" >> beam.combiners.Count.Globally()
        guesses = (
            different.kept
            | "Guessable" >> beam.Filter(lambda execution: is_guessable(execution.output))
            | "Their ids" >> beam.Map(lambda execution: execution.id)
            | "Together" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Over share"
            >> beam.FlatMap(
                guessable_over_share, AsSingleton(total), self.filter.max_guessable_share
            )
        )
        capped = different.kept | "Drop guessable" >> DropLosers(self.stage, guesses)
        return Outcome(
            capped.kept, (different.rejected, capped.rejected) | "Rejected" >> beam.Flatten()
        )
