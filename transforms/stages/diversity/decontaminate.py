"""Records that repeat an item of an evaluation benchmark are not published."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, PBegin, PCollection
from apache_beam.transforms.window import GlobalWindows

from transforms.engine.accounting import Tally, Verdict, keep, reject
from transforms.engine.blocks import Block, PackByKey, unpack
from transforms.engine.errors import SourceError
from transforms.engine.outcomes import Decide, Outcome
from transforms.engine.records import Seed
from transforms.engine.stage import AnyRecord, Stage
from transforms.sandbox.settings import SandboxSettings
from transforms.sources import check_source
from transforms.sources.read import ReadRows
from transforms.sources.rows import Row, parsed
from transforms.stages.diversity.hashed import read_hashes
from transforms.stages.diversity.overlap import BenchmarkIndex, Item
from transforms.stages.diversity.reasons import Sameness
from transforms.stages.diversity.semantic import Embed, OneModel, SentenceModel, model_path
from transforms.stages.diversity.settings import DecontaminateSettings

STAGE = "decontaminate"

_BLOCK = 512
"""Records compared at once: a call for one costs as much as for some hundred."""

_MOST_ITEMS = 200_000
"""Every worker holds the index of all items, so their number is bounded. The usual benchmarks have
some 12,000 together; whoever has more than this has a training set."""

_IDS = ("task_id", "unique_id", "question_id", "id", "ID")
"""Columns in which benchmarks number their items."""


def check_benchmarks(settings: DecontaminateSettings) -> None:
    """Checks, before a pipeline starts, that every benchmark can be read.

    Raises:
        SourceError: one line that names the benchmark, what is wrong with it, and the fix.
        SettingsError: what embeddings need is not installed.
    """
    if settings.semantic:
        model_path(settings.semantic_model, "decontaminate")
    for name, path in settings.hashes.items():
        try:
            read_hashes(path)
        except SourceError as error:
            raise SourceError(
                f"in decontaminate.hashes.{name}: {error}; make it with `cotmill hashes {name}`"
            ) from None
    for name, source in settings.benchmarks.items():
        key = f"decontaminate.benchmarks.{name}"
        try:
            check_source(source)
        except SourceError as error:
            raise SourceError(
                f"in {key}: {error}; leave it out with '~{key}', or read a local copy with "
                f"{key}.path=FOLDER"
            ) from error


def item_of(benchmark: str, row: Row, made: Seed | Verdict) -> Item | None:
    """The item that a benchmark's row makes; None where it has neither a problem nor code."""
    if isinstance(made, Verdict):
        return None
    data = parsed(row.raw)
    found = data if isinstance(data, dict) else {}
    name = next((str(found[column]) for column in _IDS if found.get(column) is not None), row.place)
    return Item(benchmark, name, made.problem, made.code)


def build_index(
    items: Iterable[Item], settings: DecontaminateSettings, embed: Embed | None = None
) -> BenchmarkIndex:
    """Raises SourceError where a benchmark has no item, or all have too many."""
    held = list(items)
    if len(held) > _MOST_ITEMS:
        raise SourceError(
            f"decontaminate.benchmarks have {len(held):,} items, more than {_MOST_ITEMS:,}: "
            "leave out what is no benchmark"
        )
    for name in settings.benchmarks.keys() - {item.benchmark for item in held}:
        raise SourceError(
            f"decontaminate.benchmarks.{name} has no row with a problem or code: map the column "
            f"with decontaminate.benchmarks.{name}.columns.problem=COLUMN, or leave it out"
        )
    index = BenchmarkIndex.of(held, settings)
    if embed is None or not held:
        return index
    return replace(index, vectors=embed([item.problem for item in index.items]))


def judge(
    records: list[Any],
    texts: list[tuple[str, str]],
    index: BenchmarkIndex,
    embed: Embed | None = None,
) -> Iterator[tuple[Any, Verdict]]:
    """Yields each record with its verdict: kept, or which item it repeats and how.

    Args:
        texts: each record's text and program.
        embed: that of the index's vectors; None where meanings are not compared.
    """
    lists = [read_hashes(path) for path in index.settings.hashes.values()]
    overlaps = index.overlaps(texts)
    if embed is not None and index.vectors is not None:
        said = [text for text, _ in texts]
        meant = index.meant(said, embed(said))
        overlaps = [one or other for one, other in zip(overlaps, meant, strict=True)]
    for record, text, overlap in zip(records, texts, overlaps, strict=True):
        if overlap is not None:
            yield record, reject(Sameness.CONTAMINATED, index.detail(overlap))
            continue
        whole = "\n".join(filter(None, text))
        repeated = next(filter(None, (each.repeated(whole) for each in lists)), None)
        yield record, reject(Sameness.CONTAMINATED, repeated) if repeated else keep()


@dataclass
class ReadBenchmarks(beam.PTransform):
    """PBegin -> PCollection[(name, Item | None)]: None for a row that makes no item."""

    settings: DecontaminateSettings
    sandbox: SandboxSettings

    def expand(self, begin: PBegin) -> PCollection:
        read = []
        for name, source in self.settings.benchmarks.items():
            for part, one in source.parts().items():
                _, made = begin | f"{name}, {part}" >> ReadRows(one, self.sandbox, answers=False)
                read.append(
                    made | f"Items of {name}, {part}" >> beam.MapTuple(partial(_item, name))
                )
        return read | "All" >> beam.Flatten(pipeline=begin.pipeline)


def _item(name: str, row: Row, made: Seed | Verdict) -> tuple[str, Item | None]:
    return name, item_of(name, row, made)


def _tally(name: str, item: Item | None) -> Tally:
    return Tally(STAGE, "benchmark.unreadable" if item is None else "benchmark.items", name, 1)


def _model(settings: DecontaminateSettings) -> OneModel | None:
    name = settings.semantic_model
    return (
        OneModel(lambda: SentenceModel(name, "decontaminate"), name) if settings.semantic else None
    )


class _Judge(beam.DoFn):
    """Judges records in blocks, by the fields that hold their text and their program.

    The side input is the index in a block of its own, under a key that says nothing.
    """

    def __init__(self, text: str, code: str | None, embed: Embed | None) -> None:
        self._text, self._code, self._embed = text, code, embed

    def start_bundle(self) -> None:
        self._held: list[Any] = []
        self._index: BenchmarkIndex | None = None

    def process(self, record: Any, packed: tuple[int, Block]) -> Iterator[tuple[Any, Verdict]]:
        if self._index is None:
            [self._index] = unpack(packed[1])
        self._held.append(record)
        if len(self._held) >= _BLOCK:
            yield from self._judged()

    def finish_bundle(self) -> Iterator[Any]:
        for pair in self._judged():
            yield GlobalWindows.windowed_value(pair)

    def _judged(self) -> Iterator[tuple[Any, Verdict]]:
        held, self._held = self._held, []
        if self._index is not None:
            code = self._code
            texts = [
                (getattr(record, self._text), getattr(record, code) if code else "")
                for record in held
            ]
            yield from judge(held, texts, self._index, self._embed)


@dataclass(kw_only=True)
class Decontaminate(Stage):
    """PCollection[record] -> Outcome of the same: none that repeats an item of a benchmark.

    Of several items that a row repeats, the one of the most telling kind of overlap is named, then
    the first by benchmark and name. No row is shuffled: benchmarks are small, so their hashes are
    indexed in one place and every worker looks its rows up in a copy. Its tallies say how many
    items each benchmark has.

    Args:
        decontaminate: the benchmarks (none: every record is kept) and what counts as repeating.
        sandbox: limits for the input generators of a benchmark of type codeio.
    """

    name: str = STAGE
    decontaminate: DecontaminateSettings
    sandbox: SandboxSettings
    text: str = "instruction"
    """The record's field that is compared with the items' problems."""
    code: str | None = "code"
    """The field that is compared with the items' code (null: none)."""

    reads: ClassVar[type] = AnyRecord
    by_field: ClassVar[tuple[str, ...]] = ("text", "code")
    reasons: ClassVar[Iterable[str]] = (Sameness.CONTAMINATED,)

    def expand(self, records: PCollection) -> Outcome:
        settings, embed = self.decontaminate, _model(self.decontaminate)
        read = records.pipeline | "Read benchmarks" >> ReadBenchmarks(settings, self.sandbox)
        index = (
            read
            | "Items" >> beam.Values()
            | "Readable" >> beam.Filter(lambda item: item is not None)
            | "Collect" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
            | "Index" >> beam.Map(build_index, settings, embed)
            # the local runner holds several copies of what it hands on itself
            | "In a block" >> beam.ParDo(PackByKey(lambda index: 0))
        )
        decided = (
            records
            | "Judge" >> beam.ParDo(_Judge(self.text, self.code, embed), AsSingleton(index))
            | "Decide" >> Decide(self.name)
        )
        return decided._replace(tallies=read | "Count items" >> beam.MapTuple(_tally))
