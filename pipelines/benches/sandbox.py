"""cotmill bench sandbox: programs per second, ours beside other ways to run them."""

from __future__ import annotations

import json

from pydantic import Field

from pipelines.benches.measures.programs import bench_sandbox, mixed_programs, ratios
from pipelines.benches.programs import codeio_seeds
from pipelines.benches.shown import plain, table_of
from transforms.engine.machine import machine_line
from transforms.engine.settings import Group
from transforms.sandbox.settings import SandboxSettings


class BenchSandboxSettings(Group):
    """Everything `cotmill bench sandbox` can be told."""

    programs: int = Field(ge=10, description="programs of each mix")
    slots: int = Field(ge=1, description="programs at once, for every executor")
    rounds: int = Field(
        ge=1,
        description="in each, every executor runs its part of the programs; ratios are medians",
    )
    sandbox: SandboxSettings


SETTINGS = BenchSandboxSettings


def bench(settings: BenchSandboxSettings) -> None:
    """Programs per second of the sandbox, strict and auto, and of other ways to run programs."""
    console = plain()
    mixes = {
        "mixed": mixed_programs(settings.programs),
        "codeio": [seed.code or "" for seed in codeio_seeds(settings.programs, settings.sandbox)],
    }
    console.print(
        f"{settings.programs} programs a mix in {settings.rounds} rounds, {settings.slots} at "
        f"once, {machine_line()}"
    )
    rows = bench_sandbox(settings.sandbox, mixes, settings.slots, settings.rounds)
    shown = ("programs/s", "CPU ms", "p50 ms", "p99 ms", "ok %")
    table = table_of(["mix", "executor"], shown)
    for row in rows:
        if row["error"]:
            table.add_row(row["mix"], row["executor"], row["error"])
            continue
        figures = [row[name] for name in ("programs_per_second", "cpu_ms", "p50_ms", "p99_ms")]
        figures.append(100 * row["ok"])
        table.add_row(row["mix"], row["executor"], *(f"{figure:,.1f}" for figure in figures))
    console.print(table)
    compared = ratios(rows)
    console.print(
        f"strict over manager + process per program: {compared['over_manager_ratio']}; "
        f"of a bare fork: {compared['of_fork_limit_ratio']}"
    )
    print(json.dumps({"bench": "sandbox", **compared, "rows": rows}))
