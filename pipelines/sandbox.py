"""cotmill sandbox status: shows which walls this machine's kernel puts around programs."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from pipelines.arguments import HELP, take_word
from pipelines.hydra_app import run_command
from transforms.engine.settings import Group
from transforms.sandbox.sandbox import describe, missing
from transforms.sandbox.settings import SandboxSettings


class SandboxStatusSettings(Group):
    """Everything `cotmill sandbox status` can be told."""

    sandbox: SandboxSettings


def status(settings: SandboxStatusSettings, console: Console) -> None:
    """Prints one row per layer, and what keeps strict and auto from starting, if anything does."""
    layers = describe(settings.sandbox)
    table = Table(box=None)
    for name in ("layer", "state", "how, or why not"):
        table.add_column(name)
    for layer in layers:
        table.add_row(layer.name, "active" if layer.active else "unavailable", layer.why)
    console.print(table, "")
    for mode in ("strict", "auto"):
        if lacking := missing(layers, mode):
            line = f"sandbox={mode} refuses to start here: {'; '.join(lacking)}"
            console.print(line, soft_wrap=True)
        else:
            console.print(f"sandbox={mode} starts here.")


def main() -> None:
    command = take_word()
    if command != "status":
        print("Usage: cotmill sandbox status [KEY=VALUE] ...", file=sys.stderr)
        sys.exit(0 if not command and set(HELP) & set(sys.argv) else 2)
    run_command(
        "sandbox status",
        "which walls this machine's kernel puts around programs",
        SandboxStatusSettings,
        lambda settings: status(settings, Console()),
    )
