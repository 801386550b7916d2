"""The ledger: every response to a request, written in parts that survive a crash."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
from pydantic import Field

from transforms.engine.files import FileSystems
from transforms.engine.ids import content_id
from transforms.engine.records import ToolCall
from transforms.engine.settings import Group
from transforms.engine.versions import versions
from transforms.models.backends.base import valid_text
from transforms.models.backends.settings import Backend
from transforms.models.ledger.parts import OBSERVATION, SCHEMA, new_part, rank_of
from transforms.models.requests import Request, Response, Sampler, request_json

_log = logging.getLogger(__name__)
_TEXTS = [field.name for field in SCHEMA if field.type == pa.string()]
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
        row = dict.fromkeys(SCHEMA.names) | nothing | counts | self._how
        row |= {"id": key, "text": valid_text(text), "finish_reason": OBSERVATION, "stage": "tool"}
        self._add(row | {"seconds": 0.0, "recorded_at": datetime.now(UTC)})

    def _add(self, row: dict[str, Any]) -> None:
        key = row["id"]
        with self._lock:
            known = self._pending.get(key) or self._growing.get(key)
            if known is not None and rank_of(row["error_kind"]) >= rank_of(known["error_kind"]):
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
"""Made once: `json.dumps` makes one each time, at half of the cost of a row."""


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
