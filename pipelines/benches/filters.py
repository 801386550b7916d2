"""cotmill bench filters: what the filters let through of records whose faults are known."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.benches.programs import codeio_seeds, shipped_seeds
from pipelines.hydra_app import run_command
from transforms.planted.benchmark import Scores, bench_filters
from transforms.settings import BenchFiltersSettings


def bench(settings: BenchFiltersSettings) -> None:
    """Plants faults in the shipped seeds and CodeI/O programs, and runs the real stages on them."""
    console = Console()
    executed = codeio_seeds(settings.codeio, settings.sandbox) if settings.codeio else []
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        scores = bench_filters(shipped_seeds(), executed, settings, Path(folder))
    print_scores(scores, console)
    for planted, fate in scores.misjudged[: settings.show]:
        became = f"rejected as {fate.reason} ({fate.detail[:80]})" if fate else "accepted"
        instruction = " ".join(planted.instruction.split())[-160:]
        console.print(
            f"[{planted.fault}] {became}: ...{instruction}", markup=False, highlight=False
        )
    print(json.dumps({"bench": "filters", **scores.figures, "rows": scores.rows}))


def print_scores(scores: Scores, console: Console) -> None:
    """Prints a line for each fault, and the two rates that matter most."""
    table = Table(box=None)
    table.add_column("fault in")
    table.add_column("fault")
    for name in ("planted", "rejected %", "for that reason %", "precision %", "right kept %"):
        table.add_column(name, justify="right")
    for row in scores.rows:
        reasoned = row["as_expected"] / row["planted"] if row["planted"] else None
        shares = (row["recall"], reasoned if row["recall"] is not None else None)
        table.add_row(
            row["family"],
            row["fault"],
            f"{row['planted']:,}",
            *map(_percent, (*shares, row["precision"], row["kept"])),
        )
    console.print(table)
    figures = scores.figures
    console.print(
        f"{figures['records']:,} records; of wrong answers accepted: "
        f"{_percent(figures['wrong_accepted_rate'])} %; of right records kept: "
        f"{_percent(figures['right_kept_rate'])} %",
        highlight=False,
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def main() -> None:
    purpose = "what the filters let through of records whose faults are known"
    run_command("bench filters", purpose, BenchFiltersSettings, bench)
