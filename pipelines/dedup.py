"""cotmill dedup: rows of any Parquet, of those alike one."""

from __future__ import annotations

from pydantic import Field

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from pipelines.over_parquet import Columns, OverParquet, over_parquet
from transforms.engine.stage import Filter, Stage
from transforms.programs.checks import FormOf, Parses
from transforms.stages.diversity.instructions import Deduplicate
from transforms.stages.diversity.programs import DeduplicatePrograms
from transforms.stages.diversity.settings import DedupSettings

PURPOSE = "any Parquet: of rows alike in text, or in program, one stays"


class DedupColumns(Columns):
    """What rows are compared by: a text, a program, or one after the other."""

    text: str | None = Field(None, description="column of the texts that are compared")
    code: str | None = Field(None, description="column of the Python programs that are compared")


class DedupCommandSettings(OverParquet):
    """Everything `cotmill dedup` can be told."""

    columns: DedupColumns
    dedup: DedupSettings


def stages(settings: DedupCommandSettings) -> list[Stage]:
    """Programs are compared first: of texts alike, the one with the shortest program stays."""
    columns, chosen = settings.columns, list[Stage]()
    if columns.code is not None:
        chosen.append(Filter(name="form", checks=(FormOf((Parses(),)),)))
        chosen.append(DeduplicatePrograms(name="programs", dedup=settings.dedup))
    if columns.text is not None:
        code = "code" if columns.code is not None else None
        chosen.append(Deduplicate(name="texts", dedup=settings.dedup, text="text", code=code))
    return chosen


def dedup(settings: DedupCommandSettings) -> None:
    """Writes the rows that stay, and the others with the row that each is like."""
    over_parquet("dedup", settings, settings.columns, stages(settings))


def main() -> None:
    name_first_word("input")
    run_command("dedup", PURPOSE, DedupCommandSettings, dedup)
