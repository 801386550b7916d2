"""cotmill report: shows a run as one page, report.html, from what its folder holds."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from pydantic import Field
from rich.console import Console

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from transforms.engine.run_folder import RunFolder
from transforms.engine.settings import Group
from transforms.engine.tables import write_text
from transforms.publish.catalog import Catalog
from transforms.publish.report.page import page
from transforms.publish.report.read import accepted, diversity, rejects


class ReportSettings(Group):
    """Everything `cotmill report` can be told."""

    output_dir: str = Field(description="folder of a run, on any Beam filesystem")


def write_report(run: RunFolder, manifest: dict[str, Any]) -> dict[str, Any]:
    """Writes report.html into the run folder and returns the figures of diversity, by set.

    A run that is not finished is shown as far as it got.
    """
    figures, catalog = diversity(run, manifest), Catalog(run, manifest)
    rendered = page(manifest, figures, accepted(catalog), rejects(catalog), catalog.blobs)
    write_text(run.path("report.html"), rendered)
    return {name: asdict(found) for name, found in figures.items()}


def report(settings: ReportSettings, console: Console) -> None:
    """Writes the report of a run that is there; RunFolderError where there is none."""
    catalog = Catalog.open(settings.output_dir)
    write_report(catalog.run, catalog.manifest)
    console.print(catalog.run.path("report.html"), highlight=False, soft_wrap=True)


def main() -> None:
    name_first_word("output_dir")
    run_command(
        "report",
        "one page on a run: funnel, cost, diversity, rejects, rows",
        ReportSettings,
        lambda settings: report(settings, Console(file=sys.stdout)),
    )
