"""Rows drawn from reasoning-gym's procedural tasks: a question and its answer each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SourceError, first_line
from transforms.engine.ids import canonical_json, derived_seed
from transforms.engine.records import Seed
from transforms.engine.versions import versions
from transforms.sandbox.settings import SandboxSettings
from transforms.sources.base import SourceSettings
from transforms.sources.forms import split_steps, with_answer
from transforms.sources.rows import Row, SeedReason, parsed, plain

LICENSE = "Apache-2.0"

_PIECE = 25
"""Questions that a worker draws at a time: opening a task costs up to a second, a question less."""

REFUSED = {
    "codeio": "runs model-written code outside the sandbox: use source=codeio",
    "composite": "is a mixture of other tasks: name those",
    **dict.fromkeys(
        ("isomorphic_strings", "knight_swap", "polynomial_multiplication", "ransom_note",
         "word_ladder"),
        "draws other questions in every process (it iterates over sets), so a run could not be "
        "repeated: leave it out",
    ),
}  # fmt: skip
"""Tasks that are not offered, and why."""


class ReasoningGymSource(SourceSettings):
    """Seeds drawn from reasoning-gym's procedural tasks (question, answer, metadata)."""

    type: Literal["reasoning_gym"]
    tasks: list[str] = Field(
        description="names of reasoning-gym tasks, such as gsm_symbolic", min_length=1
    )
    size: int = Field(50, ge=1, description="questions drawn from each task")
    seed: int = Field(0, ge=0, description="seed of the drawing")

    def check(self) -> list[str]:
        """Looks for the tasks by name.

        Raises:
            SourceError: reasoning-gym is not installed, a task is unknown, or one that is refused.
        """
        known = set(_library().factory.DATASETS)
        for task in self.tasks:
            if task in REFUSED:
                raise SourceError(f"source.tasks: {task} {REFUSED[task]}")
            if task not in known:
                close = difflib.get_close_matches(task, known - set(REFUSED), n=3, cutoff=0.5)
                hint = (
                    f"did you mean {' or '.join(close)}?" if close else "see its gallery for names"
                )
                raise SourceError(f"source.tasks: reasoning-gym has no task {task}: {hint}")
        return []

    def rows(self) -> beam.PTransform:
        return ReadReasoningGym(self)

    def seeds(self, sandbox: SandboxSettings, answers: bool) -> beam.PTransform:
        return beam.Map(lambda row: (row, seed_of(row)))

    def content(self) -> Any:
        return versions().get("reasoning-gym")


def _library() -> Any:
    try:
        import reasoning_gym
    except ImportError as error:
        raise SourceError(
            "source=reasoning_gym needs reasoning-gym: pip install 'cotmill[gym]'"
        ) from error
    return reasoning_gym


def pieces(source: ReasoningGymSource) -> list[tuple[str, int, int]]:
    """Returns (task, first, stop) of the questions to draw; a limit is shared among the tasks."""
    counts = dict.fromkeys(source.tasks, source.size)
    if source.limit is not None:
        tasks = list(counts)
        share, more = divmod(min(source.limit, source.size * len(tasks)), len(tasks))
        counts = {task: share + (place < more) for place, task in enumerate(tasks)}
    return [
        (task, first, min(first + _PIECE, count))
        for task, count in counts.items()
        for first in range(0, count, _PIECE)
    ]


def draw(source: ReasoningGymSource, task: str, first: int, stop: int) -> Iterator[Row]:
    """Yields the questions `first` to `stop` of a task; one that cannot be drawn says why.

    reasoning-gym draws question i from `seed + i`, so runs whose seeds are neighbours would share
    nearly all questions. Here the task's seed is a hash of the run's seed and the task's name.
    """
    seed = derived_seed(source.seed, "reasoning_gym", task)
    dataset = _library().create_dataset(task, seed=seed, size=source.size)
    for index in range(first, stop):
        try:
            item = dataset[index]
            row = {"question": item["question"], "answer": item["answer"]}
            row["metadata"] = item["metadata"]
        except Exception as error:  # a task's own bug loses one question, not the run
            row = {"error": f"{type(error).__name__}: {first_line(error)}"}
        raw = canonical_json(plain({"task": task, "index": index, "seed": seed, **row}))
        yield Row.make(f"reasoning-gym/{task}", raw, f"{task} {index}")


def seed_of(row: Row) -> Seed | Verdict:
    """Returns the seed of a question; the answer is None for tasks with many right answers."""
    data = parsed(row.raw)
    if isinstance(data, Verdict):
        return data
    if "error" in data:
        return reject(SeedReason.UNREADABLE_RECORD, f"{row.place}: {data['error']}")
    if not data["question"]:
        return reject(SeedReason.MISSING_FIELD, f"{row.place}: no question")
    answer = data["answer"]
    metadata = data["metadata"] if isinstance(data["metadata"], dict) else {}
    worked = metadata.pop("answer_cot", None)  # gsm_symbolic's, which ends in `#### 72`
    final, steps = split_steps(worked)
    return Seed.make(
        problem=data["question"],
        answer=answer if answer is None or isinstance(answer, str) else canonical_json(answer),
        solution=with_answer(steps, final) if steps else worked,
        kind=data["task"],
        source=row.source,
        license=LICENSE,
        metadata=canonical_json(metadata),
    )


@dataclass
class ReadReasoningGym(beam.PTransform):
    """PBegin -> PCollection[Row]: `size` questions of each task, the same on every run."""

    source: ReasoningGymSource

    def expand(self, begin: PBegin) -> PCollection:
        source = self.source
        return (
            begin
            | "Pieces" >> beam.Create(pieces(source))
            | "Draw" >> beam.FlatMapTuple(lambda *piece: draw(source, *piece))
        )
