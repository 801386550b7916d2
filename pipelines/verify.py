"""cotmill verify: solutions of any Parquet, held against their reference answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from pipelines.hydra_app import run_command
from pipelines.over_parquet import Columns, OverParquet, over_parquet
from transforms.accounting import Reason, Verdict, keep, reject
from transforms.any_parquet import Cells
from transforms.episode import Episode, Steps
from transforms.settings import SandboxSettings
from transforms.stage import Same
from transforms.verification.answers import extract_answer
from transforms.verification.judge import compare
from transforms.verification.mark import as_pair

PURPOSE = "any Parquet: solutions are kept whose final answer agrees with the reference"


class VerifyColumns(Columns):
    """Where the solutions and the answers are."""

    solution: str = Field(description="column of the worked solutions, or of final answers alone")
    answer: str = Field(description="column of the reference answers")


class VerifyCommandSettings(OverParquet):
    """Everything `cotmill verify` can be told."""

    columns: VerifyColumns
    sandbox: SandboxSettings


@dataclass(kw_only=True)
class Agrees(Episode):
    """PCollection[Cells] -> Outcome of the same: the solution's final answer is the reference."""

    name: str = "verify"
    sandbox: SandboxSettings

    reads: ClassVar[type] = Cells
    writes: ClassVar[type] = Same

    def episode(self, row: Cells) -> Steps[Verdict]:
        answer = extract_answer(row.solution)
        if answer is None:
            return reject(Reason.NO_ANSWER_FOUND, row.solution[-200:])
        [agrees] = yield from compare([as_pair(row.answer, answer)])
        if agrees:
            return keep()
        return reject(Reason.ANSWER_MISMATCH, f"{answer[:200]}, reference {row.answer[:200]}")


def verify(settings: VerifyCommandSettings) -> None:
    """Writes the rows whose answers agree, and the others with both answers."""
    over_parquet("verify", settings, settings.columns, [Agrees(sandbox=settings.sandbox)])


def main() -> None:
    run_command("verify", PURPOSE, VerifyCommandSettings, verify)


if __name__ == "__main__":
    main()
