"""The parts of a ledger: Parquet files of responses, which readers see whole or never."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes

from transforms.engine.errors import LedgerError, one_line, typed_line
from transforms.engine.files import FileSystems, new_file
from transforms.engine.records import ToolCall
from transforms.models.requests import UNANSWERED, ErrorKind, Response, request_from_json

_log = logging.getLogger(__name__)

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("cached_tokens", pa.int64(), nullable=False),
        pa.field("generated_tokens", pa.int64(), nullable=False),
        pa.field("mean_logprob", pa.float64()),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("api", pa.string(), nullable=False),
        pa.field("continue_prefix", pa.bool_(), nullable=False),
        pa.field("sampler", pa.string(), nullable=False),
        pa.field("versions", pa.string(), nullable=False),
        pa.field("request", pa.string(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("error", pa.string()),
        pa.field("error_kind", pa.string()),
        pa.field("model_id", pa.string(), nullable=False),
        pa.field("question", pa.string()),
        pa.field("max_tokens", pa.int64()),
        pa.field("backend", pa.string(), nullable=False),
        pa.field("reasoning", pa.string()),
        pa.field("tool_calls", pa.string()),
    ]
)
"""One row a response. As JSON, for people: `request`, what was asked; `sampler`, how it was
sampled; `versions`, of the packages of the process that asked. `model_id`: what identifies the
model, empty where its name does. `question`, `max_tokens`: the request without its limit, hashed,
and the limit. `error`, `error_kind`: null for an answer. `backend`: hash of the backend's settings.
`reasoning`: the thought before the text, null where there is none. `tool_calls`: as a JSON list,
null where the answer calls no tool.

A row whose `finish_reason` is `observation` is what a tool gave: `id` is its key, `text` its JSON.
"""
OBSERVATION = "observation"

_LATER: dict[str, Any] = {
    "cached_tokens": 0,
    "mean_logprob": None,
    "sampler": "",
    "versions": "",
    "error": None,
    "error_kind": None,
    "model_id": "",
    "question": None,
    "max_tokens": None,
    "backend": "",
    "reasoning": None,
    "tool_calls": None,
}
"""Columns that parts of older ledgers lack, and what they are read as."""
ANSWER = [
    "id",
    "stage",
    "model",
    "engine",
    "text",
    "finish_reason",
    "error",
    "error_kind",
    "prompt_tokens",
    "cached_tokens",
    "generated_tokens",
    "mean_logprob",
    "seconds",
    "reasoning",
    "tool_calls",
]
"""The columns that make a `Response`."""
QUESTION = ["id", "stage", "model", "model_id", "request", "question", "max_tokens"]
"""The columns that `with_questions` reads."""
ORDER = ["error_kind", "text", "finish_reason", "engine", "stage"]
"""The columns that decide between several responses to one request (`order_of`)."""
ROW_GROUP = 1000
"""Rows that are compressed, and so read, together."""
_DIGESTED = json.JSONEncoder()
"""Made once: `json.dumps` makes one each time, at half of the cost of a row."""


class NewPart:
    """A part that is being written (by `new_part`)."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._digest = hashlib.blake2b(digest_size=16)
        self.rows = 0
        self.path = ""
        """Where the part is, once it is whole; empty where it would have no rows."""

    def write(self, table: pa.Table) -> None:
        """Adds rows of `SCHEMA`."""
        columns = (table[name].to_pylist() for name in ("id", *ORDER))
        for row in zip(*columns, strict=True):
            self._digest.update(_DIGESTED.encode(row).encode())
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self.rows += len(table)

    @property
    def name(self) -> str:
        return f"part-{self._digest.hexdigest()}.parquet"


@contextlib.contextmanager
def new_part(folder: str) -> Iterator[NewPart]:
    """A part to write rows to; readers see it, whole, when the block ends well, or never."""
    with new_file(FileSystems.join(folder, "part")) as new:
        # A page's checksum tells a flipped bit where decompression does not; statistics would be
        # texts once more.
        with pq.ParquetWriter(
            new.file, SCHEMA, compression="zstd", write_page_checksum=True, write_statistics=False
        ) as writer:
            part = NewPart(writer)
            yield part
        new.path = FileSystems.join(folder, part.name) if part.rows else ""
    part.path = new.path


@dataclass(frozen=True)
class Part:
    """A part as its folder lists it."""

    path: str
    bytes: int
    written_at: float
    """Seconds since 1970, as the filesystem says."""


def ledger_folder(folder: str) -> list[Part]:
    """Returns the parts in `folder`, sorted by path; none where there is no folder."""
    try:
        (found,) = FileSystems.match([FileSystems.join(folder, "part-*.parquet")])
    except Exception as error:  # each filesystem has its own error for a missing folder
        if FileSystems.exists(folder):
            raise
        _log.debug("no ledger in %s: %s", folder, error)
        return []
    parts = [
        Part(each.path, each.size_in_bytes, each.last_updated_in_seconds)
        for each in found.metadata_list
    ]
    return sorted(parts, key=lambda part: part.path)


def ledger_parts(folder: str) -> list[str]:
    """Returns the paths of the parts in `folder`, sorted; none where there is no folder."""
    return [part.path for part in ledger_folder(folder)]


class PartGone(Exception):
    """A part is no longer there: its rows are in another part."""


class PartUnreadable(Exception):
    """The content of a part is damaged, or is no ledger part. Its text names the part."""


def to_responses(table: pa.Table) -> Iterator[Response]:
    """Yields the responses that a table of `ANSWER` columns holds, marked as recorded."""
    for batch in table.to_batches(max_chunksize=ROW_GROUP):
        yield from map(to_response, batch.to_pylist())


def to_response(row: dict[str, Any]) -> Response:
    """Returns the response that the `ANSWER` columns of a row hold, marked as recorded."""
    kind = row["error_kind"] and ErrorKind(row["error_kind"])
    calls = tuple(ToolCall(**call) for call in json.loads(row["tool_calls"] or "[]"))
    return Response(**{**row, "error_kind": kind, "tool_calls": calls}, recorded=True)


def read_columns(path: str, columns: list[str], rows: np.ndarray | None = None) -> pa.Table:
    """Returns columns of a part: all rows, or those of the numbers `rows` (ascending).

    Only the row groups and columns that are asked for are read. Nothing in the folder is changed.

    Raises:
        PartGone: there is no such part any more.
        PartUnreadable: the part's content is damaged.
        LedgerError: the part cannot be read here and now, which tells nothing of its content.
    """
    try:
        with _opened(path) as file:
            return _table(file, columns, rows)
    except Exception as error:  # each filesystem has its own
        _log.debug("%s, at first: %s", path, error)
    try:
        with _opened(path) as file:
            content = file.read()  # what fails after this is the content's fault, not the storage's
    except Exception as error:
        if not FileSystems.exists(path):
            raise PartGone(path) from None
        raise _not_now(path, error) from error
    try:
        return _table(pa.BufferReader(content), columns, rows)
    except (pa.ArrowNotImplementedError, MemoryError) as error:
        raise _not_now(path, error) from error
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise PartUnreadable(f"ledger part {path} is unreadable ({one_line(error)})") from error


def _not_now(path: str, error: BaseException) -> LedgerError:
    return LedgerError(
        f"the ledger part {path} cannot be read now ({typed_line(error)}): nothing of it was "
        "changed; see to the disk, the memory or the version of pyarrow, then go on with "
        "resume=true"
    )


_warned: set[str] = set()


def warn_unreadable(error: PartUnreadable) -> None:
    """Warns of an unreadable part, once in this process."""
    if str(error) not in _warned:
        _warned.add(str(error))
        _log.warning(
            "%s: its requests will be asked again (cotmill ledger compact sets it aside)", error
        )


def _opened(path: str) -> Any:
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _table(file: Any, columns: list[str], rows: np.ndarray | None) -> pa.Table:
    parquet = pq.ParquetFile(file, page_checksum_verification=True)
    held = set(parquet.schema_arrow.names)
    if lacking := [name for name in columns if name not in held and name not in _LATER]:
        raise KeyError(f"no column {', '.join(lacking)}")
    present = [name for name in columns if name in held]
    if rows is None:
        table = parquet.read(present)
    else:
        sizes = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
        ends = np.cumsum(sizes)
        groups = np.searchsorted(ends, rows, side="right")
        table = pa.concat_tables(
            parquet.read_row_group(group, present).take(
                rows[groups == group] - (ends[group] - sizes[group])
            )
            for group in np.unique(groups).tolist()
        )
    for name in columns:
        if name not in held:
            filled = pa.repeat(pa.scalar(_LATER[name], SCHEMA.field(name).type), len(table))
            table = table.append_column(name, filled)
    return table.select(columns).cast(pa.schema([SCHEMA.field(name) for name in columns]))


def with_questions(table: pa.Table) -> pa.Table:
    """Returns `table` with its questions and limits, where rows of the first edition lack them.

    They are made from the request as JSON, and stay null where that is not what the id stands for.
    """
    asked = table.select(QUESTION).to_pylist()
    pairs = [
        _asked(row) if row["question"] is None else (row["question"], row["max_tokens"])
        for row in asked
    ]
    for name, values in zip(("question", "max_tokens"), zip(*pairs, strict=True), strict=False):
        place = table.schema.get_field_index(name)
        table = table.set_column(
            place, SCHEMA.field(name), pa.array(values, SCHEMA.field(name).type)
        )
    return table


def _asked(row: dict[str, Any]) -> tuple[str | None, int | None]:
    try:
        request = request_from_json(
            row["stage"], row["model"], row["model_id"], json.loads(row["request"])
        )
        if request.id == row["id"]:
            return request.question, request.sampler.max_tokens
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        _log.debug("request %s is not recorded as JSON: %s", row["id"], error)
    return None, None


def first_of(responses: Iterable[Response]) -> Response:
    """Returns the one of several responses to one request that every run would choose.

    An answer goes before a failure, and a failure of the request before an unanswered one.
    """
    return min(responses, key=lambda r: order_of([getattr(r, name) for name in ORDER]))


def order_of(values: Sequence[Any]) -> tuple[Any, ...]:
    """The sort key of the `ORDER` columns of a response."""
    kind, *others = values
    return (rank_of(kind), *others)


def rank_of(kind: str | None) -> int:
    """The first of that key: 0 for an answer, 1 for a failure, 2 for an unanswered request."""
    return 0 if kind is None else 2 if kind in UNANSWERED else 1
