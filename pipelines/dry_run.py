"""Shows the Dataflow job that a run would be: it is built, and not sent."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from transforms.engine.dataflow import JOB_BYTES, dataflow_job
from transforms.engine.recipe import Segment
from transforms.engine.run_folder import RunFolder
from transforms.engine.run_settings import RunSettings


def show_job(
    settings: RunSettings, segments: Sequence[Segment], run: RunFolder, console: Console
) -> None:
    """Prints the stages of the job with their resource hints, its image and Beam's options."""
    job = dataflow_job(segments, run, settings)
    steps = job.steps()
    table = Table(title=f"Job {job.name}", title_justify="left", box=None)
    for column in ("step", "transforms", "hints"):
        table.add_column(column, overflow="fold")
    for segment in segments:
        for stage in segment.stages:
            step = steps[f"{segment.label}/{stage.name}"]
            hints = ", ".join(f"{name}={value}" for name, value in sorted(step.hints.items()))
            table.add_row(step.name, str(step.transforms), hints)
    console.print(table)
    told = {"image": ", ".join(job.images()), **settings.runner.beam_options()}
    for name, value in told.items():
        console.print(f"{name}: {value}", highlight=False, markup=False, soft_wrap=True)
    total = sum(step.transforms for step in steps.values())
    console.print(
        f"{total} transforms, {job.bytes / 2**20:.1f} MiB of the {JOB_BYTES >> 20} MiB that "
        "Dataflow takes; nothing was sent (runner.dry_run=true)",
        highlight=False,
        soft_wrap=True,
    )
