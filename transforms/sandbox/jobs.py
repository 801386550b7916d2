"""What the sandbox is asked to run, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import PurePosixPath


class Status(StrEnum):
    """How a program ended: a closed set."""

    OK = "ok"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    RUNTIME_ERROR = "runtime_error"
    SYNTAX_ERROR = "syntax_error"
    BLOCKED = "blocked"
    """It was refused something: a file, process or descriptor limit, or an isolation layer."""
    CRASHED = "crashed"
    """Its process ended without a result: a signal, `os._exit`, a fault in native code."""
    NONDETERMINISTIC = "nondeterministic"
    """Two runs under different seeds gave different outputs; never said of a single run."""


@dataclass(frozen=True)
class TraceLimits:
    """Budgets of a trace; the program runs on untraced once one is spent, and the trace is cut."""

    events: int = 10_000
    """Events recorded, at most."""
    bytes: int = 1 << 20
    """Size of all events with their values, at most."""


@dataclass(frozen=True)
class Vary:
    """Run a program under other inputs after its own, to see which of its keys move its output."""

    inputs: tuple[tuple[str, str], ...]
    """(key that differs, the whole input as a Python literal); once a key has moved the output, its
    other inputs are left out."""
    cpu_seconds: float
    """CPU time of one input; all of them together have the sandbox's limit once more."""
    comparisons: bool = False
    """A key also counts as moving the output where it changes a value that the program compares."""


@dataclass(frozen=True)
class Job:
    """One program to run."""

    code: str
    seed: int = 0
    """Seeds `random` and the global generators of numpy and sympy; odd ones run under another hash
    seed and another clock than even ones."""
    trace: TraceLimits | None = None
    """Record what its lines do (see docs/facts.md); None runs it untraced."""
    vary: Vary | None = None
    """Where it ends well, run it under other inputs too: its result, that of the run under its own
    input, then says which keys moved the output. What it prints under the others is dropped."""
    stdin: str = ""
    """What it reads from standard input."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files in its working folder, by relative path; with stdin at most sandbox.file_mb in all."""
    wanted: tuple[str, ...] = ()
    """Patterns of the files to return, such as `out/*.csv`; at most sandbox.file_mb in all.

    A `*` also matches across folders. Links are never followed."""
    cpu_seconds: float | None = None
    """CPU time of a run that is expected to be short; None, or more than sandbox.cpu_seconds, is
    sandbox.cpu_seconds. A job with `vary` has limits of its own."""

    def __post_init__(self) -> None:
        _check_names(self.files)


def _check_names(files: Iterable[str]) -> None:
    for name in files:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
            raise ValueError(f"a job's file is named {name!r}: use a path below its folder")


@dataclass(frozen=True)
class Check:
    """A program to run, and a checker to run on what it left, each in a process of its own.

    The checker starts after every process of the program has ended, in an empty folder, so nothing
    of the program reaches it but data: `candidate.json` {status, input, output, stdout} (input and
    output as values, None where there are none), and the program's wanted files below `candidate/`.
    """

    candidate: Job
    checker: Job


@dataclass(frozen=True)
class Result:
    """What became of one job."""

    status: Status
    input: str | None
    """The global `input` after the run, as strict JSON; None where undefined or not JSON."""
    output: str | None
    """The global `output` after the run, as strict JSON; None where undefined or not JSON."""
    stdout: str
    error_type: str | None
    """Class of the uncaught exception, or NotJSON where status is ok and a value is not JSON."""
    error: str | None
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    """Peak resident memory, MiB, the preloaded modules' included."""
    trace: str | None = None
    """What the program claims to have done, as JSON; `facts.read_trace` reads and checks it."""
    moved: frozenset[str] = frozenset()
    """The keys that moved the output of a job with `vary`: the program's claim, as all of this."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The files that were wanted."""


@dataclass(frozen=True)
class Checked:
    """What became of a check."""

    candidate: Result
    checker: Result | None
    """Its `output` is the judgement; None where the candidate's status is not ok."""


@dataclass(frozen=True)
class Cell:
    """A piece of code to run in a session, which keeps its variables and files between cells."""

    code: str
    after: tuple[str, ...] = ()
    """The cells that led to the state in which this one runs; empty begins a session.

    They name the state: where it is kept no longer, they are run again. Cells that left no state
    are not among them (`CellResult.after` leaves them out)."""
    seed: int = 0
    """Seed of the session's generators; see `Job.seed`."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files in the session's folder before its first cell, by relative path; in all at most
    sandbox.file_mb. Every cell of a session has the same: they are part of its states."""
    wanted: tuple[str, ...] = ()
    """Patterns of the files to return once the cell has run, as of a job."""

    def __post_init__(self) -> None:
        _check_names(self.files)

    @property
    def origin(self) -> str:
        """What the session begins with beside its code: its seed, and the hashes of its files."""
        hashes = {name: sha256(data).hexdigest() for name, data in sorted(self.files.items())}
        return f"{self.seed}{json.dumps(hashes) if hashes else ''}"


@dataclass(frozen=True)
class CellResult:
    """What became of one cell. All but times and limits is the cell's own claim."""

    status: Status
    value: str | None
    """The repr of the last expression; None where the last statement is none, or gave None."""
    stdout: str
    error_type: str | None
    """Class of the uncaught exception."""
    error: str | None
    """The end of the traceback, or which limit ended the cell."""
    after: tuple[str, ...]
    """The cells that lead to the state to go on from.

    A cell that raised an exception leaves a state, as in a notebook. One that passed a limit,
    crashed or was not parsed leaves none: then this is the state that it began with."""
    wall_seconds: float
    cpu_seconds: float
    replayed: int = 0
    """Earlier cells that were run again because their state was not kept."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """The files that were wanted; none where the cell left no state."""
