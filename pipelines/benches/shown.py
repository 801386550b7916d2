"""What benches print: lines as they are, and tables of figures."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table


def plain() -> Console:
    """A console that colours no figures and breaks no lines."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 120  # a pipe has no width, and rich would take it for 80
    return console


def table_of(names: Iterable[str], figures: Iterable[str]) -> Table:
    """An empty table with columns of names, at the left, and of figures, set to the right."""
    table = Table(box=None)
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right")
    return table
