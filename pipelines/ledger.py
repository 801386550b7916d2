"""cotmill ledger status | compact: looks into a ledger, or makes its many small parts few."""

from __future__ import annotations

import sys

from pydantic import Field
from rich.console import Console
from rich.table import Table

from pipelines.arguments import HELP, name_first_word, take_word
from pipelines.hydra_app import run_command
from transforms.engine.errors import LedgerError
from transforms.engine.files import FileSystems
from transforms.engine.run_folder import absolute
from transforms.engine.settings import Group
from transforms.models.ledger.compaction import compact
from transforms.models.ledger.parts import ledger_folder
from transforms.models.ledger.status import ledger_status

_STATUS = "what a ledger holds: responses and tokens by stage and model"
_COMPACT = "many small parts -> few large ones, one row a request; runs may go on meanwhile"


class LedgerFolder(Group):
    """Which ledger is meant."""

    dir: str = Field(
        description="folder of a ledger, or of a run, on any Beam filesystem; may stand first"
    )


class LedgerStatusSettings(Group):
    """Everything `cotmill ledger status` can be told."""

    ledger: LedgerFolder


class LedgerCompactSettings(LedgerStatusSettings):
    """Everything `cotmill ledger compact` can be told."""

    part_mb: int = Field(
        ge=1, description="size of a part, MB: parts below half of it are merged up to it"
    )


def existing(settings: LedgerStatusSettings) -> str:
    """Returns the folder of the ledger that is meant, also where its run is named; LedgerError
    where there is none."""
    folder = absolute(settings.ledger.dir)
    for each in (folder, FileSystems.join(folder, "ledger")):
        if ledger_folder(each):
            return each
    raise LedgerError(f"there is no ledger in {folder}: name one, such as ledger.dir=RUN/ledger")


def show_status(settings: LedgerStatusSettings, console: Console) -> None:
    """Prints one row a stage and model, the size of the ledger, and its unreadable parts."""
    folder = existing(settings)
    status = ledger_status(folder)
    table = Table(box=None)
    table.add_column("stage")
    table.add_column("model")
    for name in ("responses", "failed", "unanswered", "prompt tokens", "cached", "generated"):
        table.add_column(name, justify="right")
    for stage, model, *figures in status.by_stage.iter_rows():
        table.add_row(stage, model, *(f"{figure:,}" for figure in figures))
    console.print(table)
    console.print(
        f"{status.parts:,} parts, {status.bytes / 1e6:,.1f} MB in {folder}",
        highlight=False,
        soft_wrap=True,
    )
    for reason in status.unreadable:
        console.print(
            f"{reason}: its requests are asked again; cotmill ledger compact sets it aside",
            highlight=False,
            soft_wrap=True,
        )


def run_compaction(settings: LedgerCompactSettings, console: Console) -> None:
    """Compacts the ledger and prints what that did."""
    folder = existing(settings)
    done = compact(folder, settings.part_mb * 1_000_000)
    console.print(
        f"{done.parts_before:,} parts are now {done.parts_after:,}, of {done.rows:,} responses; "
        f"{done.dropped:,} second responses to a request were dropped ({folder})",
        highlight=False,
        soft_wrap=True,
    )
    for reason in done.set_aside:
        console.print(f"set aside as .corrupt-…: {reason}", highlight=False, soft_wrap=True)


def main() -> None:
    command = take_word()
    if command not in ("status", "compact"):
        print("Usage: cotmill ledger status|compact FOLDER", file=sys.stderr)
        sys.exit(0 if not command and set(HELP) & set(sys.argv) else 2)
    name_first_word("ledger.dir")
    if command == "status":
        run_command(
            "ledger status", _STATUS, LedgerStatusSettings, lambda s: show_status(s, Console())
        )
    else:
        run_command(
            "ledger compact",
            _COMPACT,
            LedgerCompactSettings,
            lambda s: run_compaction(s, Console()),
        )
