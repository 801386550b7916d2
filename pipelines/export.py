"""cotmill export RUN: a run's rows in the form that a trainer reads."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pydantic import Field
from rich.console import Console

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from transforms.engine.errors import RunFolderError, SettingsError
from transforms.engine.run_folder import RunFolder, absolute
from transforms.engine.settings import Folder, Group, SinkSettings
from transforms.engine.versions import versions
from transforms.publish.export import environment
from transforms.publish.export.environment import EnvironmentExport
from transforms.publish.export.forms import Format
from transforms.publish.export.preference import PreferenceExport
from transforms.publish.export.rl import RlExport
from transforms.publish.export.run import Exported, spool
from transforms.publish.export.sft import SftExport
from transforms.publish.export.splits import SplitSettings
from transforms.publish.export.templates import TemplateCheck
from transforms.publish.export.value import ValueExport
from transforms.publish.export.write import Files, Spool


class ExportSettings(Group):
    """Everything `cotmill export` can be told."""

    run: str = Field(description="folder of a finished run; also the first word: export RUN")
    format: SftExport | RlExport | PreferenceExport | ValueExport | EnvironmentExport = Field(
        discriminator="type"
    )
    splits: SplitSettings
    template: str | None = Field(
        "embedded",
        description="model whose chat template has to render every row: embedded, a name or a "
        "folder (null: no check)",
    )
    files: Files = Field("parquet", description="what is written, in shards")
    output_dir: Folder = Field(description="folder to write")
    overwrite: bool = Field(False, description="delete what output_dir holds and start anew")
    sink: SinkSettings


def export(settings: ExportSettings, console: Console) -> None:
    """Writes data/, or a package, and manifest.json, and prints what was left out and why.

    Raises:
        RunFolderError: the run has no rows, or output_dir cannot be used.
        SettingsError: a row does not render with the model's chat template, or the run makes no
            example.
    """
    run = RunFolder(absolute(settings.run))
    source = run.read_manifest()
    if source is None:
        raise RunFolderError(f"run={run.root} holds no manifest.json: name the output_dir of a run")
    folder = RunFolder(absolute(settings.output_dir))
    there = folder.read_manifest()
    if there is not None and there.get("command") != "export":
        raise RunFolderError(
            f"output_dir={folder.root} holds something else than an export: name another folder"
        )
    form = settings.format
    if isinstance(form, EnvironmentExport) and settings.splits.asked:
        raise SettingsError("format=environment is not divided: leave out splits.test and the like")
    with folder.claimed(resume=None, overwrite=settings.overwrite):
        if there is not None:
            environment.remove(there, folder)
        if isinstance(form, EnvironmentExport):
            where, done = folder.root, environment.write(run, source, folder, form)
        else:
            where, done = folder.path("data"), _examples(run, source, folder, form, settings)
        if not done.rows:
            if not done.left_out:
                raise SettingsError(f"run={run.root} has no rows: name another run")
            why = "; ".join(f"{count} rows: {why}" for why, count in done.left_out.items())
            raise SettingsError(f"run={run.root} makes no example ({why}): choose another format")
        folder.write_manifest(
            {
                "command": "export",
                "status": "complete",
                "config": settings.model_dump(mode="json"),
                "source_run": {key: source.get(key) for key in ("run_id", "recipe", "finished")},
                "rows": done.rows,
                "left_out": dict(done.left_out),
                "lineage": source.get("lineage", []),
                "versions": versions(),
            }
        )
    tell(done, where, console)


def _examples(
    run: RunFolder,
    source: Mapping[str, Any],
    folder: RunFolder,
    form: Format,
    settings: ExportSettings,
) -> Exported:
    """Writes a trainer's examples below data/; nothing where there are none."""
    check = None if settings.template is None else TemplateCheck(settings.template)
    with Spool(form.types()) as examples:
        done = spool(run, source, form, settings.splits, check, examples)
        sink = settings.sink
        examples.write(folder.path("data"), settings.files, sink.rows_per_shard, sink.compression)
    return done


def tell(done: Exported, where: str, console: Console) -> None:
    """Prints what was written, what was left out and why."""
    counts = ", ".join(f"{split} {rows}" for split, rows in sorted(done.rows.items()))
    lines = [f"{sum(done.rows.values())} examples in {where} ({counts or 'none'})"]
    lines += [f"left out: {count}, {why}" for why, count in sorted(done.left_out.items())]
    for line in [*lines, *done.notes]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    name_first_word("run")
    run_command(
        "export",
        "a run's rows in the form that a trainer reads: SFT, RL, preference pairs, environment",
        ExportSettings,
        lambda settings: export(settings, Console(file=sys.stdout)),
    )
