"""Runs several segments as one Beam job: each hands its rows on, and writes them on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from transforms.engine.blocks import Spread
from transforms.engine.errors import Sent
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import RunFolder
from transforms.engine.runners import open_pipeline
from transforms.engine.segments import (
    RunsAndWrites,
    account_of,
    build_segment,
    clear_segment,
    read_before,
    spilled,
    written,
)
from transforms.engine.tables import hand_on


def run_as_one_job(
    segments: Sequence[Segment], previous: Segment | None, run: RunFolder, settings: RunsAndWrites
) -> list[dict[str, Any]]:
    """Runs consecutive segments as one job and returns their entries for the manifest.

    `previous` is the segment before them, whose rows are in the run folder. An entry's `seconds`
    are the whole job's: its segments overlap.

    Raises:
        AccountingError: counts and written rows of a segment do not add up.
        Sent: the runner's settings say that the job is not waited for.
    """
    for segment in segments:
        clear_segment(segment, run)
    started = time.monotonic()
    with spilled(run, settings):
        pipeline = open_pipeline(settings.runner)
        build_job(pipeline, segments, previous, run, settings)
        running = pipeline.run()
        if not settings.runner.waits:
            raise Sent("the job was sent: once it has ended, resume=true writes its account")
        running.wait_until_finish()
    seconds = time.monotonic() - started
    return [account_of(segment, run, seconds) for segment in segments]


def build_job(
    pipeline: beam.Pipeline,
    segments: Sequence[Segment],
    previous: Segment | None,
    run: RunFolder,
    settings: RunsAndWrites,
) -> None:
    """Applies consecutive segments to a pipeline, each to the rows of the one before it.

    A shuffle stands between two segments. It deals the rows out anew, as reading files would,
    and keeps a runner from fusing a stage that asks a model with work that needs none.
    """
    records = read_before(pipeline, segments[0], previous, run)
    for number, segment in enumerate(segments):
        if number:
            records = records | f"Deal out to {segment.name}" >> Spread()
        records = records | segment.label >> _Apply(segment, run, settings)
        hand_on(run.path(segment.folder), records)


class _Apply(beam.PTransform):
    """What a segment reads -> its rows: the steps of a job are named by segment."""

    def __init__(self, segment: Segment, run: RunFolder, settings: RunsAndWrites) -> None:
        super().__init__()
        self._build = lambda records: build_segment(records, segment, run, settings)

    def expand(self, records: Any) -> beam.PCollection:
        return self._build(records)


def whole(segments: Sequence[Segment], run: RunFolder) -> list[dict[str, Any]]:
    """Returns the entries of the first of these segments that a job which failed wrote whole."""
    entries: list[dict[str, Any]] = []
    for segment in segments:
        if (entry := written(segment, run)) is None:
            break
        entries.append(entry)
    return entries
