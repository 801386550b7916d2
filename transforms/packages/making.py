"""Making a task: a package is broken, and its own tests say whether that is a task."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Call, Seed, derived
from transforms.models.episode import Steps, side_by_side
from transforms.packages.bugs import Site
from transforms.packages.disguise import function_of
from transforms.packages.grading import Recorded, Wrong, all_same, wrong_calls
from transforms.packages.package import Files, unpacked
from transforms.packages.patches import changed, diff, text_of
from transforms.packages.suite import Function, SuiteRun, call_function, compared_values, run_suite
from transforms.packages.tasks import RepairTask
from transforms.sandbox.jobs import Status
from transforms.stages.trajectories.dialogues import stable

_SHOWN, _CHECKED, _TESTS = 3, 40, 40
"""Calls that an issue may tell of, and calls and tests whose values are compared."""
_UNSTABLE = re.compile(r"x[0-9a-f]{8,}|\btests?\.")
"""What a message has that shows the rest of an address, or a module of tests."""
_LIMIT, _LEAST_SECONDS = 5, 1.0
"""A suite with a bug has so many times the CPU time of one without, and no less than that."""

UNSOUND = ("not_a_package", "suite_failed")
"""Why nothing is made of a seed."""
REASONS = ("survived", "nothing_passes", "timed_out")
"""Why a bug is no task."""
Made = tuple[RepairTask, Verdict]


@dataclass(frozen=True)
class Sound:
    """A package without bugs, and what its functions give."""

    seed: Seed
    facts: Mapping[str, Any]
    """Of the seed: name, version, digest, modules and more."""
    files: Files
    passing: frozenset[str]
    recorded: Mapping[Function, Sequence[Recorded]]
    """Public functions of modules -> calls of them with plain data, by tests and changed ones."""
    cpu_seconds: float
    """Limit of a run of the suite with a bug."""


def facts_of(seed: Seed) -> dict[str, Any] | None:
    """The facts of a package, as `source=package` reads it; None of another seed."""
    facts: dict[str, Any] = json.loads(seed.metadata)
    return facts if "archive" in facts else None


def sound(seed: Seed, functions: Iterable[Function]) -> Steps[Sound | Verdict]:
    """Runs a package's tests without a bug, and notes what functions give that are to be changed;
    methods and names with an underscore are left out. A verdict says why nothing is made of it."""
    if (facts := facts_of(seed)) is None:
        return reject("not_a_package", "set source=package")
    public = sorted({each for each in functions if "." not in each[1] and each[1][0] != "_"})
    files = unpacked(facts["archive"])
    run = yield from run_suite(files, seed.id, noted=public)
    if run.status is not Status.OK:
        return reject("suite_failed", f"{run.status}: {run.detail}")
    given = [[*calls, *_varied(calls)] for calls in run.noted]
    gave = yield from side_by_side(
        call_function(files, function, calls) for function, calls in zip(public, given, strict=True)
    )
    recorded = {
        function: [
            Recorded(call, *came)
            for number, (call, came) in enumerate(zip(calls, values, strict=True))
            if came[0] in ("gives", "yields") or (came[0] == "raises" and number < len(noted))
        ]
        for function, noted, calls, values in zip(public, run.noted, given, gave, strict=True)
        if values is not None
    }
    limit = max(_LEAST_SECONDS, _LIMIT * run.cpu_seconds)
    return Sound(seed, facts, files, frozenset(facts["passing"]), recorded, limit)


def _varied(calls: Iterable[str], most: int = 20) -> list[str]:
    """Returns calls with one number raised by 1 each, which no test makes: a patch that knows the
    tests' own calls by heart does not know these."""
    made: dict[str, None] = {}
    own = set(calls)
    for call in calls:
        tree = ast.parse(call, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and type(node.value) is int:
                node.value += 1
                made[ast.unparse(tree)] = None
                node.value -= 1
                break
    return [call for call in made if call not in own][:most]


class Bug(NamedTuple):
    """A change of a package."""

    operator: str
    functions: tuple[Function, ...]
    """The functions that are changed."""
    after: Mapping[str, str]
    """Module -> its text with the bug."""


def bug_of(files: Files, sites: Sequence[Site]) -> Bug:
    """Returns the bug of places that are changed together."""
    after = {site.path: text_of(files, site.path) for site in sites}
    for site in sorted(sites, key=lambda site: -site.start):
        after[site.path] = site.applied(after[site.path])
    operator = "+".join(site.operator for site in sites)
    return Bug(operator, tuple((site.path, site.function) for site in sites), after)


def made(
    package: Sound,
    change: Bug,
    calls: Iterable[Call] = (),
    floor: bool = True,
    compares: bool = True,
) -> Steps[Made]:
    """Makes a bug in a package, and runs its tests.

    Args:
        calls: what models wrote for the bug.
        floor: whether a test has to pass with it.
        compares: whether values are noted that are compared outside of the sandbox.
    """
    seed, files, after, facts = package.seed, package.files, change.after, package.facts
    before = {path: text_of(files, path) for path in after}
    bug = diff(files, before, after)
    task = RepairTask(
        problem="",
        answer=None,
        code=None,
        solution=None,
        kind="repair",
        metadata=json.dumps(
            {name: facts[name] for name in sorted(facts) if name not in ("archive", "passing")}
        ),
        package=facts["name"],
        version=facts["version"],
        digest=facts["digest"],
        operator=change.operator,
        function=",".join(f"{path}:{name}" for path, name in change.functions),
        bug=bug,
        patch=diff(files, after, before),
        archive=facts["archive"],
        **derived(seed, "repair", bug, calls=calls),
    )
    tree = changed(files, after)
    run = yield from run_suite(tree, task.id, cpu_seconds=package.cpu_seconds)
    failing, passing, verdict = judged(package.passing, run, floor)
    if not verdict.kept:
        return task, verdict
    checks: dict[str, Any] = {}
    wrong: list[Wrong] = []
    for function in change.functions:
        known = package.recorded.get(function, ())
        if known and not wrong:
            wrong = yield from wrong_calls(tree, function, known, package.cpu_seconds)
            if wrong:
                first = [each.wanted for each in wrong]
                chosen = [*first, *(each for each in known if each not in first)][:_CHECKED]
                checks = {"path": function[0], "name": function[1], "calls": chosen}
    values = (yield from _values(package, tree, failing)) if compares else {}
    if values:
        checks["values"] = values
    told = sorted(wrong, key=lambda each: len(each.wanted.call) + len(each.value))[:_SHOWN]
    evidence = {
        "shown": [[w.wanted.call, w.kind, w.value, *w.wanted[1:]] for w in told],
        "messages": _lasting(run.messages.get(test, "") for test in failing)[:_SHOWN],
    }
    return replace(
        task,
        fail_to_pass=tuple(sorted(failing)),
        pass_to_pass=tuple(sorted(passing)),
        checks=json.dumps(checks),
        evidence=json.dumps(evidence),
        compared=len(checks.get("calls", ())) + sum(map(len, map(_written, values.values()))),
    ), verdict


def _lasting(messages: Iterable[str]) -> list[str]:
    """Returns messages of failures that another run gives, too, the shortest first.

    >>> _lasting(["f at 0x7f3a5c0b1d90", "<a.tests.b....x7f3a5c0b1d90>", "", "1 == 2"])
    ['1 == 2', 'f at 0x...']
    """
    said = {text for text in map(stable, messages) if text and not _UNSTABLE.search(text)}
    return sorted(said, key=lambda text: (len(text), text))


def _values(package: Sound, tree: Files, failing: Iterable[str]) -> Steps[dict[str, Sequence[str]]]:
    """Returns the values that failing tests compare: of those that come to the same values under
    another order of hashes, and to others with the bug."""
    tests, seconds = sorted(set(map(function_of, failing)))[:_TESTS], package.cpu_seconds
    first, again, bad = yield from side_by_side(
        (
            compared_values(package.files, tests, seconds),
            compared_values(package.files, tests, seconds, seed=1),
            compared_values(tree, tests, seconds),
        )
    )
    return {
        test: values
        for test, values in sorted(first.items())
        if _written(values)
        and all_same(values, again.get(test, ()))
        and not all_same(values, bad.get(test, ()))
    }


def _written(values: Sequence[str]) -> list[str]:
    """The values that could be written."""
    return [each for each in values if each]


def judged(
    sound: frozenset[str], run: SuiteRun, floor: bool = True
) -> tuple[frozenset[str], frozenset[str], Verdict]:
    """Returns the tests that fail by a bug, those that still pass, and whether it is a task.

    A test that is absent fails where its file could not be imported; elsewhere its id is not
    stable, and it counts for nothing.

    Args:
        floor: whether a test has to pass with the bug.
    """
    nothing: frozenset[str] = frozenset()
    if run.status is Status.TIMEOUT:
        return nothing, nothing, reject("timed_out", run.detail)
    if run.status is not Status.OK:
        return nothing, nothing, reject("nothing_passes", f"{run.status}: {run.detail}")
    passing = sound & run.passing
    failing = frozenset(test for test in sound - passing if test in run.tests or run.errors)
    if not failing:
        return failing, passing, reject("survived", "no test fails")
    if floor and not passing:
        return failing, passing, reject("nothing_passes", f"{len(failing)} tests fail")
    return failing, passing, keep()
