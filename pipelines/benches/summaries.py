"""cotmill bench summaries: problems worded from programs beside problems worded from summaries.

An arm is one run of recipe=caco or several. The arms share `ledger.dir`, so that they have the same
programs, and differ in `recipe.stages.reverse.summary`; the runs of an arm differ in
`recipe.stages.reverse.sample`, or in the form of the summary. Of the problems that several runs
word for a program, the one with the best agreement counts.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import comb
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field
from rich.console import Console
from rich.table import Table

from transforms.engine.errors import RunFolderError
from transforms.engine.settings import Group
from transforms.stages.diversity.measure import opening
from transforms.stages.diversity.overlap import folded


class BenchSummariesSettings(Group):
    """Everything `cotmill bench summaries` can be told."""

    arms: dict[str, list[str]] = Field(
        min_length=2,
        description="arm -> folders of its finished runs; the first arm is what others are "
        "compared with",
    )


SETTINGS = BenchSummariesSettings


@dataclass(frozen=True)
class Arm:
    """The runs of an arm, program by program."""

    programs: frozenset[str]
    """Those that problems were to be worded for."""
    accepted: Mapping[str, Mapping[str, Any]]
    """Program -> the accepted row with the best agreement."""
    tokens: int
    """Generated for all of its runs, also those that were in a ledger."""
    lost: Counter[str]
    """Reason -> problems that were rejected for it."""


@dataclass(frozen=True)
class Figures:
    """What an arm came to."""

    accepted: float
    """Share of the programs that have an accepted row."""
    gained: int
    """Programs accepted here and not in the first arm."""
    missed: int
    """Programs accepted in the first arm and not here."""
    p: float
    """Of McNemar's exact test on these two, two-sided."""
    given_lost: int
    """Problems or summaries that left out a value of the input."""
    leaks: float
    """Share of accepted problems with a name of the program that is none of the language."""
    shared: float
    """Mean share of a problem's runs of five words that the program's text has, comments too."""
    distinct: float
    """Share of runs of three words that are different, over all accepted problems."""
    openings: float
    """Share of accepted problems with an opening of their own."""
    tokens: float | None
    """Tokens for each accepted row; None where there is none."""


def read_arm(folders: Sequence[str]) -> Arm:
    """Reads the runs of an arm.

    Raises:
        RunFolderError: a folder has no finished run.
    """
    programs: set[str] = set()
    best: dict[str, Mapping[str, Any]] = {}
    tokens, lost = 0, Counter[str]()
    for folder in map(Path, folders):
        try:
            manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
            entering = pl.read_parquet(folder / "stages" / "*-execute" / "*.parquet")
            rows = pl.read_parquet(folder / "data" / "*.parquet")
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise RunFolderError(f"arms: {folder} has no finished run: {error}") from None
        programs |= set(entering["code"])
        tokens += sum(manifest["tokens"][name] for name in ("generated", "recorded"))
        for row in rows.sort("id").iter_rows(named=True):
            if row["agreement"] > best.get(row["code"], {"agreement": -1})["agreement"]:
                best[row["code"]] = row
        rejects = [pl.read_parquet(file) for file in (folder / "rejects").glob("*.parquet")]
        lost.update(reason for part in rejects for reason in part["reason"])
    return Arm(frozenset(programs), best, tokens, lost)


def figures(arm: Arm, first: Arm, programs: Collection[str]) -> Figures:
    """Compares an arm with the first, on the programs that all arms have."""
    rows = [row for code, row in arm.accepted.items() if code in programs]
    mine, base = ({row["code"] for row in rows}, set(first.accepted) & set(programs))
    texts = [folded(row["instruction"]) for row in rows]
    runs = [run for words in texts for run in _runs(words, 3)]
    shared = [
        sum(run in _code_runs(row["code"]) for run in own) / len(own)
        for row, words in zip(rows, texts, strict=True)
        if (own := _runs(words, 5))
    ]
    share = 1 / len(rows) if rows else 0.0
    return Figures(
        accepted=len(mine) / len(programs) if programs else 0.0,
        gained=len(mine - base),
        missed=len(base - mine),
        p=mcnemar(len(mine - base), len(base - mine)),
        given_lost=arm.lost["given_lost"] + arm.lost["missing_input_value"],
        leaks=share * sum(leaks(row["instruction"], row["code"]) for row in rows),
        shared=sum(shared) / len(shared) if shared else 0.0,
        distinct=len(set(runs)) / len(runs) if runs else 0.0,
        openings=share * len({opening(words) for words in texts}),
        tokens=arm.tokens / len(rows) if rows else None,
    )


def mcnemar(gained: int, missed: int) -> float:
    """The probability of a division of discordant pairs at least as uneven, were both as likely.

    >>> mcnemar(9, 8), round(mcnemar(2, 11), 3)
    (1.0, 0.022)
    """
    pairs = gained + missed
    tail = sum(comb(pairs, n) for n in range(min(gained, missed) + 1))
    return min(1.0, 2 * tail / 2**pairs)


def leaks(instruction: str, code: str) -> bool:
    """Whether a problem has a name of the program that no language has.

    >>> leaks("Let n_items be 3.", "n_items = 3"), leaks("There are 3 items.", "items = 3")
    (True, False)
    """
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    return any("_" in name and re.search(rf"\b{name}\b", instruction) for name in names)


def _runs(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


def _code_runs(code: str) -> set[tuple[str, ...]]:
    return set(_runs(folded(code), 5))


def bench(settings: BenchSummariesSettings) -> None:
    """Prints a line for each arm, the union of all, and JSON."""
    arms = {name: read_arm(folders) for name, folders in settings.arms.items()}
    programs = frozenset.intersection(*(arm.programs for arm in arms.values()))
    first = next(iter(arms.values()))
    found = {name: asdict(figures(arm, first, programs)) for name, arm in arms.items()}
    table, console = Table(box=None), Console()
    for column in ("arm", *next(iter(found.values()))):
        table.add_column(column, justify="left" if column == "arm" else "right")
    for name, values in found.items():
        cells = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in values.values())
        table.add_row(name, *cells)
    union = len({c for arm in arms.values() for c in arm.accepted if c in programs})
    console.print(f"{len(programs)} programs in all arms; {union} accepted in any", highlight=False)
    console.print(table)
    print(json.dumps({"bench": "summaries", "programs": len(programs), "union": union, **found}))
