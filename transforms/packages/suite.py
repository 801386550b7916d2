"""Suites: a package's tests, run in the sandbox in a fork that has pytest loaded."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from transforms.packages.disguise import (
    FAILS,
    PASSES,
    Disguised,
    disguised,
    functions_of,
    undisguised,
    unnamed,
)
from transforms.packages.expected import stripped
from transforms.packages.package import Files, dotted, is_suite, roots, suites, tops
from transforms.packages.patches import text_of
from transforms.sandbox.jobs import Job, Result, Status

if TYPE_CHECKING:
    from transforms.models.episode import Steps

TEST_COMMAND = "python -m pytest -o addopts= -p no:cacheprovider"
"""What a person types to run the same tests."""

BASELINES = 3

Function = tuple[str, str]
"""A function of a module: (path of the module, its name)."""


class SuiteRun(NamedTuple):
    """What became of a package's tests: the claim of code that shares their process, but for its
    status and times."""

    status: Status
    """How the process ended; the rest is empty unless it is OK."""
    tests: Mapping[str, str]
    """Test id -> passed, failed or skipped. A test that did not run is absent."""
    twins: Mapping[str, str]
    """Id of a test -> the outcome of its twin, which has to fail."""
    messages: Mapping[str, str]
    """Id of a failed test -> the first line of why; of 40 tests at most."""
    errors: tuple[str, ...]
    """What was said where a file of tests could not be imported."""
    forged: str
    """The canary that came to another end than it has to; empty where none did."""
    noted: tuple[tuple[str, ...], ...]
    """For each function that was to be noted, literals of (arguments, named arguments)."""
    cpu_seconds: float
    detail: str = ""
    """How it ended, where its status is not OK."""

    @property
    def passing(self) -> frozenset[str]:
        return frozenset(test for test, outcome in self.tests.items() if outcome == "passed")


@cache
def _script() -> str:
    return Path(__file__).with_name("in_sandbox.py").read_text()


def _job(files: Files, seed: int, cpu_seconds: float | None, **plan: Any) -> Job:
    """Returns the job of a plan of the script: tests and noted, or function and calls."""
    whole = {"roots": roots(files), "calls": None, "noted": [], **plan}
    inside = {**files, "plan.json": json.dumps(whole).encode()}
    return Job(_script(), seed=seed, files=inside, cpu_seconds=cpu_seconds)


def _name(function: Function) -> list[str]:
    return [dotted(function[0]), function[1]]


def run_suite(
    files: Files,
    key: str,
    *,
    cpu_seconds: float | None = None,
    seed: int = 0,
    twinned: Collection[tuple[str, str]] = (),
    noted: Sequence[Function] = (),
) -> Steps[SuiteRun]:
    """Runs all tests of a tree, under random names.

    Args:
        key: decides the names (`disguised`).
        cpu_seconds: CPU time at most; None is the sandbox's.
        seed: odd ones run under another hash seed and clock than even ones.
        twinned: tests that are given twins: (file, name of the function).
        noted: functions of modules whose calls with plain data are noted, 60 at most of each.
    """
    made = disguised(files, key, twinned)
    names = [_name(function) for function in noted]
    [result] = yield [_job(made.files, seed, cpu_seconds, tests=suites(files), noted=names)]
    return _read(result, made)


def _read(result: Result, made: Disguised) -> SuiteRun:
    claim = _claim(result)
    if claim is None:
        detail = (result.error or result.status)[:200]
        status = Status.CRASHED if result.status is Status.OK else result.status
        nothing: Mapping[str, str] = {}
        return SuiteRun(status, nothing, nothing, nothing, (), "", (), result.cpu_seconds, detail)
    found = undisguised(claim["outcomes"], made)
    forged = ""
    for path in {path for path, _ in found.canaries}:
        for canary in (*FAILS, *PASSES):
            wanted = "failed" if canary in FAILS else "passed"
            if found.canaries.get((path, canary)) != wanted:
                forged = f"{path}: a test that has to be {wanted} was not"
    return SuiteRun(
        Status.OK,
        found.tests,
        found.twins,
        {test: unnamed(text) for test, text in undisguised(claim["messages"], made).tests.items()},
        tuple(claim["errors"]),
        forged,
        tuple(map(tuple, claim["noted"])),
        result.cpu_seconds,
    )


def _claim(result: Result) -> dict[str, Any] | None:
    """What the script saw, where it is of the form that the script gives it."""
    if result.status is not Status.OK or result.output is None:
        return None
    claim = json.loads(result.output)
    forms = {"outcomes": dict, "messages": dict, "errors": list, "noted": list, "values": dict}
    if not isinstance(claim, dict) or any(
        not isinstance(claim.get(name), form) for name, form in forms.items()
    ):
        return None
    texts = [*claim["outcomes"].items(), *claim["messages"].items()]
    texts += [(each, each) for each in claim["errors"]]
    for calls in (*claim["noted"], *claim["values"].values()):
        if not isinstance(calls, list):
            return None
        texts += [(each, each) for each in calls]
    return claim if all(isinstance(each, str) for pair in texts for each in pair) else None


def call_function(
    files: Files, function: Function, calls: Sequence[str], cpu_seconds: float | None = None
) -> Steps[list[tuple[str, str]] | None]:
    """Calls a function of a tree: for each call (gives or yields, literal), (other, type) or
    (raises, name of the exception); None where they did not come to their end.

    Args:
        calls: literals of (arguments, named arguments).
    """
    [result] = yield [_job(files, 0, cpu_seconds, function=_name(function), calls=calls)]
    if result.status is not Status.OK or result.output is None:
        return None
    claim = json.loads(result.output)
    if not isinstance(claim, list) or len(claim) != len(calls):
        return None
    found = [tuple(each) for each in claim if isinstance(each, list) and len(each) == 2]
    return found if len(found) == len(calls) else None


def compared_values(
    files: Files,
    tests: Collection[tuple[str, str]],
    cpu_seconds: float | None = None,
    seed: int = 0,
) -> Steps[dict[str, list[str]]]:
    """Runs tests of a tree without what they expect (`packages.expected`).

    Args:
        tests: (file, name of the function).
        cpu_seconds, seed: as of `run_suite`.

    Returns:
        path::name of a test -> literals of the values that it compares, in order, up to where it
        fails; an empty one where a value cannot be written. Empty where the run does not end well.
    """
    names: dict[str, set[str]] = {}
    for path, name in tests:
        names.setdefault(path, set()).add(name)
    texts = {
        path: stripped(path, text_of(files, path), each, tops(files))
        for path, each in names.items()
    }
    kept = {path: text.encode(errors="surrogateescape") for path, text in texts.items() if text}
    if not kept:
        return {}
    tree = {path: data for path, data in files.items() if not is_suite(path)} | kept
    [result] = yield [_job(tree, seed, cpu_seconds, tests=sorted(kept))]
    claim = _claim(result)
    return claim["values"] if claim else {}


class Baseline(NamedTuple):
    """What a package's tests do before anything is changed."""

    passing: tuple[str, ...]
    """Ids of the tests that pass in all of `BASELINES` runs, and whose twins fail."""
    cpu_seconds: float
    """CPU time of the longest run."""
    fault: str = ""
    """Why there is none; empty where there is one."""


def baseline(files: Files, key: str) -> Steps[Baseline]:
    """Runs a package's tests three times, each under other names and in another order of hashes
    than the one before.

    A test whose id is not in all runs, or that passes with a false assertion before it (its twin),
    is none that says anything of a patch.
    """
    runs: list[SuiteRun] = []
    every = functions_of(files)
    for number in range(BASELINES):
        twinned = every if number == 0 else ()
        run = yield from run_suite(files, f"{key} {number}", seed=number, twinned=twinned)
        if run.status is not Status.OK:
            return Baseline((), run.cpu_seconds, f"{run.status}: {run.detail}")
        if run.forged:
            return Baseline((), run.cpu_seconds, run.forged)
        runs.append(run)
    idle = {test for test, outcome in runs[0].twins.items() if outcome != "failed"}
    passing = frozenset.intersection(*(run.passing for run in runs)) - idle
    errors = runs[0].errors
    fault = "" if passing else f"no test passes in all runs; {errors[0] if errors else ''}"
    longest = max(run.cpu_seconds for run in runs[1:])
    return Baseline(tuple(sorted(passing)), longest, fault)
