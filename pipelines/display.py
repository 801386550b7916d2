"""What a local run shows: live counts per stage, then the funnel and the reasons for rejects."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from transforms.engine import progress
from transforms.publish.report.formats import texts_of

_PLAIN_SECONDS = 10
"""How often a run that prints to a pipe says where it is."""

_COLUMNS = ("in", "kept", "rejected", "unanswered", "run", "requests", "tokens")
"""What a stage's line shows of what workers report; unanswered records only where there are any."""


class Display:
    """Shows what workers report while a segment runs: a live table, or plain lines in a pipe.

    Owns the socket that `progress.report` sends to, for the time it is entered.

    Args:
        loading: what is done to load models, in one line; empty where none is being loaded.
    """

    def __init__(self, console: Console, loading: Callable[[], str] = str) -> None:
        self._console = console
        self._loading = loading
        self._lock = threading.Lock()
        self._title = ""
        self._counts: dict[str, dict[str, int]] = {}
        self._first_token: dict[str, float] = {}
        self._last_token: dict[str, float] = {}
        self._shown = ""

    def __enter__(self) -> Display:
        self._held = contextlib.ExitStack()
        path = self._held.enter_context(progress.folder_for_socket("progress"))
        self._socket = self._held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self._socket.bind(path)
        self._socket.settimeout(0.25)
        os.environ[progress.ADDRESS] = path
        self._ended = threading.Event()
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._table, console=self._console, refresh_per_second=4
            )
            self._live.start()
        self._thread = threading.Thread(target=self._receive, name="progress", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.environ.pop(progress.ADDRESS, None)
        self._ended.set()
        self._thread.join()
        if self._live is not None:
            self._live.stop()
        self._held.close()

    def start(self, title: str, stages: Iterable[str]) -> None:
        """Begins a segment: its counts replace the ones shown."""
        with self._lock:
            self._title = title
            self._counts = {stage: {} for stage in stages}
            self._shown = ""
        if self._live is None:
            self._console.print(f"{title}: started", highlight=False)

    def finish(self, entry: dict[str, Any]) -> None:
        """Ends a segment with its exact account from the manifest."""
        progress.flush()
        with self._lock:
            self._counts = {}
        for stage in entry["stages"]:
            self._console.print(f"{entry['name']}: {stage_line(stage)}", highlight=False)

    def shown(self, stage: str) -> dict[str, int]:
        """The counts of a stage as they are shown now: what -> amount."""
        with self._lock:
            return dict(self._counts.get(stage, {}))

    def _receive(self) -> None:
        said_at = time.monotonic()
        while not self._ended.is_set():
            try:
                message = self._socket.recv(1 << 16)
            except TimeoutError:
                message = b"[]"
            with self._lock:
                self._add(json.loads(message))
            if self._live is None and time.monotonic() - said_at >= _PLAIN_SECONDS:
                said_at = time.monotonic()
                self._say()

    def _add(self, reports: list[tuple[str, str, int]]) -> None:
        now = time.monotonic()
        for stage, what, amount in reports:
            if stage not in self._counts:
                continue  # a late report of a segment that is over
            counts = self._counts[stage]
            counts[what] = counts.get(what, 0) + amount
            if what == "tokens":
                self._first_token.setdefault(stage, now)
                self._last_token[stage] = now

    def _say(self) -> None:
        with self._lock:
            rows = [self._row(stage) for stage, counts in self._counts.items() if counts]
            title = self._title
        text = "; ".join(
            f"{stage} " + ", ".join(f"{value} {name}" for name, value in cells if value)
            for stage, cells in rows
        )
        line = f"{title}: {'; '.join(filter(None, (text, self._loading()))) or 'working'}"
        if line != self._shown:
            self._console.print(line, highlight=False)
            self._shown = line

    def _row(self, stage: str) -> tuple[str, list[tuple[str, str]]]:
        counts = self._counts[stage]
        cells = [(name, f"{counts[name]:,}" if name in counts else "") for name in _COLUMNS]
        seconds = self._last_token.get(stage, 0.0) - self._first_token.get(stage, 0.0)
        speed = f"{counts.get('tokens', 0) / seconds:,.0f}" if seconds > 1 else ""
        return stage, [*cells, ("tokens/s", speed)]

    def _table(self) -> Table:
        with self._lock:
            rows = [self._row(stage) for stage in self._counts]
            loading = self._loading() or None
            table = Table(
                title=self._title,
                title_justify="left",
                box=None,
                caption=loading,
                caption_justify="left",
            )
        table.add_column("stage")
        shown = [
            name
            for name in (*_COLUMNS, "tokens/s")
            if name != "unanswered" or any(dict(cells)[name] for _, cells in rows)
        ]
        for name in shown:
            table.add_column(name, justify="right")
        for stage, cells in rows:
            table.add_row(stage, *(dict(cells)[name] for name in shown))
        return table


def stage_line(stage: dict[str, Any]) -> str:
    """One stage's account in one line."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in stage["rejected"].items())
    refused = sum(stage["rejected"].values())
    line = f"{stage['name']}: {stage['in']} in, {stage['kept']} kept, {refused} rejected"
    put_off = stage.get("unanswered", 0)
    return (
        line + (f" ({reasons})" if reasons else "") + (f", {put_off} unanswered" if put_off else "")
    )


def print_rows(console: Console, rows: Iterable[dict[str, Any]]) -> None:
    """Prints rows (records as Parquet columns) as a person reads them: see `texts_of`."""
    for row in rows:
        texts = [text for title, text in texts_of(row) if title not in ("program", "answer")]
        answer = [Text(f"=> {row['answer']}", style="bold")] if row.get("answer") else []
        console.print(
            "",
            Text(f"[row {row['id'][:8]}]", style="bold"),
            *map(Text, texts),
            *answer,
            sep="\n",
            soft_wrap=True,
        )


def print_funnel(console: Console, manifest: dict[str, Any]) -> None:
    """Prints the funnel of a finished run and its most frequent reject reasons."""
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    funnel = Table(title="Funnel", title_justify="left", box=None)
    funnel.add_column("stage")
    put_off = any(stage.get("unanswered") for stage in stages)
    ends = ("in", "kept", "rejected", *(["unanswered"] * put_off))
    for name in (*ends, "kept %", "tokens generated"):
        funnel.add_column(name, justify="right")
    priced = any("cost" in stage for stage in stages)
    if priced:
        funnel.add_column("cost", justify="right")
    for stage in stages:
        refused = sum(stage["rejected"].values())
        share = f"{100 * stage['kept'] / stage['in']:.1f}" if stage["in"] else ""
        tokens = sum(m.get("tokens.generated", 0) for m in stage.get("models", {}).values())
        funnel.add_row(
            stage["name"],
            f"{stage['in']:,}",
            f"{stage['kept']:,}",
            f"{refused:,}",
            *([f"{stage.get('unanswered', 0):,}"] * put_off),
            share,
            f"{tokens:,}" if tokens else "",
            *([f"{sum(stage['cost'].values()):,.4f}" if "cost" in stage else ""] * priced),
        )
    console.print("", funnel)
    reasons = sorted(
        (
            (count, stage["name"], reason)
            for stage in stages
            for reason, count in stage["rejected"].items()
        ),
        key=lambda item: (-item[0], item[1:]),
    )
    if reasons:
        top = Table(title="Top reject reasons", title_justify="left", box=None)
        top.add_column("stage")
        top.add_column("reason")
        top.add_column("rejected", justify="right")
        for count, name, reason in reasons[:10]:
            top.add_row(name, reason, f"{count:,}")
        console.print("", top)
