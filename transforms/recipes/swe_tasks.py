"""swe_tasks: bugs in packages, checked by their own tests, and issues about them.

After SWE-smith (arXiv 2504.21798) in the form of SWE-bench (arXiv 2310.06770).
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Seed
from transforms.engine.stage import Map
from transforms.models.episode import Episode, Steps, side_by_side
from transforms.packages.bugs import Operator, Site, drawn, sites
from transforms.packages.grading import Recorded, Wrong, wrong_calls
from transforms.packages.package import Files, dotted, unpacked
from transforms.packages.patches import changed, diff, text_of
from transforms.packages.suite import Function, SuiteRun, call_function, run_suite
from transforms.packages.tasks import RepairTask, leak
from transforms.sandbox.jobs import Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.trajectories.dialogues import stable

_BATCH = 16
"""Bugs of one package that are tried together: they share the runs of the package without bugs."""
_SHOWN, _CHECKED = 3, 40
"""Calls that an issue may tell of, and that are compared."""
_LIMIT, _LEAST_SECONDS = 5, 1.0
"""A suite with a bug has so many times the CPU time of one without, and no less than that."""

Bugs = tuple[Site, ...]
"""Places of one package that are changed together."""
Batch = tuple[Seed, tuple[Site, ...]]
Made = tuple[RepairTask, Verdict]


@dataclass(kw_only=True)
class MakeBugs(Episode):
    """PCollection[Seed] (of source=package) -> Outcome of RepairTask: functions changed in one
    place each, where a test fails by it and another still passes.

    Each bug is tried on its own; then those of a batch that were kept are joined in pairs.
    """

    name: str = "bugs"
    sandbox: SandboxSettings
    operators: tuple[Operator, ...] = tuple(Operator)
    """What is done to functions."""
    per_function: Annotated[int, Field(ge=1)] = 2
    """Bugs of one function, at most, each by another operator."""
    most: Annotated[int, Field(ge=1)] = 1000
    """Bugs of one package that are tried, at most."""
    combined: bool = True
    """Whether pairs of bugs in different functions are tasks, too."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = RepairTask
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        "not_a_package", "no_site", "suite_failed", "survived", "nothing_passes", "timed_out",
    )  # fmt: skip

    def opened(self, records: PCollection) -> PCollection:
        return records | "Batches" >> beam.FlatMap(self.batches) | "Spread" >> beam.Reshuffle()

    def batches(self, seed: Seed) -> Iterator[Batch]:
        """Yields a package with some of the places where bugs are made, or with none at all."""
        facts = json.loads(seed.metadata)
        if "archive" not in facts:
            yield seed, ()
            return
        files = unpacked(facts["archive"])
        found = [
            site
            for path in facts["modules"]
            for site in sites(path, text_of(files, path), self.operators)
        ]
        kept = drawn(found, facts["digest"], self.per_function)[: self.most]
        for start in range(0, max(1, len(kept)), _BATCH):
            yield seed, tuple(kept[start : start + _BATCH])

    def episode(self, batch: Batch) -> Steps[list[tuple[Seed, Verdict]]]:
        seed, found = batch
        facts = json.loads(seed.metadata)
        if "archive" not in facts:
            return [(seed, reject("not_a_package", "set source=package"))]
        if not found:
            return [(seed, reject("no_site", "no function can be changed"))]
        package = yield from _sound(seed, unpacked(facts["archive"]), found)
        if isinstance(package, Verdict):
            return [(seed, package)]
        singles = yield from side_by_side(made(package, (site,)) for site in found)
        pairs: list[Bugs] = []
        if self.combined:
            good = [site for site, (_, v) in zip(found, singles, strict=True) if v.kept]
            halves = zip(good[::2], good[1::2], strict=False)
            pairs = [(a, b) for a, b in halves if (a.path, a.function) != (b.path, b.function)]
        joined = yield from side_by_side(made(package, pair) for pair in pairs)
        return [*singles, *joined]


@dataclass(frozen=True)
class Sound:
    """A package without bugs, and what its functions give."""

    seed: Seed
    files: Files
    passing: frozenset[str]
    recorded: Mapping[Function, Sequence[Recorded]]
    """Public functions of modules -> calls of them with plain data, by tests and changed ones."""
    cpu_seconds: float
    """Limit of a run of the suite with a bug."""


def _sound(seed: Seed, files: Files, found: Iterable[Site]) -> Steps[Sound | Verdict]:
    """Runs a package's tests without a bug, and notes what the functions to be changed give."""
    own = {(site.path, site.function) for site in found}
    public = sorted(each for each in own if "." not in each[1] and not each[1].startswith("_"))
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
            if came[0] == "gives" or (came[0] == "raises" and number < len(noted))
        ]
        for function, noted, calls, values in zip(public, run.noted, given, gave, strict=True)
        if values is not None
    }
    passing = frozenset(json.loads(seed.metadata)["passing"])
    limit = max(_LEAST_SECONDS, _LIMIT * run.cpu_seconds)
    return Sound(seed, files, passing, recorded, limit)


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


def made(package: Sound, bugs: Bugs) -> Steps[Made]:
    """Makes bugs in a package, and runs its tests."""
    seed, files = package.seed, package.files
    before = {site.path: text_of(files, site.path) for site in bugs}
    after = dict(before)
    for site in sorted(bugs, key=lambda site: -site.start):
        after[site.path] = site.applied(after[site.path])
    facts = json.loads(seed.metadata)
    bug = diff(files, before, after)
    task = RepairTask(
        id=content_id("repair", seed.id, bug),
        problem="",
        answer=None,
        code=None,
        solution=None,
        kind="repair",
        source=seed.source,
        license=seed.license,
        metadata=json.dumps(
            {name: facts[name] for name in sorted(facts) if name not in ("archive", "passing")}
        ),
        package=facts["name"],
        version=facts["version"],
        digest=facts["digest"],
        operator="+".join(site.operator for site in bugs),
        function=",".join(f"{site.path}:{site.function}" for site in bugs),
        bug=bug,
        patch=diff(files, after, before),
        archive=facts["archive"],
        seed_ids=(seed.id,),
    )
    tree = changed(files, after)
    run = yield from run_suite(tree, task.id, cpu_seconds=package.cpu_seconds)
    failing, passing, verdict = judged(package.passing, run)
    if not verdict.kept:
        return task, verdict
    checks: dict[str, Any] = {}
    wrong: list[Wrong] = []
    for site in bugs:
        function = site.path, site.function
        calls = package.recorded.get(function, ())
        if calls and not wrong:
            wrong = yield from wrong_calls(tree, function, calls, package.cpu_seconds)
            if wrong:
                first = [each.wanted for each in wrong]
                chosen = [*first, *(each for each in calls if each not in first)][:_CHECKED]
                checks = {"path": site.path, "name": site.function, "calls": chosen}
    told = sorted(wrong, key=lambda each: len(each.wanted.call) + len(each.value))[:_SHOWN]
    said = {stable(run.messages[test]) for test in failing if run.messages.get(test)}
    messages = sorted(said, key=lambda text: (len(text), text))
    evidence = {
        "shown": [[w.wanted.call, w.kind, w.value, *w.wanted[1:]] for w in told],
        "messages": messages[:_SHOWN],
    }
    return replace(
        task,
        fail_to_pass=tuple(sorted(failing)),
        pass_to_pass=tuple(sorted(passing)),
        checks=json.dumps(checks),
        evidence=json.dumps(evidence),
    ), verdict


def judged(sound: frozenset[str], run: SuiteRun) -> tuple[frozenset[str], frozenset[str], Verdict]:
    """Returns the tests that fail by a bug, those that still pass, and whether it is a task.

    A test that is absent fails where its file could not be imported; elsewhere its id is not
    stable, and it counts for nothing.
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
    if not passing:
        return failing, passing, reject("nothing_passes", f"{len(failing)} tests fail")
    return failing, passing, keep()


@dataclass(kw_only=True)
class WriteIssue(Map):
    """PCollection[RepairTask] -> Outcome of the same: with an issue that tells what goes wrong, by
    a template; without one that would show the fix or a hidden test's name."""

    name: str = "issue"

    reads: ClassVar[type] = RepairTask
    writes: ClassVar[type] = RepairTask
    reasons: ClassVar[Iterable[str]] = ("leaks",)

    def of(self, task: RepairTask) -> RepairTask | Verdict:
        return with_issue(task, issue_text(task))


def with_issue(task: RepairTask, text: str) -> RepairTask | Verdict:
    """Returns a task with its issue, or why it cannot have it."""
    if found := leak(text, task.patch, task.fail_to_pass):
        return reject("leaks", found)
    return replace(task, problem=text)


def issue_text(task: RepairTask) -> str:
    """Returns what a user would report: calls that go wrong, or why something fails."""
    evidence, checks = json.loads(task.evidence), json.loads(task.checks)
    names = [each.partition(":")[2] for each in task.function.split(",")]
    head = f"{task.package} {task.version}: "
    if not evidence["shown"]:
        text = f"{head}{' and '.join(f'`{name}`' for name in names)} do not work as documented.\n"
        text = text.replace(" do not", " does not") if len(names) == 1 else text
        said = "\n".join(f"    {line}" for m in evidence["messages"] for line in m.splitlines())
        return f"{text}\nWhat I checked ended with:\n\n{said}\n" if said else text
    module, name = dotted(checks["path"]), checks["name"]
    text = f"{head}`{name}` gives wrong results.\n\n>>> from {module} import {name}\n"
    for call, kind, value, wanted_kind, wanted in evidence["shown"]:
        text += f">>> {name}({_written(call)})\n{_ending(kind, value)}\n"
        text += f"# expected: {_ending(wanted_kind, wanted)}\n"
    if len(names) > 1:
        other = next(each for each in names if each != name)
        text += f"\n`{other}` does not work as documented either.\n"
    return text


def _written(call: str) -> str:
    arguments, named = ast.literal_eval(call)
    return ", ".join([*map(repr, arguments), *(f"{key}={named[key]!r}" for key in named)])


def _ending(kind: str, value: str) -> str:
    return {
        "gives": value,
        "raises": f"raises {value}",
        "other": f"gives a {value}",
        "nothing": "does not come to an end",
    }[kind]
