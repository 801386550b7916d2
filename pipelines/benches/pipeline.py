"""cotmill bench pipeline: whole runs against a scripted endpoint, by segment."""

from __future__ import annotations

import json

from pipelines.benches.shown import plain, table_of
from pipelines.benches.synthetic.pipeline_benchmark import (
    PARTS,
    BenchPipelineSettings,
    bench_pipeline,
)
from transforms.engine.machine import machine_line

SETTINGS = BenchPipelineSettings


def bench(settings: BenchPipelineSettings) -> None:
    """Rows and requests per second of whole runs, and seconds and CPU seconds of each segment."""
    console = plain()
    answers = f"gives {settings.rate:g} answers/s" if settings.rate else "answers at once"
    console.print(f"{machine_line()}; the endpoint is a process beside the run and {answers}")
    rows = []
    for row in bench_pipeline(settings):
        rows.append(row)
        console.print(
            f"{row['workers']} workers, {row['programs']:,} programs: {row['seconds']:,} s, "
            f"{row['rows_per_second']} rows/s, {row['requests_per_second']} requests/s, "
            f"{row['accepted']:,} accepted"
            + (f", endpoint busy {100 * row['busy']:.1f} %" if settings.rate else "")
        )
        table = table_of(["segment"], ["seconds", *(f"{part} CPU s" for part in PARTS)])
        for segment in row["segments"]:
            spent = (segment["cpu_seconds"][part] for part in PARTS)
            table.add_row(segment["name"], *(f"{s:,.1f}" for s in (segment["seconds"], *spent)))
        table.add_row("all", *(f"{row['cpu_seconds'][p]:,.1f}" if p else "" for p in ("", *PARTS)))
        console.print(table)
    print(json.dumps({"bench": "pipeline", "rows": rows}))
