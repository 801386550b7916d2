"""cotmill bench ledger: memory and time of joining requests with a ledger, and of recording."""

from __future__ import annotations

import json

from pydantic import Field

from pipelines.benches.measures.ledger import bench_ledger, bench_recording
from pipelines.benches.shown import plain, table_of
from transforms.engine.machine import machine_line
from transforms.engine.settings import Group


class BenchLedgerSettings(Group):
    """Everything `cotmill bench ledger` can be told."""

    sizes: list[int] = Field(
        min_length=1, description="requests, and responses in the ledger, of each measurement"
    )
    workers: int = Field(ge=1, description="worker processes")
    record_per_second: int = Field(ge=1, description="answers a second that are recorded")
    record_seconds: float = Field(gt=0, description="time for which answers are recorded, seconds")


SETTINGS = BenchLedgerSettings


def bench(settings: BenchLedgerSettings) -> None:
    """Memory and time of answering requests from a ledger, by their number and order."""
    console = plain()
    console.print(
        f"every request recorded, prompts and answers of 1,000 characters, {settings.workers} "
        f"worker(s), {machine_line()}"
    )
    rows = bench_ledger(settings.sizes, settings.workers)
    shown = ("requests", "ledger MB", "seconds", "requests/s", "shuffled, seconds", "ratio")
    table = table_of([], [*shown, "peak MB"])
    for row in rows:
        table.add_row(*(f"{figure:,}" for figure in row.values()))
    console.print(table)
    first, last = rows[0], rows[-1]
    slope = None
    if first["rows"] != last["rows"]:
        more = last["rows"] - first["rows"]
        slope = round((last["peak_mb"] - first["peak_mb"]) * 1e6 / more)
        console.print(f"{slope} bytes of memory for each further request")
    recording = bench_recording(settings.record_per_second, settings.record_seconds)
    console.print(
        f"recording {recording['answers_per_second']:,} answers/s takes "
        f"{recording['cpu_share']:.1%} of a core and made {recording['parts']} parts in "
        f"{settings.record_seconds:g} s"
    )
    print(
        json.dumps(
            {"bench": "ledger", "bytes_per_request": slope, "rows": rows, "recording": recording}
        )
    )
