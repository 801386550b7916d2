"""swe_repair and swe_patch: models mend packages, in many turns with files and tests, or in one.

After SWE-smith (arXiv 2504.21798); `AskBugs` after its LM Modify, `AskIssues` after its issues.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, ClassVar

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Seed, with_calls
from transforms.engine.stage import Map
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.packages.bugs import emptied
from transforms.packages.disguise import without
from transforms.packages.grading import PatchFault, PatchGrade, StoredRepair, broken, grade_changes
from transforms.packages.making import REASONS, UNSOUND, Bug, facts_of, made, sound
from transforms.packages.outline import function_text
from transforms.packages.package import Files, modules, unpacked
from transforms.packages.patches import Changes, changed, diff, text_of
from transforms.packages.sessions import changes, prelude
from transforms.packages.tasks import RepairTask
from transforms.programs.questions import Task, task_about
from transforms.recipes.swe_tasks import with_issue
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.graders import last_block
from transforms.stages.trajectories.conversation import Conversation
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.stages.trajectories.records import Ended
from transforms.text.thoughts import visible


@dataclass(kw_only=True)
class AskPatch(Map):
    """PCollection[RepairTask] -> Outcome of Task: the issue and the modules with the bug, to be
    answered by a unified diff, which the package's tests grade."""

    name: str = "ask"

    reads: ClassVar[type] = RepairTask
    writes: ClassVar[type] = Task

    def of(self, task: RepairTask) -> Task:
        answer = {name: getattr(task, name) for name in StoredRepair._fields}
        shown = {
            "issue": task.problem,
            "files": broken(task),
            "package": task.package,
            "version": task.version,
            "operator": task.operator,
        }
        code = "\n".join(broken(task).values())
        return task_about(task, "repair", code, "repair", answer, shown)


@dataclass(kw_only=True)
class Repair(Converse):
    """PCollection[RepairTask] -> Outcome of Trajectory: `sampler.samples` attempts at each issue,
    with Python in a session that holds the package, without the tests that see the bug, and
    functions that show, search and edit files and run tests.

    What the package's modules are in the end is graded by all of its tests (`packages.grading`).
    The prompt is rendered with `modules`, too, the paths of the package's modules.
    """

    name: str = "repair"

    reads: ClassVar[type] = RepairTask
    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, *PatchFault)

    def unfit(self, seed: Seed) -> Verdict | None:
        return None

    def prelude_of(self, seed: Seed) -> tuple[str, ...]:
        assert isinstance(seed, RepairTask)
        files = changed(unpacked(seed.archive), broken(seed))
        return (prelude(without(files, seed.fail_to_pass)),)

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        assert isinstance(seed, RepairTask)
        paths = modules(unpacked(seed.archive))
        return {**super().words(seed, sample), "modules": paths}

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        assert isinstance(seed, RepairTask)
        if talk.ended is not Ended.ANSWERED:
            return self.tried(talk, 0.0, talk.verdict)
        bug, files = broken(seed), unpacked(seed.archive)
        made = yield from changes(talk.after)
        after = {**bug, **{path: made[path] for path in sorted(made) if self.takes(files, path)}}
        talk.final = diff(files, bug, after)
        grade = yield from self.grade(seed, after)
        verdict = keep() if grade.fault is None else reject(grade.fault, grade.detail)
        return self.tried(talk, grade.score, verdict)

    def takes(self, files: Files, path: str) -> bool:
        """Whether a file of the session is part of the patch: modules of the package are."""
        return path in modules(files)

    def grade(self, task: RepairTask, after: Changes) -> Steps[PatchGrade]:
        """Grades all modules that differ from the published ones."""
        return grade_changes(task, after)


@dataclass(kw_only=True)
class AskIssues(ModelEpisode):
    """PCollection[RepairTask] -> Outcome of the same: with an issue that a model writes from what
    goes wrong; it is not shown the tests' names.

    The prompt is rendered with `package`, `version`, `patch` (that makes the bug) and `evidence`.
    """

    name: str = "issue"
    sampler: SamplerSettings

    reads: ClassVar[type] = RepairTask
    writes: ClassVar[type] = RepairTask
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "leaks")

    def episode(self, task: RepairTask) -> Steps[RepairTask | Verdict]:
        words = {"version": task.version, "patch": task.bug, "evidence": json.loads(task.evidence)}
        asked = self.requests(self.sampler, package=task.package, **words)
        response = yield asked[0]
        if not (verdict := judge_response(response)).kept:
            return verdict
        written = replace(task, **with_calls(task.calls, *self.calls(response)))
        return with_issue(written, visible(response.text).strip())


Function = tuple[Seed, str, str, str]
"""A package, a module's path, and a function's name and text."""


@dataclass(kw_only=True)
class AskBugs(ModelEpisode):
    """PCollection[Seed] (of source=package) -> Outcome of RepairTask: public functions that a model
    writes anew with a bug.

    The prompt is rendered with `package`, `path` and `code`, the function.
    """

    name: str = "bugs"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    most: Annotated[int, Field(ge=1)] = 100
    """Functions of one package, at most."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = RepairTask
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *UNSOUND, *REASONS, "no_function",
    )  # fmt: skip

    def opened(self, records: PCollection) -> PCollection:
        return records | "Functions" >> beam.FlatMap(partial(functions, most=self.most))

    def episode(self, asked: Function) -> Steps[list[tuple[Seed, Verdict]]]:
        seed, path, name, code = asked
        package = yield from sound(seed, [(path, name)])
        if isinstance(package, Verdict):
            return [(seed, package)]
        words: dict[str, Any] = {"package": package.facts["name"], "path": path, "code": code}
        responses = yield self.requests(self.sampler, **words)
        found: list[tuple[Seed, Verdict]] = []
        for response in responses:
            written = _function(last_block(response.text) or "", name)
            if not (verdict := judge_response(response)).kept:
                found.append((seed, verdict))
            elif written is None or written == code:
                found.append((seed, reject("no_function", response.text[-200:])))
            else:
                text = text_of(package.files, path).replace(code, written, 1)
                bug = Bug("model", ((path, name),), {path: text})
                found.append((yield from made(package, bug, self.calls(response))))
        return found


def functions(seed: Seed, most: int) -> Iterator[Function]:
    """Yields public functions of a package's modules, in an order drawn by its digest."""
    if (facts := facts_of(seed)) is None:
        yield seed, "", "", ""
        return
    files = unpacked(facts["archive"])
    for site in emptied(files, facts["modules"], facts["digest"])[:most]:
        text = function_text(text_of(files, site.path), site.function)
        yield seed, site.path, site.function, text


def _function(text: str, name: str) -> str | None:
    """The text where it is that one function, alone; else None."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match tree.body:
        case [ast.FunctionDef(name=written)] if written == name:
            return re.sub(r"\s+\Z", "", text)
    return None
