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
from dataclasses import asdict, dataclass, replace
from math import comb
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from pipelines.benches.shown import plain, table_of
from transforms.engine.errors import RunFolderError
from transforms.engine.settings import Group
from transforms.models.driver import drive
from transforms.models.episode import Steps
from transforms.programs import literal_input, parse
from transforms.programs.perturb import perturbed_inputs
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.diversity.measure import opening
from transforms.stages.diversity.overlap import folded
from transforms.stages.judge import Pair, compare
from transforms.stages.pairs import outputs_on
from transforms.text.answers import plain_answer


class BenchSummariesSettings(Group):
    """Everything `cotmill bench summaries` can be told."""

    arms: dict[str, list[str]] = Field(
        min_length=2,
        description="arm -> folders of its finished runs; the first arm is what others are "
        "compared with",
    )
    sandbox: SandboxSettings


SETTINGS = BenchSummariesSettings


@dataclass(frozen=True)
class Arm:
    """The runs of an arm, program by program."""

    programs: frozenset[str]
    """Those that problems were to be worded for."""
    accepted: Mapping[str, Mapping[str, Any]]
    """Program -> the accepted row with the best agreement; its `written` are the programs that were
    written from the problem alone and agree, for runs with verify.mode code or both."""
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
    duplicates: int
    """Problems that were rejected as copies of others."""
    fidelity: float | None = None
    """Share of the programs written from accepted problems that give what the problem's program
    gives on other values too; None where none could be given the same values."""


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
        written = _written(folder)
        tokens += sum(manifest["tokens"][name] for name in ("generated", "recorded"))
        for row in rows.sort("id").iter_rows(named=True):
            if row["agreement"] > best.get(row["code"], {"agreement": -1})["agreement"]:
                key = (row["code"], row["instruction"])
                best[row["code"]] = {**row, "written": written.get(key, [])}
        rejects = [pl.read_parquet(file) for file in (folder / "rejects").glob("*.parquet")]
        lost.update(reason for part in rejects for reason in part["reason"])
    return Arm(frozenset(programs), best, tokens, lost)


def _written(folder: Path) -> dict[tuple[str, str], list[str]]:
    """(program, problem) -> the programs that were written from the problem and agree."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in sorted(folder.glob("stages/*-solve/*.parquet")):
        for row in pl.read_parquet(file).iter_rows(named=True):
            codes = [a["text"] for a in row["attempts"] if a["kind"] == "code" and a["agrees"]]
            found[row["code"], row["instruction"]] = codes
    return found


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
        duplicates=arm.lost["near_duplicate"] + arm.lost["duplicate_instruction"],
        tokens=arm.tokens / len(rows) if rows else None,
    )


def fidelity(arm: Arm, programs: Collection[str]) -> Steps[float | None]:
    """Returns `Figures.fidelity` of an arm: the programs are run."""
    marks: list[bool] = []
    for code, row in arm.accepted.items():
        for written in row["written"] if code in programs else ():
            mark = yield from same_on_others(row["id"], code, written)
            marks += [] if mark is None else [mark]
    return sum(marks) / len(marks) if marks else None


def same_on_others(row_id: str, code: str, written: str) -> Steps[bool | None]:
    """Whether a written program gives what a program gives wherever a value of the input that both
    have once is another one; None where there is no such value, or the program fails on others."""
    inputs = [literal_input(parse(each)) or {} for each in (code, written)]
    pairs = in_both(row_id, *inputs)
    [right] = yield from outputs_on([code], [one for one, _ in pairs])
    [gave] = yield from outputs_on([written], [other for _, other in pairs])
    compared = [
        Pair(json.dumps(gold[0]), plain_answer(json.dumps(answer[0])) if answer else None)
        for gold, answer in zip(right or [], gave or [[]] * len(pairs), strict=True)
        if gold
    ]
    return all((yield from compare(compared))) if compared else None


def in_both(
    row_id: str, one: Mapping[Any, Any], other: Mapping[Any, Any]
) -> list[tuple[dict[Any, Any], dict[Any, Any]]]:
    """Returns inputs of two programs in which a value that each has once is the same other one.

    >>> in_both("id", {"a": 3, "b": 5, "c": 5}, {"x": 3, "y": 5})[0]
    ({'a': 4, 'b': 5, 'c': 5}, {'x': 4, 'y': 5})
    """
    keys, others = ({repr(v): k for k, v in each.items()} for each in (one, other))
    once = [
        text
        for text in keys.keys() & others.keys()
        if [*map(repr, (*one.values(), *other.values()))].count(text) == 2
    ]
    places = {keys[text]: others[text] for text in once}
    return [
        (changed, {**other, places[key]: changed[key]})
        for key, several in perturbed_inputs(row_id, one)
        if key in places
        for changed in several
    ]


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
    shares = drive(arms.values(), lambda arm: fidelity(arm, programs), sandbox=settings.sandbox)
    found = {
        name: asdict(replace(figures(arm, first, programs), fidelity=share))
        for (name, arm), share in zip(arms.items(), shares, strict=True)
    }
    table, console = table_of(["arm"], next(iter(found.values()))), plain()
    for name, values in found.items():
        cells = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in values.values())
        table.add_row(name, *cells)
    union = len({c for arm in arms.values() for c in arm.accepted if c in programs})
    console.print(f"{len(programs)} programs in all arms; {union} accepted in any")
    console.print(table)
    print(json.dumps({"bench": "summaries", "programs": len(programs), "union": union, **found}))
