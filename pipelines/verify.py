"""cotmill verify: solutions of any Parquet, held against their reference answers."""

from __future__ import annotations

from pydantic import Field

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from pipelines.over_parquet import Columns, OverParquet, over_parquet
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.grade import Grade

PURPOSE = "any Parquet: solutions are kept whose final answer agrees with the reference"


class VerifyColumns(Columns):
    """Where the solutions and the answers are."""

    solution: str = Field(description="column of the worked solutions, or of final answers alone")
    answer: str = Field(description="column of the reference answers")


class VerifyCommandSettings(OverParquet):
    """Everything `cotmill verify` can be told."""

    columns: VerifyColumns
    sandbox: SandboxSettings


def verify(settings: VerifyCommandSettings) -> None:
    """Writes the rows whose answers agree, and the others with both answers."""
    over_parquet(
        "verify", settings, settings.columns, [Grade(name="verify", sandbox=settings.sandbox)]
    )


def main() -> None:
    name_first_word("input")
    run_command("verify", PURPOSE, VerifyCommandSettings, verify)
