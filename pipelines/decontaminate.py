"""cotmill decontaminate: rows of any Parquet that repeat no item of an evaluation set."""

from __future__ import annotations

from pydantic import Field

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from pipelines.over_parquet import Columns, OverParquet, over_parquet
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.diversity.decontaminate import Decontaminate, check_benchmarks
from transforms.stages.diversity.settings import DecontaminateSettings

PURPOSE = "any Parquet: rows that repeat an item of an evaluation set are rejected"


class DecontaminateColumns(Columns):
    """What rows are compared by."""

    text: str | None = Field(None, description="column of the problems")
    code: str | None = Field(None, description="column of the programs")


class DecontaminateCommandSettings(OverParquet):
    """Everything `cotmill decontaminate` can be told."""

    columns: DecontaminateColumns
    decontaminate: DecontaminateSettings
    sandbox: SandboxSettings


def decontaminate(settings: DecontaminateCommandSettings) -> None:
    """Writes the rows that repeat nothing, and the others with the item that each repeats."""
    check_benchmarks(settings.decontaminate)
    stage = Decontaminate(
        decontaminate=settings.decontaminate, sandbox=settings.sandbox, text="text", code="code"
    )
    over_parquet("decontaminate", settings, settings.columns, [stage])


def main() -> None:
    name_first_word("input")
    run_command("decontaminate", PURPOSE, DecontaminateCommandSettings, decontaminate)
