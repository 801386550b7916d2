"""Seeds among what is deduplicated: they always stay, so whatever is like one is a copy of it."""

from __future__ import annotations

from dataclasses import replace

import apache_beam as beam
from apache_beam.pvalue import PCollection

from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.engine.tables import ReadRecords
from transforms.stages.diversity.reasons import Sameness

FIRST = 0
"""The order of seeds: no program and no row comes before them."""
_MARK = "seed "


def marked(seed: Seed) -> str:
    """A seed's id among those of the records that are compared with it."""
    return f"{_MARK}{seed.id}"


def name_copies(loser: tuple[str, Verdict]) -> tuple[str, Verdict]:
    """Gives the rejection of what lost to a seed its own reason."""
    record_id, verdict = loser
    if verdict.detail.startswith((f"same as {_MARK}", f"like {_MARK}")):
        verdict = replace(verdict, reason=Sameness.COPY_OF_SEED)
    return record_id, verdict


def seeds_from(pipeline: beam.Pipeline, folder: str | None) -> PCollection:
    """PCollection[Seed] of those in a segment's folder; none where no folder is named."""
    if folder is None:
        return pipeline | "No seeds" >> beam.Create([])
    return pipeline | "Read seeds" >> ReadRecords(Seed, folder)
