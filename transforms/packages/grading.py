"""Patches graded by a package's tests, so that a patch cannot say of itself that it passes.

All tests that failed on the bug and all that passed have to pass, by their ids; one that is absent
has failed. The tests are the package's own, laid over the patched modules, under random names, with
canaries and twins beside them. Values are compared here, outside of the sandbox: those of recorded
calls of the changed function, where they take and give plain data, and those that tests compare, by
a run that lacks what they expect. What is right never enters the process that is judged. What a
suite says is still the claim of code that shares its process, so patches that name ways to the test
framework are refused before they run.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from transforms.engine.ids import content_id
from transforms.packages.disguise import function_of
from transforms.packages.package import modules, tops, unpacked
from transforms.packages.patches import Changes, NotAPatch, apply, changed, read_diff, text_of
from transforms.packages.refused import refused
from transforms.packages.suite import Function, SuiteRun, call_function, compared_values, run_suite
from transforms.sandbox.jobs import Status

if TYPE_CHECKING:
    from transforms.models.episode import Steps


class PatchFault(StrEnum):
    """Why a patch does not solve its task."""

    NOT_A_PATCH = "not_a_patch"
    """It does not apply, or names another file than a module of the package."""
    REFUSED_CODE = "refused_code"
    """It names something that no patch may (`packages.refused`)."""
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    """The suite did not come to its end, and no time limit ended it."""
    FORGED = "forged"
    """A test that has to fail passed, or one that has to pass did not."""
    STILL_FAILS = "still_fails"
    """A test that failed before does not pass."""
    BREAKS_OTHERS = "breaks_others"
    """A test that passed before does not pass."""
    WRONG_VALUES = "wrong_values"
    """The function gives other values than it should, though the tests pass."""


class PatchGrade(NamedTuple):
    """What a patch is worth."""

    score: float
    """1 where it solves the task, else 0."""
    fault: PatchFault | None = None
    """None where it solves the task."""
    detail: str = ""


class Recorded(NamedTuple):
    """A call of a function, and what it has to come to."""

    call: str
    """Literal of (arguments, named arguments)."""
    kind: str
    """gives, yields or raises."""
    value: str
    """Literal of what it gives or yields, or the name of the exception."""


class Wrong(NamedTuple):
    """A call that comes to something else than it has to."""

    wanted: Recorded
    kind: str
    """gives, yields, raises, other (a value that is no plain data) or nothing (no end)."""
    value: str
    """Literal of what it gives, or the name of the exception or of the value's type."""


class Repair(Protocol):
    """What grading needs of a task."""

    @property
    def id(self) -> str: ...
    @property
    def archive(self) -> str: ...
    @property
    def bug(self) -> str: ...
    @property
    def fail_to_pass(self) -> Sequence[str]: ...
    @property
    def pass_to_pass(self) -> Sequence[str]: ...
    @property
    def checks(self) -> str: ...


class StoredRepair(NamedTuple):
    """What grading needs of a task, as a grader's answer has it."""

    id: str
    archive: str
    bug: str
    fail_to_pass: Sequence[str]
    pass_to_pass: Sequence[str]
    checks: str


def broken(task: Repair) -> dict[str, str]:
    """Returns the modules that the task's bug changes, with the bug."""
    return apply(unpacked(task.archive), read_diff(task.bug))


def grade_diff(task: Repair, patch: str) -> Steps[PatchGrade]:
    """Grades a unified diff against the package with the bug."""
    try:
        changes = apply(unpacked(task.archive), read_diff(patch), broken(task))
    except NotAPatch as error:
        return PatchGrade(0.0, PatchFault.NOT_A_PATCH, str(error))
    return (yield from grade_changes(task, changes))


def grade_changes(task: Repair, changes: Changes) -> Steps[PatchGrade]:
    """Grades modules as a whole.

    Args:
        changes: modules of the package, all of those that differ from the published ones.
    """
    run = yield from _judged_run(task, changes)
    if isinstance(run, PatchGrade):
        return run
    if failing := _not_passed(run.tests, task.fail_to_pass):
        return PatchGrade(0.0, PatchFault.STILL_FAILS, failing)
    if failing := _not_passed(run.tests, task.pass_to_pass):
        return PatchGrade(0.0, PatchFault.BREAKS_OTHERS, failing)
    if run.forged or "passed" in run.twins.values():
        return PatchGrade(0.0, PatchFault.FORGED, run.forged or "a twin of a test passed")
    checks = json.loads(task.checks)
    tree = changed(unpacked(task.archive), changes)
    if calls := [Recorded(*each) for each in checks.get("calls", ())]:
        function = checks["path"], checks["name"]
        wrong = yield from wrong_calls(tree, function, calls)
        if wrong:
            detail = f"{len(wrong)} of {len(calls)} calls, such as {wrong[0].wanted.call[:200]}"
            return PatchGrade(0.0, PatchFault.WRONG_VALUES, detail)
    if values := checks.get("values"):
        others = yield from wrong_tests(tree, values)
        if others:
            detail = f"{len(others)} of {len(values)} tests, such as {others[0]}"
            return PatchGrade(0.0, PatchFault.WRONG_VALUES, detail)
    return PatchGrade(1.0)


def grade_share(task: Repair, changes: Changes, whole: bool = False) -> Steps[PatchGrade]:
    """Grades modules that were written anew by the share of the tests that fail without them: those
    that pass on stubs are the floor, and are taken off (NL2Repo-Bench, arXiv 2512.12730, counts
    them, and what is printed).

    Args:
        changes: as of `grade_changes`.
        whole: whether it is the whole package: a module may name what is refused elsewhere where
            another did that it takes the place of.
    """
    run = yield from _judged_run(task, changes, whole)
    if isinstance(run, PatchGrade):
        return run
    if run.forged or "passed" in run.twins.values():
        return PatchGrade(0.0, PatchFault.FORGED, run.forged or "a twin of a test passed")
    both = (*task.fail_to_pass, *task.pass_to_pass)
    passed = sum(run.tests.get(test) == "passed" for test in both) - len(task.pass_to_pass)
    share = max(0, passed) / len(task.fail_to_pass)
    detail = f"{passed} of {len(task.fail_to_pass)}"
    return PatchGrade(share, None if share == 1 else PatchFault.STILL_FAILS, detail)


def _judged_run(
    task: Repair, changes: Changes, whole: bool = False
) -> Steps[SuiteRun | PatchGrade]:
    """Runs the package's tests on changed modules; a grade where they do not come to an end."""
    files = unpacked(task.archive)
    pairs = [(path, text_of(files, path), text) for path, text in changes.items()]
    if whole:
        before = "\n".join(text_of(files, path) for path in modules(files))
        pairs = [("the package", before, "\n".join(changes.values()))]
    for path, old, new in pairs:
        if named := refused(old, new, tops(files)):
            return PatchGrade(0.0, PatchFault.REFUSED_CODE, f"{path}: {named}")
    tree = changed(files, changes)
    key = content_id("suite", task.id, *sorted(changes.items()))
    twinned = {function_of(test) for test in task.fail_to_pass}
    run = yield from run_suite(tree, key, twinned=twinned)
    if run.status is not Status.OK:
        timed_out = run.status is Status.TIMEOUT
        fault = PatchFault.TIMED_OUT if timed_out else PatchFault.CRASHED
        return PatchGrade(0.0, fault, run.detail)
    return run


def _not_passed(tests: Mapping[str, str], wanted: Sequence[str]) -> str:
    """Says which of the tests did not pass; empty where all did."""
    failing = [test for test in wanted if tests.get(test) != "passed"]
    return f"{len(failing)} of {len(wanted)}, such as {failing[0]}" if failing else ""


def wrong_calls(
    files: Mapping[str, bytes],
    function: Function,
    calls: Sequence[Recorded],
    cpu_seconds: float | None = None,
) -> Steps[list[Wrong]]:
    """Calls a function of a tree, and returns the calls that come to something else than recorded.

    What they have to come to stays outside of the sandbox.
    """
    seen = yield from call_function(files, function, [each.call for each in calls], cpu_seconds)
    came = [("nothing", "")] * len(calls) if seen is None else seen
    pairs = zip(calls, came, strict=True)
    return [Wrong(each, *gave) for each, gave in pairs if not _same(each, gave)]


def wrong_tests(
    files: Mapping[str, bytes], values: Mapping[str, Sequence[str]]
) -> Steps[list[str]]:
    """Runs tests without what they expect, and returns those that come to other values.

    Args:
        values: as `suite.compared_values` returns them, of the published package.
    """
    tests = [function_of(test) for test in values]
    seen = yield from compared_values(files, tests)
    return [test for test in values if not all_same(seen.get(test, ()), values[test])]


def all_same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two lists of literals stand for equal values."""
    return len(one) == len(other) and all(map(_same_literals, one, other))


def _same(wanted: Recorded, came: tuple[str, str]) -> bool:
    kind, value = came
    if kind != wanted.kind or kind == "raises":
        return (kind, value) == (wanted.kind, wanted.value)
    return _same_literals(value, wanted.value)


def _same_literals(one: str, other: str) -> bool:
    try:
        return one == other or _equal(ast.literal_eval(one), ast.literal_eval(other))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return False


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)
