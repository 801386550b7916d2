"""cotmill bench scale: time and memory of checks, deduplication and report, as rows grow."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table

from pipelines.benches.synthetic.benchmark import BenchScaleSettings, bench_scale, slopes
from transforms.engine.machine import machine_line

SETTINGS = BenchScaleSettings


def bench(settings: BenchScaleSettings) -> None:
    """Time and memory of checks, deduplication, decontamination and report as the rows grow."""
    console = Console()
    console.print(
        f"{settings.runner.workers} workers, {machine_line()}; meaning is judged without "
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
