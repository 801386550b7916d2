"""The ledger: every response a model gave, in Parquet parts that survive a crash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
import time
import uuid
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from transforms.errors import BackendError
from transforms.generation.requests import Request, Response, request_json
from transforms.settings import LedgerSettings, ReplayBackend
from transforms.tables import make_folder, replace
from transforms.versions import versions

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
    ]
)
"""One row a response. As JSON, for people: `request`, what was asked; `sampler`, how it was
sampled; `versions`, of the packages of the process that asked."""

_LATER: dict[str, Any] = {"cached_tokens": 0, "mean_logprob": None, "sampler": "", "versions": ""}
"""Columns that parts of older ledgers lack, and what they are read as."""
ANSWER = [
    name
    for name in SCHEMA.names
    if name not in ("api", "continue_prefix", "sampler", "versions", "request", "recorded_at")
]
_ASKED = ["model", "api", "continue_prefix"]
ORDER = ["text", "finish_reason", "engine", "stage"]
_ROW_GROUP = 1000

_log = logging.getLogger(__name__)
_writers: weakref.WeakSet[LedgerWriter] = weakref.WeakSet()
_clock = threading.Lock()
_clock_runs = False


class LedgerWriter:
    """Writes responses to a ledger folder, a Parquet part at a time.

    A part is written under a hidden name and then renamed, so that a reader sees whole parts
    only, and is named by the responses in it, so that the same responses make the same part
    however often a bundle is repeated, and no writer can overwrite another's. Failed responses
    are not written: a later run asks again.

    A part is written once `flush_requests` or `flush_bytes` are pending, or the oldest has waited
    for `flush_seconds`, which one thread a process sees to: a worker that waits for its model
    does not come by here.
    """

    def __init__(
        self, folder: str, settings: LedgerSettings, *, api: str, continue_prefix: bool
    ) -> None:
        self._folder, self._settings = folder, settings
        self._how = {
            "api": api,
            "continue_prefix": continue_prefix,
            "versions": json.dumps(versions()),
        }
        self._lock = threading.Lock()  # of what is pending
        self._writing = threading.Lock()  # held while a part is written; taken before the other
        self._pending: dict[str, dict[str, Any]] = {}
        self._bytes = 0
        self._oldest = 0.0
        _writers.add(self)
        _start_clock()

    def add(self, request: Request, response: Response) -> None:
        """Takes in the response to `request`; flushes where the settings say that it is time."""
        if response.finish_reason == "error":
            return
        asked = request_json(request)
        row = {name: getattr(response, name) for name in ANSWER}
        row |= {**self._how, "recorded_at": datetime.now(UTC)}
        row["request"] = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        row["sampler"] = json.dumps(asked["sampler"], ensure_ascii=False, sort_keys=True)
        with self._lock:
            if not self._pending:
                self._oldest = time.monotonic()
            if response.id not in self._pending:
                self._pending[response.id] = row
                self._bytes += len(row["request"]) + len(row["text"])
            full = (
                len(self._pending) >= self._settings.flush_requests
                or self._bytes >= self._settings.flush_bytes
            )
        if full:
            self.flush()

    def flush_if_due(self) -> None:
        """Flushes if the oldest pending response has waited for `flush_seconds`."""
        if self._pending and time.monotonic() - self._oldest >= self._settings.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending; after it returns, those responses are safe."""
        with self._writing:
            with self._lock:
                rows, self._pending, self._bytes = self._pending, {}, 0
            if not rows:
                return
            try:
                with new_part(self._folder) as part:
                    ordered = [row for _, row in sorted(rows.items())]
                    part.write(pa.Table.from_pylist(ordered, schema=SCHEMA))
            except BaseException:  # a full disk, or the user's Ctrl-C: pending it stays
                with self._lock:
                    self._pending = rows | self._pending
                raise


def flush_writers() -> None:
    """Writes what any writer of this process has pending."""
    for writer in list(_writers):
        writer.flush()


def _start_clock() -> None:
    global _clock_runs
    with _clock:
        if not _clock_runs:
            _clock_runs = True
            threading.Thread(target=_flush_in_time, name="ledger", daemon=True).start()


def _flush_in_time() -> None:
    while True:
        time.sleep(0.5)
        for writer in list(_writers):
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
        for row in table.select(["id", *ORDER]).to_pylist():
            self._digest.update(json.dumps(list(row.values())).encode())
        self._writer.write_table(table, row_group_size=_ROW_GROUP)
        self.rows += len(table)

    @property
    def name(self) -> str:
        return f"part-{self._digest.hexdigest()}.parquet"


@contextlib.contextmanager
def new_part(folder: str) -> Iterator[NewPart]:
    """A part to write rows to; readers see it, whole, when the block ends well, or never."""
    make_folder(folder)
    hidden = FileSystems.join(folder, f".part-{uuid.uuid4().hex}")
    moved = False
    try:
        with (
            FileSystems.create(hidden, compression_type=CompressionTypes.UNCOMPRESSED) as file,
            # A page's checksum tells a flipped bit where decompression does not; statistics would
            # be texts once more.
            pq.ParquetWriter(
                file, SCHEMA, compression="zstd", write_page_checksum=True, write_statistics=False
            ) as writer,
        ):
            part = NewPart(writer)
            yield part
        if part.rows:
            part.path = FileSystems.join(folder, part.name)
            replace(hidden, part.path)
            moved = True
    finally:
        if not moved:
            with contextlib.suppress(Exception):
                FileSystems.delete([hidden])


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
    """A part is no longer there: it was compacted into another."""


def read_part(path: str) -> Iterator[Response]:
    """Yields the responses of one part, marked as recorded; none where it is set aside."""
    table = read_columns(path, ANSWER)
    if table is not None:
        yield from to_responses(table)


def to_responses(table: pa.Table) -> Iterator[Response]:
    """Yields the responses that a table of `ANSWER` columns holds, marked as recorded."""
    for batch in table.to_batches(max_chunksize=1000):
        for row in batch.to_pylist():
            yield Response(**row, error=None, recorded=True)


def read_columns(path: str, columns: list[str], rows: np.ndarray | None = None) -> pa.Table | None:
    """Returns columns of a part: all rows, or those of the numbers `rows` (ascending).

    Only the row groups and columns that are asked for are read. A part that cannot be read is
    set aside (renamed to `.corrupt-…`) with a warning, and None is returned: its requests are
    asked again.

    Raises:
        PartGone: there is no such part any more.
    """
    try:
        with _opened(path) as file:
            return _table(file, columns, rows)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        if not FileSystems.exists(path):
            raise PartGone(path) from None
        if isinstance(error, FileNotFoundError):
            raise
    with _opened(path) as file:
        content = file.read()  # whatever fails after this is the part's fault, not the storage's
    try:
        return _table(pa.BufferReader(content), columns, rows)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        set_aside(path, error)
        return None


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


def set_aside(path: str, error: Exception) -> None:
    """Renames a part that cannot be used, and warns; never fails."""
    folder, name = FileSystems.split(path)
    aside = FileSystems.join(folder, f".corrupt-{name}")
    try:
        FileSystems.rename([path], [aside])
    except Exception:  # a read-only ledger, or another worker was first: the warning is enough
        aside = "where it is"
    _log.warning(
        "ledger part %s is unreadable (%s) and was left %s; its requests will be asked again",
        path,
        " ".join(str(error).split())[:200],
        aside,
    )


def first_of(responses: Iterable[Response]) -> Response:
    """Returns the one of several responses to one request that every run would choose."""
    return min(responses, key=_order)


def _order(response: Response) -> tuple[Any, ...]:
    return tuple(getattr(response, name) for name in ORDER)


def resolve_replay(backend: ReplayBackend, ledger_dir: str) -> ReplayBackend:
    """Returns `backend` with model, api and continue_prefix as the ledger's requests had them.

    What the backend states already is kept, and chooses among the ledger's.

    Raises:
        BackendError: the ledger holds no such request, or several ways of asking.
    """
    stated = {name: getattr(backend, name) for name in _ASKED}
    found: set[tuple[Any, ...]] = set()
    for path in ledger_parts(ledger_dir):
        try:
            table = read_columns(path, _ASKED)
        except PartGone:  # compacted since it was listed
            return resolve_replay(backend, ledger_dir)
        if table is not None:
            ways = table.group_by(_ASKED).aggregate([])
            found.update(tuple(row[name] for name in _ASKED) for row in ways.to_pylist())
    chosen = [
        ways
        for ways in sorted(found, key=str)
        if all(value in (None, way) for value, way in zip(stated.values(), ways, strict=True))
    ]
    if len(chosen) == 1:
        return backend.model_copy(update=dict(zip(_ASKED, chosen[0], strict=True)))
    if not chosen:
        held = ", ".join(sorted({str(ways[0]) for ways in found})) or "nothing"
        raise BackendError(
            f"the ledger {ledger_dir} has nothing to replay for "
            f"backend.model={stated['model'] or 'null'}: it holds {held}"
        )
    models = sorted({str(ways[0]) for ways in chosen})
    if len(models) > 1:
        raise BackendError(
            f"the ledger {ledger_dir} holds several models ({', '.join(models)}): "
            "set backend.model to one of them"
        )
    raise BackendError(
        f"the ledger {ledger_dir} holds {models[0]} asked in several ways "
        f"({'; '.join(f'api={w[1]} continue_prefix={w[2]}' for w in chosen)}): "
        "set backend.api and backend.continue_prefix"
    )
