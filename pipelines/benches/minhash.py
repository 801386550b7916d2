"""cotmill bench minhash: near-duplicates per second, ours beside datatrove and rensa."""

from __future__ import annotations

import json

from pipelines.benches.measures.near_duplicates import (
    BenchMinhashSettings,
    available,
    bench_minhash,
    disagreements,
    promised,
)
from pipelines.benches.shown import plain, table_of
from transforms.engine.machine import machine_line

SETTINGS = BenchMinhashSettings


def bench(settings: BenchMinhashSettings) -> None:
    """Rows per second and survivors of the MinHash stage, beside datatrove and rensa."""
    console = plain()
    console.print(
        f"{settings.rows} texts, Parquet to Parquet, {settings.dedup.bands} bands of "
        f"{settings.dedup.num_perm // settings.dedup.bands}, {settings.dedup.ngram}-grams, "
        f"{settings.runner.workers} workers, {machine_line()}"
    )
    if not available("datatrove"):
        console.print("datatrove is not installed: pip install 'cotmill[bench]'", markup=False)
    rows = list(bench_minhash(settings))
    speed = table_of(["run"], ["seconds", "rows/s", "dropped", "of them like no other"])
    for row in rows:
        counts = (row["rows_per_second"], row["dropped"], row["strangers_dropped"])
        speed.add_row(row["run"], f"{row['seconds']:,.1f}", *(f"{count:,}" for count in counts))
    console.print(speed, "")
    shares = promised(rows[0]["found"], settings)
    found = table_of([], ["s", "in theory, %", *(f"{row['run']}, %" for row in rows)])
    for key, share in shares.items():
        percents = (share, *(row["found"][key] for row in rows))
        found.add_row(key, *(f"{100 * percent:.1f}" for percent in percents))
    console.print(found)
    console.print(
        "Of the planted pairs with Jaccard similarity s, so many lost a row; in theory, so many "
        "share a band. datatrove drops these; cotmill and rensa ask for an estimated similarity "
        f"of {settings.dedup.threshold} besides."
    )
    compared = disagreements(rows)
    speeds = {row["run"]: row["rows_per_second"] for row in rows}
    ratio = round(speeds["cotmill"] / speeds["datatrove"], 2) if "datatrove" in speeds else None
    for row in rows:
        del row["pairs"]
    figures = {"over_datatrove_ratio": ratio, "in_theory": shares, "disagreements": compared}
    print(json.dumps({"bench": "minhash", **figures, "rows": rows}))
