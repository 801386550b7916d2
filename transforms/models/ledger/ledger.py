"""The ledger: every response to a request, in Parquet parts that survive a crash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from pydantic import Field

from transforms.engine.errors import LedgerError, one_line, typed_line
from transforms.engine.files import FileSystems, new_file
from transforms.engine.ids import content_id
from transforms.engine.records import ToolCall
from transforms.engine.settings import Group
from transforms.engine.versions import versions
from transforms.models.backends.base import valid_text
from transforms.models.backends.settings import Backend
from transforms.models.requests import (
    UNANSWERED,
    ErrorKind,
    Request,
    Response,
    Sampler,
    request_from_json,
    request_json,
)

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
_TEXTS = [field.name for field in SCHEMA if field.type == pa.string()]
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

_log = logging.getLogger(__name__)
_TICK = 0.25
"""Seconds between two looks of the clock at what is pending."""
_clock = threading.Lock()  # of the two below
_writers: weakref.WeakSet[LedgerWriter] = weakref.WeakSet()
_clock_runs = False


class LedgerSettings(Group):
    """Where model responses are recorded."""

    dir: str | None = Field(
        None, description="ledger folder, to share one between runs (null: OUTPUT_DIR/ledger)"
    )
    flush_requests: int = Field(512, ge=1, description="responses per ledger part, at most")
    flush_bytes: int = Field(
        16_000_000, ge=1, description="bytes of text per ledger part, about, before compression"
    )
    flush_seconds: float = Field(1.5, gt=0, description="longest time a response stays unwritten")

    def identity(self) -> Any:
        return None


def backend_hash(backend: Backend) -> str:
    """Returns the hash of the settings that decide whether a backend can take a request.

    Those that only decide speed and patience stay out, and those that came later than the first
    ledgers where they are not used.
    """
    unused = {
        name
        for name, field in type(backend).model_fields.items()
        if name in _LATER_SETTINGS and getattr(backend, name) == field.default
    }
    return content_id("backend", backend.model_dump(mode="json", exclude=_PATIENCE | unused))


_LATER_SETTINGS = {
    *("chat_template_kwargs", "reasoning", "think_tags", "request", "engine_args", "headers"),
    *("picture_tokens", "picture_mb"),
}


_PATIENCE = {
    *("max_in_flight", "requests_per_minute", "tokens_per_minute"),
    *("timeout_seconds", "max_retries", "pause_after", "pause_seconds", "budget"),
}


class LedgerWriter:
    """Writes responses to a ledger folder, in Parquet parts.

    A part is written under a hidden name and then renamed, so that a reader sees whole parts
    only, and is named by the responses in it, so that the same responses make the same part
    however often a bundle is repeated, and no writer can overwrite another's.

    What is pending is written once the oldest has waited for `flush_seconds`, which one thread a
    process sees to, so that a crash costs few answers though the worker only waits for its model.
    A part that is still smaller than half of `flush_requests` and of `flush_bytes` grows: the next
    flush writes its rows and the new ones as a new part, then deletes the old one. So answers that
    come slowly make no more parts than answers that come fast, on any filesystem.

    Failures are recorded too: those that are the request's own fault, which a later run need not
    ask again, and those that stayed unanswered, which a replay repeats (`LedgerIndex`).

    Args:
        api, continue_prefix: how the requests are asked.
        backend: hash of the backend's settings (`backend_hash`).
    """

    def __init__(
        self,
        folder: str,
        settings: LedgerSettings,
        *,
        api: str,
        continue_prefix: bool,
        backend: str = "",
    ) -> None:
        self._folder, self._settings = folder, settings
        self._how = {
            "api": api,
            "continue_prefix": continue_prefix,
            "backend": backend,
            "versions": json.dumps(versions()),
        }
        self._lock = threading.Lock()  # of the rows and their bytes
        self._writing = threading.Lock()  # held while a part is written; taken before the other
        self._pending: dict[str, dict[str, Any]] = {}
        self._growing: dict[str, dict[str, Any]] = {}  # rows of the last part, while it is small
        self._growing_path = ""
        self._bytes = 0  # of the texts of both
        self._oldest = 0.0
        with _clock:
            _writers.add(self)
        _start_clock()

    def add(self, request: Request, response: Response) -> None:
        """Takes in the response to `request`; flushes where the settings say that it is time.

        Of several responses to one request the first is kept, but an answer replaces a failure.
        """
        self._add(self._row(request, response))

    def add_observation(self, key: str, text: str) -> None:
        """Takes in what a tool gave, to be found again by `LedgerIndex.observation`.

        Args:
            key: hash of what was asked of the tool, all that decides its answer: 32 hexadecimal
                digits, as `content_id` makes them.
            text: what it gave, as JSON.
        """
        nothing = dict.fromkeys(("model", "engine", "sampler", "request", "model_id"), "")
        counts = dict.fromkeys(("prompt_tokens", "cached_tokens", "generated_tokens"), 0)
        row = {name: None for name in SCHEMA.names} | nothing | counts | self._how
        row |= {"id": key, "text": valid_text(text), "finish_reason": OBSERVATION, "stage": "tool"}
        self._add(row | {"seconds": 0.0, "recorded_at": datetime.now(UTC)})

    def _add(self, row: dict[str, Any]) -> None:
        key = row["id"]
        with self._lock:
            known = self._pending.get(key) or self._growing.get(key)
            if known is not None and _rank(row["error_kind"]) >= _rank(known["error_kind"]):
                return
            if not self._pending:
                self._oldest = time.monotonic()
            self._pending[key] = row
            self._bytes += _size(row)
            full = (
                len(self._growing) + len(self._pending) >= self._settings.flush_requests
                or self._bytes >= self._settings.flush_bytes
            )
        if full:
            self.flush()

    def _row(self, request: Request, response: Response) -> dict[str, Any]:
        row = {
            **vars(response),
            **self._how,
            "tool_calls": _calls_json(response.tool_calls),
            "recorded_at": datetime.now(UTC),
            "request": _PEOPLE.encode(request_json(request)),
            "sampler": _sampler_text(request.sampler),
            "model_id": request.model_id,
            "question": request.question,
            "max_tokens": request.sampler.max_tokens,
        }
        for name in _TEXTS:
            if (text := row[name]) is not None and not text.isascii():
                row[name] = valid_text(text)
        return row

    def flush_if_due(self, late: float = 0.0) -> None:
        """Flushes if the oldest pending response has waited for `flush_seconds` and `late` more."""
        due = self._settings.flush_seconds + late
        if self._pending and time.monotonic() - self._oldest >= due:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending; after it returns, those responses are safe.

        Raises:
            OSError: the part cannot be written; what is pending stays pending.
        """
        with self._writing:
            with self._lock:
                fresh, self._pending = self._pending, {}
            if not fresh:
                return
            try:
                rows = self._growing | fresh
                path = self._write(rows)
            except BaseException:  # a full disk, or the user's Ctrl-C
                with self._lock:
                    self._pending = fresh | self._pending
                raise
            replaced = self._growing_path
            with self._lock:
                # half full: to be filled up, a part would mostly be written twice
                if 2 * len(rows) >= self._settings.flush_requests or (
                    2 * self._bytes >= self._settings.flush_bytes
                ):
                    rows, path = {}, ""
                self._growing, self._growing_path = rows, path
                self._bytes = sum(map(_size, (*rows.values(), *self._pending.values())))
            if replaced:
                with contextlib.suppress(Exception):  # compacted, or deleted by an equal writer
                    FileSystems.delete([replaced])

    def _write(self, rows: dict[str, dict[str, Any]]) -> str:
        with new_part(self._folder) as part:
            part.write(_to_table([row for _, row in sorted(rows.items())]))
        return part.path


_PEOPLE = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
"""Made once, as `_DIGESTED`: `json.dumps` makes one each time, at half of the cost of a row."""
_DIGESTED = json.JSONEncoder()


@lru_cache(1000)
def _sampler_text(sampler: Sampler) -> str:
    return _PEOPLE.encode(sampler.identity())


def _size(row: dict[str, Any]) -> int:
    return len(row["request"]) + len(row["text"] or "") + len(row["reasoning"] or "")


def _calls_json(calls: Sequence[ToolCall]) -> str | None:
    return json.dumps([asdict(call) for call in calls], ensure_ascii=False) if calls else None


def _to_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Returns rows as a table of `SCHEMA`; leaves out, with a warning, what does not fit it."""
    try:
        return _whole_table(rows)
    except (TypeError, ValueError, OverflowError):
        return _whole_table([row for row in rows if _fits(row)])


def _fits(row: dict[str, Any]) -> bool:
    try:
        _whole_table([row])
    except (TypeError, ValueError, OverflowError) as error:
        _log.warning("the response to request %s cannot be recorded: %s", row["id"], error)
        return False
    return True


def _whole_table(rows: list[dict[str, Any]]) -> pa.Table:
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    for field in SCHEMA:
        if not field.nullable and table[field.name].null_count:
            raise ValueError(f"it has no {field.name}")
    return table


def flush_writers() -> None:
    """Writes what any writer of this process has pending."""
    for writer in _all_writers():
        writer.flush()


def _all_writers() -> list[LedgerWriter]:
    with _clock:
        return list(_writers)


def _start_clock() -> None:
    global _clock_runs
    with _clock:
        if not _clock_runs:
            _clock_runs = True
            threading.Thread(target=_flush_in_time, name="ledger", daemon=True).start()


def _flush_in_time() -> None:
    while True:
        time.sleep(_TICK)
        for writer in _all_writers():
            with contextlib.suppress(Exception):  # its user meets the same error, and reports it
                writer.flush_if_due()


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
    return (_rank(kind), *others)


def _rank(kind: str | None) -> int:
    return 0 if kind is None else 2 if kind in UNANSWERED else 1
