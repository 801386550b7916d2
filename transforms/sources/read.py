"""Reads seeds from whatever source the settings name: `ReadSeeds`, and the check before it."""

from __future__ import annotations

import functools
import importlib
import inspect
import operator
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput
from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.blocks import Block, PackByKey, Together, part_of, records_of
from transforms.engine.errors import SourceError
from transforms.engine.ids import canonical_json
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.records import Seed
from transforms.engine.settings import Group
from transforms.engine.stage import Stage
from transforms.sandbox.settings import SandboxSettings
from transforms.sources import rows
from transforms.sources.base import SourceSettings
from transforms.sources.rows import Row, SeedReason


def found() -> tuple[type[SourceSettings], ...]:
    """Returns the settings of the sources that this package's modules hold."""
    package = sys.modules[__package__]
    names = [f"{__package__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
    modules = [importlib.import_module(name) for name in names if name != __name__]
    return tuple(
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, SourceSettings)
        if each.__module__ == module.__name__ and not inspect.isabstract(each)
    )


if TYPE_CHECKING:
    Source: TypeAlias = SourceSettings
else:
    Source = Annotated[functools.reduce(operator.or_, found()), Field(discriminator="type")]


class MixSource(Group):
    """Several sources read as one."""

    type: Literal["mix"]
    sources: dict[str, Source] = Field(description="name -> source", min_length=1)

    def parts(self) -> dict[str, Source]:
        """Returns the sources that are read, by name."""
        return self.sources

    def content(self) -> Any:
        """Returns what tells the contents of the parts from others."""
        return {name: part.content() for name, part in self.sources.items()}


SOURCES = (SourceSettings, MixSource)
if TYPE_CHECKING:
    AnySource: TypeAlias = SourceSettings | MixSource
else:
    AnySource = Annotated[
        functools.reduce(operator.or_, (*found(), MixSource)), Field(discriminator="type")
    ]


def check_source(source: AnySource) -> list[str]:
    """Checks, before a pipeline starts, that a source can be read and has the columns mapped.

    Returns:
        Lines for the user: which column is taken for the problem, which licence SPDX lacks.

    Raises:
        SourceError: one line that names what is wrong, and in a mix which source.
    """
    notes: list[str] = []
    for name, part in source.parts().items():
        try:
            notes += part.check()
        except SourceError as error:
            if not isinstance(source, MixSource):
                raise
            raise SourceError(f"in source.sources.{name}: {error}") from error
    return notes


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
        raw = begin | "Rows" >> self.source.rows()
        return raw, raw | "Seeds" >> self.source.seeds(self.sandbox, self.answers)


def one_of_each(blocks: Iterable[Block]) -> Iterator[tuple[Seed, Verdict]]:
    """Keeps one seed of each id: the one whose JSON comes first, whatever order they came in.

    Goes through the blocks up to three times, and holds ids, and texts of those that occur twice.
    """
    counts = Counter(seed.id for seed in records_of(blocks))
    first: dict[str, str] = {}
    for seed in records_of(blocks):
        if counts[seed.id] == 1:
            yield seed, keep()
        else:
            text = canonical_json(asdict(seed))
            first[seed.id] = min(text, first.get(seed.id, text))
    if not first:
        return
    for seed in records_of(blocks):
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
        sandbox: limits for code that a source has to run.
    """

    name: str = "seeds"
    source: AnySource
    sandbox: SandboxSettings

    reads: ClassVar[type | None] = None
    writes: ClassVar[type] = Seed
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = SeedReason

    def rejects_for(self) -> tuple[str, ...]:
        parts = self.source.parts().values()
        return (*super().rejects_for(), *(str(each) for part in parts for each in part.reasons))

    def expand(self, begin: PBegin) -> Outcome:
        entered, made = [], []
        for name, source in self.source.parts().items():
            raw, seeds = begin | f"Read {name}" >> ReadRows(source, self.sandbox)
            entered.append(raw)
            made.append(seeds)
        split = (
            tuple(made)
            | "All sources" >> Together(begin.pipeline)
            | "Seeds" >> beam.ParDo(_SeedOrReject(self.name)).with_outputs("rejected", main="seeds")
        )
        unique = split["seeds"] | "Unique" >> Unique(self.name)
        return Outcome(
            kept=unique.kept,
            rejected=(split["rejected"], unique.rejected) | "Rejected" >> Together(),
            entered=tuple(entered) | "Entered" >> Together(begin.pipeline),
        )
