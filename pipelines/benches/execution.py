"""cotmill bench execution: questions about runs per second, by recipe."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.hydra_app import settable, to_settings
from pipelines.synthesize import synthesize
from transforms.engine.machine import machine_line
from transforms.engine.paths import CONF
from transforms.engine.settings import Group
from transforms.recipes.settings import Settings

ASKING = {
    "codesense": "ask",
    "cruxeval": "easy",
    "cwm": "trace",
    "reval": "ask",
    "sx_bench": "compose",
}
"""Recipe -> its first stage after the seeds are verified: what is timed begins there."""


class BenchExecutionSettings(Group):
    """Everything `cotmill bench execution` can be told."""

    programs: int = Field(ge=1, description="CodeI/O programs read for each recipe")
    workers: int = Field(ge=1, description="worker processes")


SETTINGS = BenchExecutionSettings


def bench(settings: BenchExecutionSettings) -> None:
    """Rows per second of the recipes that ask about runs without a model, seeds verified."""
    console = Console()
    console.print(
        f"{settings.programs:,} programs, {settings.workers} workers, {machine_line()}; seconds "
        "from verified seeds to rows",
        highlight=False,
    )
    table = Table(box=None)
    table.add_column("recipe")
    for name in ("verified programs", "cut traces %", "rows", "seconds", "rows/s"):
        table.add_column(name, justify="right")
    found = []
    for row in measure(settings):
        found.append(row)
        figures = (row["programs"], row["cut"], row["rows"], row["seconds"], row["per_second"])
        table.add_row(row["recipe"], *(f"{figure:,}" for figure in figures))
    rows, seconds = (sum(row[name] for row in found) for name in ("rows", "seconds"))
    total = round(rows / seconds, 1)
    table.add_row("all", "", "", f"{rows:,}", f"{seconds:,.1f}", f"{total:,}")
    console.print(table)
    print(json.dumps({"bench": "execution", "per_second": total, "recipes": found}))


def measure(settings: BenchExecutionSettings) -> Iterator[dict[str, Any]]:
    """Runs each recipe whole.

    Yields:
        recipe, programs (verified), cut (percent of them whose trace was cut), rows, and seconds
        and per_second of the stages that ask.
    """
    for recipe, stage in ASKING.items():
        with tempfile.TemporaryDirectory(prefix="cotmill-execution-") as folder:
            overrides = [
                *(f"recipe={recipe}", f"recipe.stages.{stage}.begins_segment=true"),
                *("source=codeio", f"source.limit={settings.programs}", "filter.min_code_lines=4"),
                *(f"runner.workers={settings.workers}", f"output_dir={folder}/run"),
            ]
            manifest = synthesize(_composed(overrides), Console(file=io.StringIO()))
        verified, asked = manifest["segments"]
        cut = sum(each["rejected"].get("trace_cut", 0) for each in asked["stages"])
        yield {
            "recipe": recipe,
            "programs": verified["rows"],
            "cut": round(100 * cut / verified["rows"], 1),
            "rows": asked["rows"],
            "seconds": round(asked["seconds"], 1),
            "per_second": round(asked["rows"] / asked["seconds"], 1),
        }


def _composed(overrides: list[str]) -> Settings:
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return to_settings(compose("synthesize", list(map(settable, overrides))), Settings)
