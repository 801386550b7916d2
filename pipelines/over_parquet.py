"""What the commands share that run one stage over any Parquet: dedup, decontaminate, execute,
verify."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, model_validator
from rich.console import Console

from pipelines.display import stage_line
from transforms.engine.any_parquet import check_columns, run_over
from transforms.engine.errors import SettingsError, SourceError
from transforms.engine.manifest import now
from transforms.engine.remote import out_of_reach
from transforms.engine.run_folder import RunFolder, absolute
from transforms.engine.runner_settings import AnyRunner
from transforms.engine.settings import Folder, Group, LocalOrNot, SinkSettings
from transforms.engine.stage import Stage
from transforms.engine.versions import versions
from transforms.sources.files import matching


class Columns(Group):
    """In which columns a stage finds what it reads. A subclass has a field for each."""

    def named(self) -> dict[str, str]:
        """Field -> column of those that are named."""
        return self.model_dump(exclude_none=True)


class OverParquet(Group):
    """What every command can be told that runs a stage over any Parquet."""

    input: LocalOrNot | list[LocalOrNot] = Field(
        description="Parquet files: a file or glob on any Beam filesystem, or a list of them"
    )
    output_dir: Folder = Field(description="folder to write: data/ and rejects/")
    overwrite: bool = Field(False, description="delete what output_dir holds and start anew")
    runner: AnyRunner
    sink: SinkSettings

    @model_validator(mode="after")
    def _workers_reach_all(self) -> Self:
        lines = out_of_reach(self, self.runner)
        if not self.runner.waits or getattr(self.runner, "dry_run", False):
            lines.append("runner.wait=false and runner.dry_run=true are for recipes")
        if lines:
            raise ValueError("; ".join(lines))
        return self


def over_parquet(
    command: str,
    settings: OverParquet,
    columns: Columns,
    stages: Sequence[Stage],
    added: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Runs stages over the files that the settings name, and prints the account.

    Args:
        added: further column of kept rows -> field of the last stage's record.

    Returns:
        The manifest, which the folder holds as well.

    Raises:
        CotmillError: one line that names the file, column or folder that cannot be used.
    """
    console = Console(file=sys.stdout)
    if not columns.named():
        names = ", ".join(f"columns.{name}" for name in type(columns).model_fields)
        raise SettingsError(f"no column is named: set {names}, or some of them")
    try:
        paths = matching(settings.input)
    except SourceError as error:
        raise SourceError(str(error).replace("source.path=", "input=")) from None
    check_columns(paths, columns.named(), added)
    run = RunFolder(absolute(settings.output_dir))
    with run.claimed(resume=None, overwrite=settings.overwrite):
        manifest = {
            "command": command,
            "status": "running",
            "started": now(),
            "config": settings.model_dump(mode="json"),
            "versions": versions(),
        }
        run.write_manifest(manifest)
        account = run_over(paths, columns.named(), stages, run, settings, added)
        manifest.update(
            status="complete", finished=now(), accepted=account["rows"], stages=account["stages"]
        )
        run.write_manifest(manifest)
    for stage in account["stages"]:
        console.print(stage_line(stage), highlight=False, soft_wrap=True)
    console.print(
        f"{account['rows']} rows in {run.path('data')}, the others with their reasons in "
        f"{run.path('rejects')}",
        highlight=False,
        soft_wrap=True,
    )
    return manifest
