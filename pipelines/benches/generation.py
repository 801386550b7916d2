"""cotmill bench generation: tokens/s of the pipeline and the server, beside bare vLLM."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from pipelines.benches.measures.generation import BenchGenerationSettings, bench_generation, summary
from pipelines.benches.shown import plain, table_of
from transforms.engine.machine import machine_line

SETTINGS = BenchGenerationSettings


def bench(settings: BenchGenerationSettings) -> None:
    """Tokens per second of bare vLLM, of the pipeline and of the spawned server."""
    console = plain()
    backend = settings.backend
    at_once = backend.max_in_flight or "the engine's own number"
    console.print(
        f"{settings.requests} requests a mix, up to {at_once} at once, "
        f"{backend.model}, {machine_line()}; load times are left out"
    )
    runs = bench_generation(settings, lambda line: print(line, file=sys.stderr, flush=True))
    shown = ("seconds", "prompt tokens", "tokens", "tokens/s", "outside s", "tail s", "CPU s")
    table = table_of(["mix", "way"], shown)
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
        f"outside the engine: {figures['outside_engine_share']:.2%}"
    )
    rows = [asdict(run) for run in runs]
    print(json.dumps({"bench": "generation", **figures, "rows": rows}))
