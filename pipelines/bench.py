"""cotmill bench NAME: measures things beside each other in one run; the last line is JSON."""

from __future__ import annotations

import json
import os
import platform
import random
import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.table import Table

from pipelines.hydra_app import run_command
from transforms.benchmark import bench_scale, slopes
from transforms.diversity.benchmark import available, bench_minhash, disagreements, promised
from transforms.execution.benchmark import bench_sandbox, mixed_programs, ratios
from transforms.execution.execute import run_in
from transforms.execution.sandbox import Sandbox
from transforms.records import Seed
from transforms.settings import (
    BenchMinhashSettings,
    BenchSandboxSettings,
    BenchScaleSettings,
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


def minhash(settings: BenchMinhashSettings) -> None:
    """Rows per second and survivors of the MinHash stage, beside datatrove and rensa."""
    console = Console()
    console.print(
        f"{settings.rows} texts, Parquet to Parquet, {settings.dedup.bands} bands of "
        f"{settings.dedup.num_perm // settings.dedup.bands}, {settings.dedup.ngram}-grams, "
        f"{settings.runner.workers} workers, {os.cpu_count()} cores",
        highlight=False,
    )
    if not available("datatrove"):
        console.print("datatrove is not installed: pip install 'cotmill[bench]'", markup=False)
    rows = list(bench_minhash(settings))
    speed = Table(box=None)
    speed.add_column("run")
    for name in ("seconds", "rows/s", "dropped", "of them like no other"):
        speed.add_column(name, justify="right")
    for row in rows:
        counts = (row["rows_per_second"], row["dropped"], row["strangers_dropped"])
        speed.add_row(row["run"], f"{row['seconds']:,.1f}", *(f"{count:,}" for count in counts))
    console.print(speed, "")
    shares = promised(rows[0]["found"], settings)
    found = Table(box=None)
    for name in ("s", "in theory, %", *(f"{row['run']}, %" for row in rows)):
        found.add_column(name, justify="right")
    for key, share in shares.items():
        percents = (share, *(row["found"][key] for row in rows))
        found.add_row(key, *(f"{100 * percent:.1f}" for percent in percents))
    console.print(found)
    console.print(
        "Of the planted pairs with Jaccard similarity s, so many lost a row; in theory, so many "
        "share a band. datatrove drops these; cotmill and rensa ask for an estimated similarity "
        f"of {settings.dedup.threshold} besides.",
        highlight=False,
    )
    compared = disagreements(rows)
    speeds = {row["run"]: row["rows_per_second"] for row in rows}
    ratio = round(speeds["cotmill"] / speeds["datatrove"], 2) if "datatrove" in speeds else None
    for row in rows:
        del row["pairs"]
    figures = {"over_datatrove_ratio": ratio, "in_theory": shares, "disagreements": compared}
    print(json.dumps({"bench": "minhash", **figures, "rows": rows}))


def scale(settings: BenchScaleSettings) -> None:
    """Time and memory of the checks and the deduplication as the rows grow."""
    console = Console()
    console.print(
        f"{settings.runner.workers} workers, {os.cpu_count()} cores; meaning is judged without "
        "runs in the sandbox; each size in processes of its own",
        highlight=False,
    )
    table = Table(box=None)
    for name in ("rows", "seconds", "rows/s", "CPU s", "peak MiB", "of the driver"):
        table.add_column(name, justify="right")
    rows = []
    for row in bench_scale(settings):
        rows.append(row)
        figures = (row["seconds"], row["rows_per_second"], row["cpu_seconds"])
        memory = (row["peak_mib"], row["driver_peak_mib"])
        table.add_row(*(f"{figure:,}" for figure in (row["rows"], *figures, *memory)))
        console.print(f"{row['rows']:,} rows: {row['seconds']:,} s", highlight=False)
    console.print(table)
    grown = slopes(rows)
    for slope in grown:
        console.print(
            f"{slope['from']:,} -> {slope['to']:,} rows: CPU time grows as rows^"
            f"{slope['cpu_seconds']}, peak memory by {slope['mib_per_1000_rows']} MiB a thousand",
            highlight=False,
        )
    print(json.dumps({"bench": "scale", "slopes": grown, "rows": rows}))


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
    "minhash": (
        "near-duplicates per second, ours beside datatrove and rensa",
        lambda: run_command(
            "bench minhash",
            "near-duplicates per second, ours beside datatrove and rensa",
            BenchMinhashSettings,
            minhash,
        ),
    ),
    "scale": (
        "time and memory of checks and deduplication, as rows grow",
        lambda: run_command(
            "bench scale",
            "time and memory of checks and deduplication, as rows grow",
            BenchScaleSettings,
            scale,
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
