"""What stages return, and how their records are split and counted in a pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from transforms.engine import progress
from transforms.engine.accounting import Tally, Verdict, rejected


class Outcome(NamedTuple):
    """What every stage returns."""

    kept: PCollection
    """The stage's output records."""
    rejected: PCollection
    """PCollection[Reject]."""
    entered: PCollection | None = None
    """What the stage counts as its input; None where that is the PCollection that it was applied
    to. A stage that draws or builds new records sets it."""
    tallies: PCollection | None = None
    """PCollection[Tally] of anything else to sum, such as tokens; None for nothing."""
    unanswered: PCollection | None = None
    """PCollection[Reject] of the records that are put off; None where the stage asks nobody."""


class _Split(beam.DoFn):
    def __init__(self, stage: str) -> None:
        self._stage = stage

    def process(self, element: tuple[Any, Verdict]) -> Iterator[Any]:
        record, verdict = element
        if verdict.kept:
            yield record
        else:
            end = "unanswered" if verdict.unanswered else "rejected"
            yield TaggedOutput(end, rejected(self._stage, record, verdict))


@dataclass
class Decide(beam.PTransform):
    """Splits PCollection[(record, Verdict)] into an Outcome: kept, rejected and unanswered."""

    stage: str

    def expand(self, pcoll: PCollection) -> Outcome:
        split = pcoll | "Split" >> beam.ParDo(_Split(self.stage)).with_outputs(
            "rejected", "unanswered", main="kept"
        )
        return Outcome(split["kept"], split["rejected"], unanswered=split["unanswered"])


class _Count(beam.DoFn):
    """Emits one Tally a bundle and key, and tells the progress display."""

    def __init__(self, stage: str, what: str) -> None:
        self._stage, self._what = stage, what

    def start_bundle(self) -> None:
        self._counts: dict[str, int] = {}
        self._untold, self._tell_at = 0, 0.0

    def process(self, element: Any) -> None:
        key = element.reason if self._what == "rejected" else ""
        self._counts[key] = self._counts.get(key, 0) + 1
        self._untold += 1
        if (now := time.monotonic()) >= self._tell_at:
            self._tell()
            self._tell_at = now + progress.FLUSH_SECONDS

    def _tell(self) -> None:
        if self._untold:
            progress.report(self._stage, self._what, self._untold)
            self._untold = 0

    def finish_bundle(self) -> Iterator[Any]:
        self._tell()
        for key, amount in self._counts.items():
            yield GlobalWindows.windowed_value(Tally(self._stage, self._what, key, amount))
        progress.flush()


_ENDS = ("in", "kept", "rejected", "unanswered")


def counts_of(stage: str, parts: Iterable[PCollection]) -> list[PCollection]:
    """PCollections of Tally of the sizes of a stage's (entered, kept, rejected[, unanswered]).

    Rejects are counted by reason. Counts are data, not runner metrics: they are summed by the same
    retry-safe machinery as the rows, so they are exact on every runner. Each PCollection is counted
    apart, and so they can disagree.
    """
    return [
        part | f"Count {stage}, {end}" >> beam.ParDo(_Count(stage, end))
        for end, part in zip(_ENDS, parts, strict=False)
    ]


Sums = dict[tuple[str, str, str], int]
"""(Stage, what, key) -> how many."""


class SumTallies(beam.CombineFn):
    """Tallies -> {(stage, what, key): their sum}; other elements are waited for, and left out."""

    def create_accumulator(self) -> Sums:
        return {}

    def add_input(self, sums: Sums, element: Any) -> Sums:
        if isinstance(element, Tally):
            key = element.stage, element.what, element.key
            sums[key] = sums.get(key, 0) + element.amount
        return sums

    def merge_accumulators(self, accumulators: Iterable[Sums]) -> Sums:
        sums: Sums = {}
        for each in accumulators:
            for key, amount in each.items():
                sums[key] = sums.get(key, 0) + amount
        return sums

    def extract_output(self, sums: Sums) -> Sums:
        return sums
