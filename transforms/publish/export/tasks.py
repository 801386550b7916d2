"""What a run holds of each task: its accepted rows, and the other attempts at it.

Any recipe's rows are read, by the names of their columns. The files are read part by part: a part
holds the tasks of some hashes, so that a bounded share of the texts is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from transforms.engine.errors import RunFolderError
from transforms.engine.files import FileSystems
from transforms.engine.ids import content_id
from transforms.engine.run_folder import RunFolder, files_below
from transforms.images.rows import COLUMN
from transforms.publish.export.chats import Conversation, Message, conversation, length
from transforms.text.reasoning import judge_reasoning

_COLUMNS = (
    *("id", "recipe", "kind", "source", "license", "seed_ids", "code", "tools", "task", "grader"),
    *("shown", "data"),
    *("messages", "prompt", "chosen", "rejected"),
    *("instruction", "problem", "solution", "reasoning"),
    *("answer", "reference", "answer_type", "output", "prediction"),
    *("agreement", "attempts", "score"),
    COLUMN,
)
"""What is read of accepted rows, where they have it."""
_PART_BYTES = 64 << 20
"""Bytes of Parquet, not compressed, whose tasks are held at a time, about."""
_BATCH = 1024


@dataclass(frozen=True)
class Attempted:
    """An attempt at a task that is no row of its own."""

    completion: list[Message]
    agrees: bool
    """Whether it comes to the right answer, by sound reasoning."""
    answer: str | None
    """Its final answer, as it words it."""


@dataclass
class Task:
    """A prompt, the accepted rows that answer it, and other attempts at it."""

    id: str
    """Hash of the prompt."""
    prompt: list[Message]
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Of `_COLUMNS` those that the run has; right ones first, of these the shortest answer."""
    others: list[Attempted] = field(default_factory=list)
    """Attempts that are no rows, in the order in which they stand."""

    @property
    def row(self) -> dict[str, Any]:
        """The row that speaks for the task."""
        return self.rows[0]

    def answers(self, agree: bool) -> list[Answer]:
        """Answers that agree, the rows' first; or those that do not. Each is there once."""
        found = [Answer(row, answer_of(row)) for row in self.rows if is_right(row) is agree]
        found += [Answer(self.row, a.completion) for a in self.others if a.agrees is agree]
        once: list[Answer] = []
        for answer in found:
            if answer.completion and all(answer.completion != each.completion for each in once):
                once.append(answer)
        return once


class Answer(NamedTuple):
    """An answer to a task."""

    row: dict[str, Any]
    """The row whose answer it is; of another attempt, the row that speaks for the task."""
    completion: list[Message]


def answer_of(row: Mapping[str, Any]) -> list[Message]:
    """What a row of a task answers."""
    said = conversation(row)
    assert said is not None
    return said.completion


def is_right(row: Mapping[str, Any]) -> bool:
    """Whether a row is a right attempt: some recipes keep wrong ones as rows with a score of 0."""
    return row.get("score") is None or row["score"] > 0


def task_id(prompt: Sequence[Message]) -> str:
    """Returns the hash of a prompt, which is what attempts at one task share."""
    return content_id("task", list(prompt))


def accepted_rows(run: RunFolder, manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a run's accepted rows with those of `_COLUMNS` that they have, without pictures."""
    for path in accepted_files(run, manifest):
        yield from _rows(path, [name for name in _COLUMNS if name != COLUMN])


def accepted_files(run: RunFolder, manifest: Mapping[str, Any]) -> list[str]:
    """Returns the files of a run's accepted rows; RunFolderError where it has not come to them."""
    if manifest.get("status") not in ("complete", "incomplete"):
        raise RunFolderError(
            f"run={run.root}: this run is not finished (status: {manifest.get('status')}): finish "
            "it with resume=true"
        )
    files = _parquet(run.path("data"))
    if not files:
        raise RunFolderError(f"run={run.root} has no rows in data/: name the output_dir of a run")
    return files


def tasks(
    run: RunFolder, manifest: Mapping[str, Any], attempts: bool, failed: Collection[str] = ()
) -> Iterator[Task]:
    """Yields the tasks of a run's accepted rows, in an order that their hashes decide.

    Args:
        attempts: whether those of the stage that solved the problems are read, too.
        failed: reasons of the rejects that are attempts which went wrong, and are read.

    Raises:
        RunFolderError: the run is not finished, or a file of it cannot be read.
    """
    tables = [_Table(accepted_files(run, manifest), _COLUMNS, conversation, _add_row)]
    if attempts:
        tables += _attempts(run, manifest)
    if failed:
        tables.append(_rejects(run, frozenset(failed)))
    parts = 1 + sum(_bytes(path) for table in tables for path in table.files) // _PART_BYTES
    hashes = [[_hashes(path, table) for path in table.files] for table in tables]
    for part in range(parts):
        found: dict[str, Task] = {}
        for table, of_files in zip(tables, hashes, strict=True):
            for path, each in zip(table.files, of_files, strict=True):
                mine = (each != 0) & (each // np.uint64(2) % np.uint64(parts) == part)
                for row in _rows(path, table.columns, mine):
                    table.into(found, row)
        for task in sorted(found.values(), key=lambda task: task.id):
            for row in task.rows:
                row.setdefault("recipe", manifest.get("recipe"))
            task.rows.sort(key=lambda row: (not is_right(row), length(answer_of(row)), row["id"]))
            yield task


@dataclass(frozen=True)
class _Table:
    """Parquet files whose rows are attempts."""

    files: list[str]
    columns: Sequence[str]
    read: Callable[[dict[str, Any]], Conversation | None]
    """What a row says; None for rows that are no attempts at a task."""
    add: Callable[[dict[str, Task], dict[str, Any], Conversation], None]
    """Puts a row where it belongs among the tasks, by id."""

    def into(self, found: dict[str, Task], row: dict[str, Any]) -> None:
        said = self.read(row)
        assert said is not None
        self.add(found, row, said)


def _add_row(found: dict[str, Task], row: dict[str, Any], said: Conversation) -> None:
    key = task_id(said.prompt)
    found.setdefault(key, Task(key, said.prompt)).rows.append(row)


def _attempts(run: RunFolder, manifest: Mapping[str, Any]) -> list[_Table]:
    """The last stage before the rows whose records list attempts; none where none does."""
    for segment in reversed(manifest["segments"]):
        files = _parquet(run.path(segment["folder"]))
        if files and _lists_attempts(_schema(files[0])):
            columns = ("instruction", "code", "attempts")
            return [_Table(files, columns, _asked, _add_attempts)]
    return []


def _lists_attempts(schema: pa.Schema) -> bool:
    if not {"instruction", "code", "attempts"} <= set(schema.names):
        return False
    kind = schema.field("attempts").type
    return pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)


def _asked(record: dict[str, Any]) -> Conversation:
    return Conversation([{"role": "user", "content": record["instruction"]}], [])


def _add_attempts(found: dict[str, Task], record: dict[str, Any], said: Conversation) -> None:
    """Adds language solutions that ended by themselves: those that agree if their reasoning holds,
    as a published one's does."""
    task = found.get(task_id(said.prompt))
    if task is None or all(row.get("code") != record["code"] for row in task.rows):
        return
    for attempt in record["attempts"]:
        if attempt["kind"] != "cot" or attempt["finish_reason"] != "stop" or not attempt["text"]:
            continue
        if attempt["agrees"] and not judge_reasoning(attempt["text"], record["instruction"]).kept:
            continue
        message = {"role": "assistant", "content": attempt["text"]}
        if attempt.get("reasoning"):
            message["reasoning"] = attempt["reasoning"]
        task.others.append(Attempted([message], bool(attempt["agrees"]), attempt["answer"]))


def _rejects(run: RunFolder, failed: Collection[str]) -> _Table:
    def read(reject: dict[str, Any]) -> Conversation | None:
        return conversation(json.loads(reject["record"])) if reject["reason"] in failed else None

    return _Table(_parquet(run.path("rejects")), ("reason", "record"), read, _add_reject)


def _add_reject(found: dict[str, Task], reject: dict[str, Any], said: Conversation) -> None:
    task = found.get(task_id(said.prompt))
    if task is not None:
        record = json.loads(reject["record"])
        stated = record.get("answer") or record.get("prediction")
        answer = record.get("final_answer", stated)
        task.others.append(Attempted(said.completion, False, answer))


def _parquet(folder: str) -> list[str]:
    return [
        path
        for path in files_below(folder)
        if path.endswith(".parquet") and not FileSystems.split(path)[1].startswith(".")
    ]


def _schema(path: str) -> pa.Schema:
    with FileSystems.open(path, compression_type="uncompressed") as file:
        return pq.read_schema(file)


def _bytes(path: str) -> int:
    with FileSystems.open(path, compression_type="uncompressed") as file:
        footer = pq.ParquetFile(file).metadata
        return sum(footer.row_group(n).total_byte_size for n in range(footer.num_row_groups))


def _hashes(path: str, table: _Table) -> np.ndarray:
    """The hash of each row's task, 64 bits; 0 for rows that are no attempts at one."""
    return np.array(
        [
            0 if (said := table.read(row)) is None else int(task_id(said.prompt)[:16], 16) | 1
            for row in _rows(path, [name for name in table.columns if name != COLUMN])
        ],
        dtype=np.uint64,
    )


def _rows(
    path: str, columns: Sequence[str], chosen: np.ndarray | None = None
) -> Iterator[dict[str, Any]]:
    """Yields rows of a file with those of `columns` that it has; of the chosen ones alone."""
    with FileSystems.open(path, compression_type="uncompressed") as file:
        parquet = pq.ParquetFile(file)
        there = [name for name in columns if name in parquet.schema_arrow.names]
        first = 0
        for batch in parquet.iter_batches(batch_size=_BATCH, columns=there):
            if chosen is not None:
                mine = np.flatnonzero(chosen[first : first + len(batch)])
                first += len(batch)
                if not len(mine):
                    continue
                batch = batch.take(pa.array(mine))
            yield from batch.to_pylist()
