"""cotmill execute: the programs of any Parquet, run in the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from pipelines.over_parquet import Columns, OverParquet, over_parquet
from transforms.engine.any_parquet import Cells
from transforms.engine.records import Program
from transforms.engine.stage import Map
from transforms.programs.checks import FilterSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.filtering import RunPrograms

PURPOSE = "any Parquet: programs are run in the sandbox, and what they give is added"

ADDED = {"program_input": "input", "program_output": "output", "cpu_seconds": "cpu_seconds"}


class ExecuteColumns(Columns):
    """Where the programs are."""

    code: str = Field(description="column of the Python programs, which assign `output`")


class ExecuteSettings(OverParquet):
    """Everything `cotmill execute` can be told."""

    columns: ExecuteColumns
    sandbox: SandboxSettings
    filter: FilterSettings


@dataclass(kw_only=True)
class AsPrograms(Map):
    """PCollection[Cells] -> Outcome of Program: the code of each row."""

    name: str = "programs"

    reads: ClassVar[type] = Cells
    writes: ClassVar[type] = Program

    def of(self, cells: Cells) -> Program:
        return Program(cells.id, cells.code, seed_ids=(), source="", license="", calls=(), tokens=0)


def execute(settings: ExecuteSettings) -> None:
    """Writes the rows whose programs end well, with `input` and `output` as JSON."""
    run = RunPrograms(sandbox=settings.sandbox, filter=settings.filter)
    over_parquet("execute", settings, settings.columns, [AsPrograms(), run], ADDED)


def main() -> None:
    name_first_word("input")
    run_command("execute", PURPOSE, ExecuteSettings, execute)
