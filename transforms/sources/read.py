"""Reads seeds from whatever source the settings name: `ReadSeeds`, and the check before it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput
from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.blocks import Block, PackByKey, unpack
from transforms.engine.errors import SourceError
from transforms.engine.ids import canonical_json
from transforms.engine.losers import part_of
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.engine.stage import Stage
from transforms.models.episode import Drive
from transforms.sandbox.settings import SandboxSettings
from transforms.sources import (
    codeio,
    function,
    huggingface,
    jsonl,
    parquet,
    reasoning_gym,
    rows,
    run,
)
from transforms.sources.codeio import CodeIOSource
from transforms.sources.function import FunctionSource
from transforms.sources.huggingface import HuggingFaceSource
from transforms.sources.jsonl import JsonlSource
from transforms.sources.licenses import card_license, spdx
from transforms.sources.parquet import ParquetSource
from transforms.sources.reasoning_gym import ReasoningGymSource
from transforms.sources.rows import Row, SeedReason
from transforms.sources.run import RunSource

Source = Annotated[
    JsonlSource
    | ParquetSource
    | FunctionSource
    | HuggingFaceSource
    | ReasoningGymSource
    | CodeIOSource
    | RunSource,
    Field(discriminator="type"),
]


class MixSource(Group):
    """Several sources read as one."""

    type: Literal["mix"]
    sources: dict[str, Source] = Field(description="name -> source", min_length=1)


AnySource = Annotated[
    JsonlSource
    | ParquetSource
    | FunctionSource
    | HuggingFaceSource
    | ReasoningGymSource
    | CodeIOSource
    | RunSource
    | MixSource,
    Field(discriminator="type"),
]


def parts(source: AnySource) -> dict[str, Source]:
    """Returns the sources of a mix by name, or the one source by its type."""
    return dict(source.sources) if isinstance(source, MixSource) else {source.type: source}


def check_source(source: AnySource) -> list[str]:
    """Checks, before a pipeline starts, that a source can be read and has the columns mapped.

    Returns:
        Lines for the user: which column is taken for the problem, which licence SPDX lacks.

    Raises:
        SourceError: one line that names what is wrong, and in a mix which source.
    """
    checks: dict[str, Any] = {
        "jsonl": jsonl.check,
        "parquet": parquet.check,
        "function": function.check,
        "huggingface": huggingface.check,
        "reasoning_gym": reasoning_gym.check,
        "codeio": codeio.check,
        "run": run.check,
    }
    notes: list[str] = []
    for name, part in parts(source).items():
        try:
            files = _as_files(part)
            notes += checks[files.type](files) or []
        except SourceError as error:
            if not isinstance(source, MixSource):
                raise
            raise SourceError(f"in source.sources.{name}: {error}") from error
        if isinstance(part, (JsonlSource, HuggingFaceSource)):
            notes += filter(None, [_license_of(part)[1]])
    return notes


def _as_files(source: Source) -> Source:
    """A dataset that is local data files as the source of those; other sources as they are."""
    files = huggingface.as_files(source) if isinstance(source, HuggingFaceSource) else None
    return files or source


def _license_of(
    source: JsonlSource | HuggingFaceSource | FunctionSource,
) -> tuple[str | None, str | None]:
    """Returns the licence of rows that name none: the one in the dataset card, beside the files,
    else the one in the settings; and a line where SPDX does not know the card's.
    """
    if isinstance(source, HuggingFaceSource):
        return huggingface.license_of(source)
    stated = source.license and (spdx(source.license) or source.license)
    if isinstance(source, FunctionSource):
        return stated, None
    if isinstance(source.path, list):  # the files of a dataset, whose card is read already
        return stated, None
    license, note = card_license(os.path.join(os.path.dirname(source.path), "README.md"))
    return license or stated, note


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
    """PBegin -> (PCollection[Row], PCollection[(Row, Seed | Verdict)]) of one source.

    Args:
        answers: whether columns of answers and options are read.
    """

    source: Source
    sandbox: SandboxSettings
    answers: bool = True

    def expand(self, begin: PBegin) -> tuple[PCollection, PCollection]:
        source = _as_files(self.source)
        raw: PCollection
        if isinstance(source, ParquetSource):
            raw = begin | "Parquet" >> parquet.ReadParquet(source)
        elif isinstance(source, JsonlSource):
            raw = begin | "JSON Lines" >> jsonl.ReadJsonl(source)
        elif isinstance(source, FunctionSource):
            raw = begin | "Function" >> function.ReadFunction(source)
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
            drawn = raw | "Draw inputs" >> Drive(
                "seeds", partial(codeio.seed_of, source=source), sandbox=self.sandbox
            )
            return raw, drawn.results
        seed_of = partial(
            rows.seed_of,
            columns=source.columns,
            license=_license_of(source)[0],
            answers=self.answers,
        )
        return raw, raw | "Seed" >> beam.Map(lambda row: (row, seed_of(row)))


def one_of_each(blocks: Iterable[Block]) -> Iterator[tuple[Seed, Verdict]]:
    """Keeps one seed of each id: the one whose JSON comes first, whatever order they came in.

    Goes through the blocks up to three times, and holds ids, and texts of those that occur twice.
    """
    counts = Counter(seed.id for block in blocks for seed in unpack(block))
    first: dict[str, str] = {}
    for seed in (seed for block in blocks for seed in unpack(block)):
        if counts[seed.id] == 1:
            yield seed, keep()
        else:
            text = canonical_json(asdict(seed))
            first[seed.id] = min(text, first.get(seed.id, text))
    if not first:
        return
    for seed in (seed for block in blocks for seed in unpack(block)):
        if counts[seed.id] > 1:
            if first.get(seed.id) == canonical_json(asdict(seed)):
                del first[seed.id]
                yield seed, keep()
            else:
                detail = "same problem, answer and code in this source"
                yield seed, reject(SeedReason.DUPLICATE_ID, detail)


@dataclass
class Unique(beam.PTransform):
    """PCollection[Seed] -> Outcome: one seed per id kept, the others rejected.

    One shuffle of seeds in blocks, so that no worker holds more than a part of them.
    """

    stage: str

    def expand(self, seeds: PCollection) -> Outcome:
        return (
            seeds
            | "In blocks" >> beam.ParDo(PackByKey(lambda seed: part_of(seed.id)))
            | "By part" >> beam.GroupByKey()
            | "One of each" >> beam.FlatMapTuple(lambda _, blocks: one_of_each(blocks))
            | "Decide" >> Decide(self.stage)
        )


@dataclass(kw_only=True)
class ReadSeeds(Stage):
    """PBegin -> Outcome: kept PCollection[Seed], rejected PCollection[Reject], entered
    PCollection[Row].

    Every row read is kept or rejected: unreadable, without a problem or a mapped value, not
    convertible, or the same as another.

    Args:
        source: where to read, or a mix; `check_source` says beforehand what is wrong with it.
        sandbox: limits for the input generators of codeio.
    """

    name: str = "seeds"
    source: AnySource
    sandbox: SandboxSettings

    reads: ClassVar[type | None] = None
    writes: ClassVar[type] = Seed
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = SeedReason

    def expand(self, begin: PBegin) -> Outcome:
        entered, made = [], []
        for name, source in parts(self.source).items():
            raw, seeds = begin | f"Read {name}" >> ReadRows(source, self.sandbox)
            entered.append(raw)
            made.append(seeds)
        split = (
            made
            | "All sources" >> beam.Flatten(pipeline=begin.pipeline)
            | "Seeds" >> beam.ParDo(_SeedOrReject(self.name)).with_outputs("rejected", main="seeds")
        )
        unique = split["seeds"] | "Unique" >> Unique(self.name)
        return Outcome(
            kept=unique.kept,
            rejected=(split["rejected"], unique.rejected) | "Rejected" >> beam.Flatten(),
            entered=entered | "Entered" >> beam.Flatten(pipeline=begin.pipeline),
        )
