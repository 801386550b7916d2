"""Reads seeds from whatever source the settings name: `ReadSeeds`, and the check before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsDict, PBegin, PCollection, TaggedOutput

from transforms.accounting import Decide, Outcome, Reason, Verdict, keep, reject
from transforms.errors import SourceError
from transforms.execution.execute import InSandbox
from transforms.ids import canonical_json
from transforms.records import Seed
from transforms.settings import (
    AnySource,
    HuggingFaceSource,
    JsonlSource,
    MixSource,
    ParquetSource,
    ReasoningGymSource,
    RunSource,
    SandboxSettings,
    Source,
)
from transforms.sources import codeio, huggingface, jsonl, parquet, reasoning_gym, rows, run
from transforms.sources.rows import Row


def parts(source: AnySource) -> dict[str, Source]:
    """Returns the sources of a mix by name, or the one source by its type."""
    return dict(source.sources) if isinstance(source, MixSource) else {source.type: source}


def check_source(source: AnySource) -> None:
    """Checks, before a pipeline starts, that a source can be read and has the columns mapped.

    Raises:
        SourceError: one line that names what is wrong, and in a mix which source.
    """
    checks: dict[str, Any] = {
        "jsonl": jsonl.check,
        "parquet": parquet.check,
        "huggingface": huggingface.check,
        "reasoning_gym": reasoning_gym.check,
        "codeio": codeio.check,
        "run": run.check,
    }
    for name, part in parts(source).items():
        try:
            checks[part.type](part)
        except SourceError as error:
            if not isinstance(source, MixSource):
                raise
            raise SourceError(f"in source.sources.{name}: {error}") from error


class _SeedOrReject(beam.DoFn):
    """(Row, Seed | Verdict) -> Seed, or a Reject that holds the raw row."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def process(self, element: tuple[Row, Seed | Verdict]) -> Iterator[Any]:
        row, made = element
        if isinstance(made, Verdict):
            yield TaggedOutput("rejected", rows.refused(self._stage, row, made))
        else:
            yield made


@dataclass
class ReadRows(beam.PTransform):
    """PBegin -> (PCollection[Row], PCollection[(Row, Seed | Verdict)]) of one source."""

    source: Source
    sandbox: SandboxSettings

    def expand(self, begin: PBegin) -> tuple[PCollection, PCollection]:
        source = self.source
        raw: PCollection
        if isinstance(source, ParquetSource):
            raw = begin | "Parquet" >> parquet.ReadParquet(source)
        elif isinstance(source, JsonlSource):
            raw = begin | "JSON Lines" >> jsonl.ReadJsonl(source)
        elif isinstance(source, HuggingFaceSource):
            raw = begin | "Hugging Face" >> huggingface.ReadHuggingFace(source)
        elif isinstance(source, ReasoningGymSource):
            raw = begin | "reasoning-gym" >> reasoning_gym.ReadReasoningGym(source)
            return raw, raw | "Seed" >> beam.Map(lambda row: (row, reasoning_gym.seed_of(row)))
        elif isinstance(source, RunSource):
            raw = begin | "Run" >> run.ReadRun(source)
            return raw, raw | "Seed" >> run.SeedsOfRun(source)
        else:
            raw = begin | "CodeI/O" >> codeio.ReadCodeIO(source)
            return raw, raw | "Draw inputs" >> InSandbox(
                sandbox=self.sandbox, plan=partial(codeio.plan, source), finish=codeio.finish
            )
        return raw, raw | "Seed" >> beam.Map(lambda row: (row, _from_columns(source, row)))


def _from_columns(
    source: JsonlSource | ParquetSource | HuggingFaceSource, row: Row
) -> Seed | Verdict:
    license = source.license
    if isinstance(source, HuggingFaceSource):
        license = huggingface.license_of(source)
    return rows.seed_of(row, source.columns, license)


class _Part(beam.DoFn):
    """Sends seeds whose id others share to `shared`, keyed by id."""

    def process(self, seed: Seed, shared: dict[str, int]) -> Iterator[Any]:
        if seed.id in shared:
            yield TaggedOutput("shared", (seed.id, seed))
        else:
            yield seed


def one_of(seeds: Iterable[Seed]) -> Iterator[tuple[Seed, Verdict]]:
    """Keeps the seed whose JSON comes first of those with one id, whatever order they came in."""
    first, *others = sorted(seeds, key=lambda seed: canonical_json(asdict(seed)))
    yield first, keep()
    for other in others:
        yield other, reject(Reason.DUPLICATE_ID, "same problem, answer and code in this source")


@dataclass
class Unique(beam.PTransform):
    """PCollection[Seed] -> Outcome: one seed per id kept, the others rejected.

    Ids alone are shuffled to find those that occur twice; only seeds with such an id are grouped.
    """

    stage: str

    def expand(self, seeds: PCollection) -> Outcome:
        shared = (
            seeds
            | "Ids" >> beam.Map(lambda seed: (seed.id, 1))
            | "Count" >> beam.CombinePerKey(sum)
            | "Twice or more" >> beam.Filter(lambda id_and_count: id_and_count[1] > 1)
        )
        split = seeds | "Part" >> beam.ParDo(_Part(), AsDict(shared)).with_outputs(
            "shared", main="alone"
        )
        decided = (
            split["shared"]
            | "Group" >> beam.GroupByKey()
            | "One of each" >> beam.FlatMapTuple(lambda _, same: one_of(same))
            | "Decide" >> Decide(self.stage)
        )
        kept = (split["alone"], decided.kept) | "All" >> beam.Flatten()
        return Outcome(kept, decided.rejected)


@dataclass(kw_only=True)
class ReadSeeds(beam.PTransform):
    """PBegin -> Outcome: kept PCollection[Seed], rejected PCollection[Reject], entered
    PCollection[Row].

    Every row read is kept or rejected: unreadable, without a problem or a mapped value, not
    convertible, or the same as another.

    Args:
        stage: name of the stage in rejects and counts.
        source: where to read, or a mix; `check_source` says beforehand what is wrong with it.
        sandbox: limits for the input generators of codeio.
    """

    stage: str = "seeds"
    source: AnySource
    sandbox: SandboxSettings

    reads: ClassVar[type | None] = None
    writes: ClassVar[type] = Seed
    draws: ClassVar[bool] = True

    def expand(self, begin: PBegin) -> Outcome:
        entered, made = [], []
        for name, source in parts(self.source).items():
            raw, seeds = begin | f"Read {name}" >> ReadRows(source, self.sandbox)
            entered.append(raw)
            made.append(seeds)
        split = (
            made
            | "All sources" >> beam.Flatten(pipeline=begin.pipeline)
            | "Seeds"
            >> beam.ParDo(_SeedOrReject(self.stage)).with_outputs("rejected", main="seeds")
        )
        unique = split["seeds"] | "Unique" >> Unique(self.stage)
        return Outcome(
            kept=unique.kept,
            rejected=(split["rejected"], unique.rejected) | "Rejected" >> beam.Flatten(),
            entered=entered | "Entered" >> beam.Flatten(pipeline=begin.pipeline),
        )
