"""cotmill augment: verified seeds with other numbers, and their answers recomputed."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console

from pipelines.dry_run import show_job
from pipelines.hydra_app import run_command
from pipelines.synthesize import check_rows, print_where, run_recipe
from transforms.engine.recipe import build_segments
from transforms.engine.run_folder import RunFolder, absolute
from transforms.engine.run_settings import RunSettings
from transforms.programs.checks import FilterSettings
from transforms.recipes.augment.rewrite import AugmentationSettings
from transforms.sources import check_source


class AugmentSettings(RunSettings):
    """Everything `cotmill augment` can be told."""

    filter: FilterSettings
    augmentation: AugmentationSettings


def augment(settings: AugmentSettings, console: Console) -> dict[str, Any]:
    """Runs the recipe into `output_dir` and returns the run's manifest.

    Raises CotmillError, one line that names the thing and the fix, where the settings, the source
    or the folder cannot be used.
    """
    for line in check_source(settings.source):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    run = RunFolder(absolute(settings.output_dir))
    segments = build_segments(settings, run.root)
    return run_recipe(settings, segments, run, console)


def _main(settings: AugmentSettings) -> None:
    console = Console(file=sys.stdout)
    if getattr(settings.runner, "dry_run", False):
        run = RunFolder(absolute(settings.output_dir))
        show_job(settings, build_segments(settings, run.root), run, console)
        return
    manifest = augment(settings, console)
    print_where(manifest, settings, console)
    check_rows(manifest, settings)


def main() -> None:
    run_command(
        "augment",
        "verified seeds in, the same problems with other numbers out; no model",
        AugmentSettings,
        _main,
    )
