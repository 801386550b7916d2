"""cotmill hashes: a user's own copy of an evaluation set, as hashes that `decontaminate` takes."""

from __future__ import annotations

import sys

from pydantic import Field
from rich.console import Console

from pipelines.arguments import name_first_word
from pipelines.hydra_app import run_command
from transforms.engine.settings import Group, LocalOrNot
from transforms.stages.diversity.hashed import build, evaluations


class HashesSettings(Group):
    """Everything `cotmill hashes` can be told."""

    name: str = Field(description=f"the evaluation set: {', '.join(evaluations())}")
    path: LocalOrNot = Field(description="a copy of it: a file or folder, Parquet, JSONL or JSON")
    output: LocalOrNot | None = Field(None, description="file to write (null: NAME.parquet)")


def hashes(settings: HashesSettings, console: Console) -> None:
    """Writes the hashes of a copy, and says how many there are."""
    output = settings.output or f"{settings.name}.parquet"
    built = build(settings.name, settings.path, output)
    console.print(f"{built.hashes:,} hashes of {built.items:,} items: {output}", soft_wrap=True)
    console.print(f"use it with decontaminate.hashes.{settings.name}={output}", soft_wrap=True)


def main() -> None:
    name_first_word("name")
    run_command(
        "hashes",
        "a copy of an evaluation set into hashes that decontaminate takes",
        HashesSettings,
        lambda settings: hashes(settings, Console(file=sys.stdout)),
    )
