"""cotmill bench requests: requests/s at one generated token a request, beside bare vLLM."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from pipelines.benches.measures.requests import BenchRequestsSettings, bench_requests, summary
from pipelines.benches.shown import plain, table_of

SETTINGS = BenchRequestsSettings


def bench(settings: BenchRequestsSettings) -> None:
    """Requests per second, and what one costs in CPU time, at one generated token a request."""
    console = plain()
    console.print(
        f"{settings.requests:,} requests a round ({settings.handed:,} handed over), "
        f"{settings.backend.model}, {os.cpu_count()} cores; load times are left out"
    )
    runs = bench_requests(settings, lambda line: print(line, file=sys.stderr, flush=True))
    figures = summary(runs)
    table = table_of(["way"], ["requests/s", "CPU ms a request"])
    for way in dict.fromkeys(run.way for run in runs):
        name = way.replace(" ", "_")
        speed, cpu = figures[f"{name}_per_second"], figures[f"{name}_cpu_ms"]
        table.add_row(way, f"{speed:,.0f}", f"{cpu:.3f}")
    console.print(table)
    console.print(
        "medians over the rounds; CPU: of this process, beside the model; handed over: the "
        "pipeline with a model that answers at once\n"
        f"pipeline over bare engine: {figures['pipeline_over_bare']}"
    )
    print(json.dumps({"bench": "requests", **figures, "rows": [asdict(run) for run in runs]}))
