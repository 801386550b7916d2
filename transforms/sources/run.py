"""Accepted rows of an earlier run as seeds, so many of each structure of program."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.pvalue import PBegin, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import RunFolderError, SourceError
from transforms.engine.files import FileSystems
from transforms.engine.ids import canonical_json
from transforms.engine.losers import JudgeLosers, LimitPerKey
from transforms.engine.records import Seed
from transforms.engine.run_folder import RunFolder, absolute
from transforms.models.responses import extract_program
from transforms.programs import Unparsable, fingerprint
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import ReadInOrder, SourceSettings
from transforms.sources.files import content_of, matching, reading
from transforms.sources.rows import NO_LICENSE, Row, SeedReason, parsed
from transforms.stages.diversity.reasons import Sameness
from transforms.text.answers import plain_answer

_NEEDED = ("id", "problem", "code", "answer")
_COLUMNS = (*_NEEDED, "instruction", "output", "solution", "kind", "source", "license", "run_id")
"""Of a row: `instruction` is what the recipe wrote for a problem, and `output` is there where the
answer beside it is worded as a seed's is; else the answer is the output, as JSON."""


class RunSource(SourceSettings):
    """Seeds from the accepted rows of an earlier run: what it found, the next round starts from."""

    type: Literal["run"]
    path: str = Field(description="folder of a finished run (its output_dir)")
    license: str | None = Field(
        None,
        description="SPDX licence of rows without one: their programs were written from no seed",
    )
    max_per_fingerprint: int = Field(
        4,
        ge=1,
        description="rows kept per structure of program (AST without names and constants): the "
        "shortest programs, then the smallest ids",
    )

    reasons: ClassVar[Iterable[str]] = (*SeedReason, Sameness.FINGERPRINT_FULL)

    def check(self) -> list[str]:
        """Looks at the manifest and at the schema of the accepted rows.

        Raises:
            SourceError: the folder is no run of cotmill, or one that is not finished.
        """
        try:
            manifest = RunFolder(absolute(self.path)).read_manifest()
        except RunFolderError as error:
            raise SourceError(str(error)) from error
        if manifest is None:
            raise SourceError(
                f"source.path={self.path} holds no manifest.json: name the output_dir of a run"
            )
        if manifest.get("status") not in ("complete", "incomplete"):
            raise SourceError(
                f"source.path={self.path}: this run is not finished (status: "
                f"{manifest.get('status')}): finish it with resume=true"
            )
        for path in _files(self):
            with reading(path), FileSystems.open(path) as file:
                there = pq.read_schema(file).names
            names = {"problem" if name == "instruction" else name for name in there}
            if lacking := [name for name in _NEEDED if name not in names]:
                raise SourceError(
                    f"{path} has no column {', '.join(lacking)}: its rows are no verified problems"
                )
        return []

    def rows(self) -> beam.PTransform:
        return ReadRun(self)

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return SeedsOfRun(self)

    def content(self) -> Any:
        return content_of(FileSystems.join(absolute(self.path), "data", "*.parquet"))


def _files(source: RunSource) -> list[str]:
    return matching(FileSystems.join(absolute(source.path), "data", "*.parquet"))


def rows_in(path: str) -> Iterator[Row]:
    """Yields the accepted rows of one file."""
    with reading(path), FileSystems.open(path) as file:
        parquet = pq.ParquetFile(file)
        columns = [name for name in _COLUMNS if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(batch_size=1024, columns=columns):
            for record in batch.to_pylist():
                yield Row.make(record.get("source") or "model", canonical_json(record), path)


def _all_rows(source: RunSource) -> Iterator[Row]:
    return (row for path in _files(source) for row in rows_in(path))


def seed_of(source: RunSource, row: Row) -> Seed | Verdict:
    """Returns the seed of an accepted row, or why it makes none.

    A row that was verified by programs alone has a program for its solution, which is none in
    natural language.
    """
    data = parsed(row.raw)
    if isinstance(data, Verdict):
        return data
    data["problem"] = data.get("instruction") or data.get("problem")
    if lacking := [name for name in _NEEDED if not data[name]]:
        return reject(SeedReason.MISSING_FIELD, f"{row.place}: no {', '.join(lacking)}")
    try:
        answer = data["answer"] if data.get("output") else plain_answer(data["answer"])
    except ValueError as error:
        return reject(SeedReason.UNREADABLE_RECORD, f"{row.place}: answer is not JSON: {error}")
    solution = data.get("solution") or None
    return Seed.make(
        problem=data["problem"],
        answer=answer,
        code=data["code"],
        solution=None if extract_program(solution or "") else solution,
        kind=data.get("kind"),
        source=row.source,
        license=data.get("license") or source.license or NO_LICENSE,
        metadata=canonical_json({"row": data["id"], "run_id": data.get("run_id")}),
    )


@dataclass(frozen=True)
class Ranked:
    """What decides whether a row stays, without the row."""

    id: str
    structure: str
    order: tuple[int, str]
    """Characters of its program, and the id it has in its run."""


def ranked(source: RunSource, row: Row) -> Iterator[Ranked]:
    """A program that does not parse has no structure: it is left to the verification of seeds."""
    made = seed_of(source, row)
    if isinstance(made, Seed) and made.code is not None:
        try:
            structure = fingerprint(made.code)
        except Unparsable:
            return
        yield Ranked(row.id, structure, (len(made.code), parsed(row.raw)["id"]))


@dataclass
class ReadRun(beam.PTransform):
    """PBegin -> PCollection[Row]: the accepted rows of a run.

    With a limit, the first rows of the files in the order of their names, read by one worker.
    """

    source: RunSource

    def expand(self, begin: PBegin) -> PCollection:
        if self.source.limit is not None:
            return begin | ReadInOrder(self.source, _all_rows)
        return begin | "Files" >> beam.Create(_files(self.source)) | "Rows" >> beam.FlatMap(rows_in)


@dataclass
class SeedsOfRun(beam.PTransform):
    """PCollection[Row] -> PCollection[(Row, Seed | Verdict)]: at most
    `source.max_per_fingerprint` seeds of one structure of program.
    """

    source: RunSource

    def expand(self, rows: PCollection) -> PCollection:
        source = self.source
        over = (
            rows
            | "Structure" >> beam.FlatMap(lambda row: ranked(source, row))
            | "Over limit"
            >> LimitPerKey(
                key=lambda one: one.structure,
                order=lambda one: one.order,
                limit=source.max_per_fingerprint,
                reason=Sameness.FINGERPRINT_FULL,
            )
        )
        return (
            rows
            | "Judge" >> JudgeLosers(over)
            | "Seed"
            >> beam.MapTuple(
                lambda row, verdict: (row, seed_of(source, row) if verdict.kept else verdict)
            )
        )
