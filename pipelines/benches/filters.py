"""cotmill bench filters: what the filters let through of records whose faults are known."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from rich.console import Console

from pipelines.benches.planted.benchmark import BenchFiltersSettings, Scores, bench_filters
from pipelines.benches.programs import codeio_seeds, shipped_seeds
from pipelines.benches.shown import plain, table_of

SETTINGS = BenchFiltersSettings


def bench(settings: BenchFiltersSettings) -> None:
    """Plants faults in the shipped seeds and CodeI/O programs, and runs the real stages on them."""
    console = plain()
    executed = codeio_seeds(settings.codeio, settings.sandbox) if settings.codeio else []
    with tempfile.TemporaryDirectory(prefix="cotmill-") as folder:
        scores = bench_filters(shipped_seeds(), executed, settings, Path(folder))
    print_scores(scores, console)
    for planted, fate in scores.misjudged[: settings.show]:
        became = f"rejected as {fate.reason} ({fate.detail[:80]})" if fate else "accepted"
        said = " ".join(planted.attempts[0].split())[-80:]
        asked = " ".join(planted.instruction.split())[-120:]
        output = f" program gives {planted.output[:80]};" if planted.output else ""
        line = f"[{planted.fault}] {became}:{output} asked: ...{asked} said: ...{said}"
        console.print(line, markup=False)
    print(json.dumps({"bench": "filters", **scores.figures, "rows": scores.rows}))


def print_scores(scores: Scores, console: Console) -> None:
    """Prints a line for each fault, and the two rates that matter most."""
    shown = ("planted", "rejected %", "as that %", "precision %", "kept %")
    table = table_of(["fault in", "fault"], shown)
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
        f"{100 * figures['wrong_accepted_rate']:.3f} %; of right records kept: "
        f"{_percent(figures['right_kept_rate'])} %"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"
