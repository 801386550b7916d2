"""cotmill bench NAME: measures things beside each other in one run; the last line is JSON."""

from __future__ import annotations

import json
import os
import platform
import random
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from rich.console import Console
from rich.table import Table

from pipelines.hydra_app import run_command
from transforms.execution.benchmark import bench_sandbox, mixed_programs, ratios
from transforms.execution.execute import run_in
from transforms.execution.sandbox import Sandbox
from transforms.generation.benchmark import bench_generation, summary
from transforms.records import Seed
from transforms.settings import (
    BenchGenerationSettings,
    BenchSandboxSettings,
    CodeIOSource,
    SandboxSettings,
)
from transforms.sources import codeio


def codeio_programs(count: int, settings: SandboxSettings) -> list[str]:
    """Draws `count` of the CodeI/O programs, in the unified form."""
    source = CodeIOSource(type="codeio")
    rows = list(codeio.read(source))
    # some do not convert: twice as many as asked leave enough
    rows = random.Random(0).sample(rows, min(len(rows), 2 * count))
    with Sandbox(settings) as box:
        seeds = list(run_in(box, rows, partial(codeio.plan, source), codeio.finish))
    codes = [seed.code for _, seed in seeds if isinstance(seed, Seed) and seed.code]
    return codes[:count]


def sandbox(settings: BenchSandboxSettings) -> None:
    """Programs per second of the sandbox, strict and auto, and of other ways to run programs."""
    console = Console()
    mixes = {
        "mixed": mixed_programs(settings.programs),
        "codeio": codeio_programs(settings.programs, settings.sandbox),
    }
    console.print(
        f"{settings.programs} programs a mix, {settings.slots} at once, "
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        highlight=False,
    )
    rows = bench_sandbox(settings.sandbox, mixes, settings.slots)
    table = Table(box=None)
    table.add_column("mix")
    table.add_column("executor")
    for name in ("programs/s", "p50 ms", "p99 ms", "ok %"):
        table.add_column(name, justify="right")
    for row in rows:
        if row["error"]:
            table.add_row(row["mix"], row["executor"], row["error"])
            continue
        figures = [row["programs_per_second"], row["p50_ms"], row["p99_ms"], 100 * row["ok"]]
        table.add_row(row["mix"], row["executor"], *(f"{figure:,.1f}" for figure in figures))
    console.print(table)
    compared = ratios(rows)
    console.print(
        f"strict over manager + process per program: {compared['over_manager_ratio']}; "
        f"of a bare fork: {compared['of_fork_limit_ratio']}",
        highlight=False,
    )
    print(json.dumps({"bench": "sandbox", **compared, "rows": rows}))


def generation(settings: BenchGenerationSettings) -> None:
    """Tokens per second of bare vLLM, of the pipeline and of the spawned server."""
    console = Console()
    backend = settings.backend
    console.print(
        f"{settings.requests} requests a mix, up to {backend.max_in_flight} at once, "
        f"{backend.model}, {os.cpu_count()} cores; load times are left out",
        highlight=False,
    )
    runs = bench_generation(settings, lambda line: print(line, file=sys.stderr, flush=True))
    table = Table(box=None)
    for name in ("mix", "way"):
        table.add_column(name)
    for name in ("seconds", "prompt tokens", "tokens", "tokens/s", "outside s", "tail s", "CPU s"):
        table.add_column(name, justify="right")
    for run in runs:
        table.add_row(
            run.mix,
            run.way,
            f"{run.seconds:,.1f}",
            f"{run.prompt_tokens:,}",
            f"{run.generated_tokens:,}",
            f"{run.generated_tokens / run.seconds:,.1f}",
            f"{run.outside:.2f}",
            f"{run.tail:.1f}",
            f"{run.cpu:.2f}",
        )
    console.print(table)
    figures = summary(runs)
    console.print(
        "outside: wall time in which the model had nothing to do; tail: time at the end with fewer "
        "than half of the requests at once; CPU: of this process, beside the model\n"
        f"pipeline over bare engine, mixed lengths: {figures['pipeline_over_engine']}; "
        f"server: {figures['server_over_engine']}; "
        f"outside the engine: {figures['outside_engine_share']:.2%}",
        highlight=False,
        soft_wrap=True,
    )
    rows = [asdict(run) for run in runs]
    print(json.dumps({"bench": "generation", **figures, "rows": rows}))


BENCHES: dict[str, tuple[str, Callable[[], None]]] = {
    "sandbox": (
        "programs per second, ours beside other ways to run them",
        lambda: run_command(
            "bench sandbox",
            "programs per second, ours beside other ways to run them",
            BenchSandboxSettings,
            sandbox,
        ),
    ),
    "generation": (
        "tokens per second: bare vLLM, the pipeline, the spawned server",
        lambda: run_command(
            "bench generation",
            "tokens per second: bare vLLM, the pipeline, the spawned server",
            BenchGenerationSettings,
            generation,
        ),
    ),
}


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in BENCHES:
        lines = "\n".join(f"  {bench}  {purpose}" for bench, (purpose, _) in BENCHES.items())
        print(f"Usage: cotmill bench NAME [KEY=VALUE] ...\n\n{lines}", file=sys.stderr)
        sys.exit(0 if name in ("--help", "-h") else 2)
    del sys.argv[1]
    BENCHES[name][1]()


if __name__ == "__main__":
    main()
