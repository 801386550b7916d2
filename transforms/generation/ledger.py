"""The ledger: every response a model gave, in Parquet parts that survive a crash."""

from __future__ import annotations

import hashlib
import json
import logging
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import PBegin, PCollection

from transforms.errors import BackendError
from transforms.generation.requests import Request, Response, request_json
from transforms.settings import LedgerSettings, ReplayBackend
from transforms.tables import make_folder, replace

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("finish_reason", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.int64(), nullable=False),
        pa.field("generated_tokens", pa.int64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("api", pa.string(), nullable=False),
        pa.field("continue_prefix", pa.bool_(), nullable=False),
        pa.field("request", pa.string(), nullable=False),
        pa.field("recorded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)
"""One row a response; `request` is what was asked, as JSON, for people."""

_ANSWER = [
    name
    for name in SCHEMA.names
    if name not in ("api", "continue_prefix", "request", "recorded_at")
]
_ASKED = ["model", "api", "continue_prefix"]

_log = logging.getLogger(__name__)


class LedgerWriter:
    """Writes responses to a ledger folder, a Parquet part at a time. One user at a time.

    A part is written under a hidden name and then renamed, so that a reader sees whole parts
    only, and is named by the ids in it, so that the same responses make the same part however
    often a bundle is repeated. Failed responses are not written: a later run asks again.
    """

    def __init__(
        self, folder: str, settings: LedgerSettings, *, api: str, continue_prefix: bool
    ) -> None:
        self._folder, self._settings = folder, settings
        self._how = {"api": api, "continue_prefix": continue_prefix}
        self._pending: dict[str, dict[str, Any]] = {}
        self._oldest = 0.0

    def add(self, request: Request, response: Response) -> None:
        """Takes in the response to `request`; flushes where the settings say that it is time."""
        if response.finish_reason == "error":
            return
        if not self._pending:
            self._oldest = time.monotonic()
        asked = json.dumps(request_json(request), ensure_ascii=False, sort_keys=True)
        row = {name: getattr(response, name) for name in _ANSWER}
        row |= {**self._how, "request": asked, "recorded_at": datetime.now(UTC)}
        self._pending.setdefault(response.id, row)
        if len(self._pending) >= self._settings.flush_requests:
            self.flush()

    def flush_if_due(self) -> None:
        """Flushes if the oldest pending response has waited for `flush_seconds`."""
        if self._pending and time.monotonic() - self._oldest >= self._settings.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Writes what is pending; after it returns, those responses are safe."""
        if self._pending:
            _write_part(self._folder, [row for _, row in sorted(self._pending.items())])
            self._pending.clear()


def _write_part(folder: str, rows: list[dict[str, Any]]) -> None:
    ids = "\n".join(row["id"] for row in rows)
    digest = hashlib.blake2b(ids.encode(), digest_size=16).hexdigest()
    name = FileSystems.join(folder, f"part-{digest}.parquet")
    if FileSystems.exists(name):
        return
    make_folder(folder)
    hidden = FileSystems.join(folder, f".part-{digest}-{uuid.uuid4().hex[:8]}")
    with FileSystems.create(hidden, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file, compression="zstd")
    replace(hidden, name)


def ledger_parts(folder: str) -> list[str]:
    """Returns the paths of the parts in `folder`, sorted; none where there is no folder."""
    try:
        (found,) = FileSystems.match([FileSystems.join(folder, "part-*.parquet")])
    except Exception as error:  # each filesystem has its own error for a missing folder
        if FileSystems.exists(folder):
            raise
        _log.debug("no ledger in %s: %s", folder, error)
        return []
    return sorted(metadata.path for metadata in found.metadata_list)


def read_part(path: str) -> Iterator[Response]:
    """Yields the responses of one part, marked as recorded.

    A part that cannot be read is set aside (renamed to `.corrupt-…`) with a warning: its
    requests are asked again.
    """
    for row in _rows(path, _ANSWER):
        yield Response(**row, error=None, recorded=True)


def _rows(path: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        content = file.read()  # whatever fails after this is the part's fault, not the network's
    try:
        table = pq.read_table(pa.BufferReader(content), columns=columns)
        table = table.cast(pa.schema([SCHEMA.field(name) for name in columns]))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        _set_aside(path, error)
        return
    for batch in table.to_batches(max_chunksize=1000):
        yield from batch.to_pylist()


def _set_aside(path: str, error: Exception) -> None:
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


def first_of(responses: Iterable[Response]) -> Response | None:
    """Returns the one of several responses to one request that every run would choose."""
    return min(responses, key=_order, default=None)


def _order(response: Response) -> tuple[Any, ...]:
    return (response.text, response.finish_reason, response.engine, response.stage)


@dataclass
class ReadLedger(beam.PTransform):
    """PBegin -> PCollection[tuple[str, Response]]: (request id, its response), one per id.

    Empty where `folder` is missing or empty. The folder is listed when the pipeline runs.
    """

    folder: str

    def expand(self, begin: PBegin) -> PCollection:
        return (
            begin
            | "Folder" >> beam.Create([self.folder])
            | "List parts" >> beam.FlatMap(ledger_parts)
            | "Spread parts" >> beam.Reshuffle()
            | "Read parts" >> beam.FlatMap(read_part)
            | "Key by id" >> beam.Map(lambda response: (response.id, response))
            | "Group by id" >> beam.GroupByKey()
            | "One per id" >> beam.MapTuple(lambda key, all_: (key, first_of(all_)))
        )


def resolve_replay(backend: ReplayBackend, ledger_dir: str) -> ReplayBackend:
    """Returns `backend` with model, api and continue_prefix as the ledger's requests had them.

    What the backend states already is kept, and chooses among the ledger's.

    Raises:
        BackendError: the ledger holds no such request, or several ways of asking.
    """
    stated = {name: getattr(backend, name) for name in _ASKED}
    found: set[tuple[Any, ...]] = set()
    for path in ledger_parts(ledger_dir):
        found.update(tuple(row[name] for name in _ASKED) for row in _rows(path, _ASKED))
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
