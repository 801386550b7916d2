"""Programs that read standard input, on tests: which of them they pass, and what is told of it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.facts import Kind, Trace, read_trace
from transforms.programs.facts.events import InvalidTrace
from transforms.programs.trace_text import literal
from transforms.sandbox.jobs import Cell, CellResult, Job, Result, Status, TraceLimits
from transforms.stages.trajectories.dialogues import stable

Grain = Literal["binary", "failed", "all", "trace"]
"""What is told of tests, from the coarsest: that they fail; the failed ones; those that pass, too;
and of the first failed one what each block of the program does."""


class Case(NamedTuple):
    """A test: what a program reads, and what it has to print."""

    given: str
    wanted: str


@dataclass(frozen=True)
class Outcome:
    """What a program printed on a test."""

    test: Case
    printed: str
    fault: str = ""
    """How it ended, where it did not end well: the last line of the error."""
    trace: str = ""
    """What its blocks do; empty where it was not traced."""

    @property
    def passed(self) -> bool:
        """Whether it ended well and printed what was wanted, but for blanks and blank lines."""
        return not self.fault and self.printed.split() == self.test.wanted.split()


def cases_of(seed: Seed, *columns: str) -> tuple[Case, ...]:
    """Returns the tests in a seed's columns, each in CodeContests' form: `{input: [...], output:
    [...]}`; those of columns that it has not, or that are of another form, are left out."""
    values = json.loads(seed.metadata)
    tests: list[Case] = []
    for column in columns:
        match values.get(column):
            case {"input": list() as given, "output": list() as wanted}:
                tests += map(Case, map(str, given), map(str, wanted))
    return tuple(tests)


_CELL = """import os, sys
with open("stdin", "wb") as _file:
    _file.write({given!r})
os.dup2(os.open("stdin", os.O_RDONLY), 0)
sys.stdin = open(0, encoding="utf-8", closefd=False)
try:
    exec(compile({code!r}, "<program>", "exec"), {{"__name__": "__main__"}})
except SystemExit:
    pass
"""


def on_tests(code: str, tests: Sequence[Case]) -> Steps[list[Outcome]]:
    """Runs a program on tests, each in a cell of its own, so that the ledger has what it printed;
    the wanted outputs stay outside of the sandbox."""
    cells = [Cell(_CELL.format(given=test.given.encode(), code=code)) for test in tests]
    seen: list[CellResult] = (yield cells) if cells else []
    return [
        Outcome(test, stable(cell.stdout), _fault(cell))
        for test, cell in zip(tests, seen, strict=True)
    ]


def _fault(cell: CellResult) -> str:
    if cell.status is Status.OK:
        return ""
    return stable(cell.error or cell.status).rstrip().rpartition("\n")[2]


def told(code: str, outcomes: Sequence[Outcome], grain: Grain) -> Steps[list[Outcome]]:
    """Returns the outcomes that a model is told of, the last one with a trace where `grain` says
    so."""
    failed = [each for each in outcomes if not each.passed]
    if grain in ("binary", "failed"):
        return failed if grain == "failed" else []
    if grain == "all" or not failed:
        return list(outcomes)
    first = failed[0]
    ran: Result = yield Job(code, stdin=first.test.given, trace=TraceLimits(events=_EVENTS))
    try:
        trace = blocks(code, read_trace(ran.trace or ""))
    except InvalidTrace:
        trace = ""
    return [Outcome(first.test, first.printed, first.fault, trace)]


_EVENTS, _BLOCKS = 2_000, 20


def blocks(code: str, trace: Trace, most: int = _BLOCKS) -> str:
    """Returns what the blocks of a program's first `most` steps do: lines that run one after
    another, with the variables that they change.

    A block ends where another line follows than the next one (after LDB, arXiv 2402.16906).
    """
    source = ["", *re.split(r"\r\n|\r|\n", code)]
    shown: list[_Block] = []
    last: dict[int, _Block] = {}
    """Frame -> the block that it was last in."""
    for event in trace.recorded:
        changed = {name: literal(value) for name, value in event.changed.items()}
        block = last.get(event.frame)
        if block is not None:
            block.changed.update(changed)
        if event.kind not in (Kind.CALL, Kind.LINE) or not event.line:
            continue
        if block is not None and block is shown[-1] and event.line == block.lines[-1] + 1:
            block.lines.append(event.line)
        else:
            last[event.frame] = _Block([event.line], {} if block else changed)
            shown.append(last[event.frame])
    text = ""
    for block in shown[:most]:
        text += "".join(f"{source[line]}\n" for line in block.lines)
        text += "".join(f"  # {name} = {value}\n" for name, value in block.changed.items())
    return text + "...\n" * (len(shown) > most)


class _Block(NamedTuple):
    lines: list[int]
    changed: dict[str, str]
    """Variable -> its value after the block, as a literal."""
