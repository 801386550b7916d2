"""swe_tasks: bugs in packages, checked by their own tests, and issues about them.

After SWE-smith (arXiv 2504.21798) in the form of SWE-bench (arXiv 2310.06770).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.engine.stage import Map
from transforms.models.episode import Episode, Steps, side_by_side
from transforms.packages.bugs import Operator, Site, drawn, sites
from transforms.packages.making import REASONS, UNSOUND, bug_of, facts_of, made, sound
from transforms.packages.package import dotted, unpacked
from transforms.packages.patches import text_of
from transforms.packages.tasks import RepairTask, leak, names_of_tests
from transforms.sandbox.settings import SandboxSettings

_BATCH = 16
"""Bugs of one package that are tried together: they share the runs of the package without bugs."""
Batch = tuple[Seed, tuple[Site, ...]]


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
    by_record: ClassVar[bool] = True
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *UNSOUND, *REASONS, "no_site",
    )  # fmt: skip

    def opened(self, records: PCollection) -> PCollection:
        return records | "Batches" >> beam.FlatMap(self.batches) | "Spread" >> beam.Reshuffle()

    def batches(self, seed: Seed) -> Iterator[Batch]:
        """Yields a package with some of the places where bugs are made, or with none at all."""
        if (facts := facts_of(seed)) is None:
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
        package = yield from sound(seed, ((site.path, site.function) for site in found))
        if isinstance(package, Verdict):
            return [(seed, package)]
        if not found:
            return [(seed, reject("no_site", "no function can be changed"))]
        files = package.files
        singles = yield from side_by_side(made(package, bug_of(files, [site])) for site in found)
        pairs: list[tuple[Site, Site]] = []
        if self.combined:
            good = [site for site, (_, v) in zip(found, singles, strict=True) if v.kept]
            halves = zip(good[::2], good[1::2], strict=False)
            pairs = [(a, b) for a, b in halves if (a.path, a.function) != (b.path, b.function)]
        joined = yield from side_by_side(made(package, bug_of(files, pair)) for pair in pairs)
        return [*singles, *joined]


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
    if found := leak(text, task.patch, task.fail_to_pass, names_of_tests(task.archive)):
        return reject("leaks", found)
    return replace(task, problem=text)


def issue_text(task: RepairTask) -> str:
    """Returns what a user would report: calls that go wrong, or why something fails, without what
    names things that only tests know."""
    evidence, checks = json.loads(task.evidence), json.loads(task.checks)
    names = [each.partition(":")[2] for each in task.function.split(",")]
    head = f"{task.package} {task.version}: "
    if not evidence["shown"]:
        text = f"{head}{' and '.join(f'`{name}`' for name in names)} do not work as documented.\n"
        text = text.replace(" do not", " does not") if len(names) == 1 else text
        internal = {*names_of_tests(task.archive), "locals"}
        messages = [m for m in evidence["messages"] if not set(re.findall(r"\w+", m)) & internal]
        said = "\n".join(f"    {line}" for m in messages for line in m.splitlines())
        return f"{text}\nWhat I checked ended with:\n\n{said}\n" if said else text
    module, name = dotted(checks["path"]), checks["name"]
    text = f"{head}`{name}` gives wrong results.\n\n>>> from {module} import {name}\n"
    for call, kind, value, wanted_kind, wanted in evidence["shown"]:
        said = f"{name}({_written(call)})"
        said = f"list({said})" if "yields" in (kind, wanted_kind) else said
        text += f">>> {said}\n{_ending(kind, value)}\n"
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
        "yields": value,
        "raises": f"raises {value}",
        "other": f"gives a {value}",
        "nothing": "does not come to an end",
    }[kind]
