"""cotmill bench sessions: many sessions at once, beside the same code as programs in one run."""

from __future__ import annotations

import json
import statistics
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, wait
from typing import Any

from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.benches.measures.cpu import cpu_seconds
from pipelines.benches.measures.programs import mixed_programs
from transforms.engine.machine import machine_line
from transforms.engine.settings import Group
from transforms.models.driver import JOBS_PER_SLOT
from transforms.sandbox.sandbox import (
    TIERS,
    Cell,
    CellResult,
    Job,
    Result,
    Sandbox,
    Status,
    tier_of,
)
from transforms.sandbox.settings import SandboxSettings

CELLS = 5
"""Cells of a session."""
BRANCH_AT = 3
"""The cell of a session after which it is branched."""


class BenchSessionsSettings(Group):
    """Everything `cotmill bench sessions` can be told."""

    sessions: int = Field(ge=10, description="sessions of five cells each")
    slots: int = Field(ge=1, description="programs and cells at once")
    branches: int = Field(ge=1, description="branches from the third cell, each also rebuilt")
    sandbox: SandboxSettings


SETTINGS = BenchSessionsSettings


def bench(settings: BenchSessionsSettings) -> None:
    """Cells per second of many sessions, beside programs, and what a branch costs."""
    console = Console()
    console.print(
        f"{settings.sessions} sessions of {CELLS} cells, {settings.slots} cells at once, "
        f"{machine_line()}",
        highlight=False,
    )
    figures = measure(settings)
    table = Table(box=None)
    table.add_column("what runs")
    for name in ("a second", "CPU ms", "p50 ms", "p99 ms", "ok %"):
        table.add_column(name, justify="right")
    for row in figures["rows"]:
        values = [row[name] for name in ("per_second", "cpu_ms", "p50_ms", "p99_ms")]
        table.add_row(row["what"], *(f"{value:,.1f}" for value in [*values, 100 * row["ok"]]))
    console.print(table)
    console.print(
        f"cells over programs, a second: {figures['cells_over_programs']}; "
        f"cells run again for states that were not kept: {figures['replayed']}; "
        f"a branch after cell {BRANCH_AT}: {figures['branch_ms']} ms, where it is rebuilt "
        f"{figures['rebuilt_ms']} ms",
        highlight=False,
    )
    print(json.dumps({"bench": "sessions", **figures}))


def measure(settings: BenchSessionsSettings) -> dict[str, Any]:
    """Runs the same programs alone, and five at a time as the cells of a session.

    All sessions are open at once and take turns: the first cell of each, then the second of each.
    As in a pipeline, more programs and cells wait than run at once.

    Returns:
        rows (what, per_second, cpu_ms of all processes, p50_ms and p99_ms from start to end, ok,
        replayed), cells_over_programs, replayed, branch_ms and rebuilt_ms (medians).
    """
    sessions = _sessions(settings.sessions)
    programs = [code for session in sessions for code in session]
    limits = settings.sandbox.model_copy(update={"slots": settings.slots})
    with Sandbox(limits) as box:
        # one of each tier on each slot first: what starts once is not timed
        for tier in TIERS[1:]:
            warm = f"import {tier.named[0]}" if tier.named[0] else ""
            wait([box.submit_cell(Cell(warm)) for _ in range(4 * settings.slots)])
            list(box.run([Job(warm)] * 4 * settings.slots))
        rows = [
            {"what": "programs", **_timed(box.run(Job(code) for code in programs))},
            {"what": "cells", **_timed(_run_cells(box, sessions))},
        ]
        branch, rebuilt = _branches(box, settings.branches)
    return {
        "rows": rows,
        "cells_over_programs": round(rows[1]["per_second"] / rows[0]["per_second"], 3),
        "replayed": rows[1]["replayed"],
        "branch_ms": round(1000 * branch, 2),
        "rebuilt_ms": round(1000 * rebuilt, 2),
    }


def _sessions(count: int) -> list[list[str]]:
    """Returns programs in groups that need the same modules, or a session would change slots."""
    programs = mixed_programs(CELLS * (count + len(TIERS)))
    sessions = []
    for tier in TIERS:
        same = [code for code in programs if tier_of(code) is tier]
        sessions += [same[at : at + CELLS] for at in range(0, len(same) - CELLS + 1, CELLS)]
    return sessions[-count:]


def _run_cells(box: Sandbox, sessions: list[list[str]]) -> Iterator[CellResult]:
    """Yields the results of all cells, as many waiting as a worker's episodes may have."""
    paths: list[tuple[str, ...]] = [()] * len(sessions)
    waiting: deque[tuple[int, Future[CellResult]]] = deque()

    def first() -> CellResult:
        session, future = waiting.popleft()
        result = future.result()
        paths[session] = result.after
        return result

    for turn in range(CELLS):
        for session, codes in enumerate(sessions):
            waiting.append((session, box.submit_cell(Cell(codes[turn], paths[session]))))
            if len(waiting) >= JOBS_PER_SLOT * box.slots:
                yield first()
    while waiting:
        yield first()


def _timed(results: Iterator[Result | CellResult]) -> dict[str, Any]:
    cpu, started = cpu_seconds(), time.perf_counter()
    ran = list(results)
    seconds, cpu = time.perf_counter() - started, cpu_seconds() - cpu
    ordered = sorted(result.wall_seconds for result in ran)
    return {
        "per_second": round(len(ordered) / seconds, 1),
        "cpu_ms": round(1000 * cpu / len(ordered), 2),
        "p50_ms": round(1000 * ordered[len(ordered) // 2], 2),
        "p99_ms": round(1000 * ordered[len(ordered) * 99 // 100], 2),
        "ok": round(sum(result.status is Status.OK for result in ran) / len(ordered), 4),
        "replayed": sum(result.replayed for result in ran if isinstance(result, CellResult)),
    }


def _branches(box: Sandbox, count: int) -> tuple[float, float]:
    """Returns the median seconds of a branch where its state is kept, and where it is not."""
    kept: list[float] = []
    rebuilt: list[float] = []
    for number in range(count):
        path = tuple(f"x{turn} = {number}" for turn in range(BRANCH_AT))
        branch = Cell("x0 + 1", path)
        for seconds in (rebuilt, kept):  # the first leaves the state that the second starts from
            started = time.perf_counter()
            box.run_cell(branch)
            seconds.append(time.perf_counter() - started)
    return statistics.median(kept), statistics.median(rebuilt)
