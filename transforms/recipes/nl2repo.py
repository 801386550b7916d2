"""nl2repo: functions, modules and packages written from their signatures and docstrings.

After NL2Repo-Bench (arXiv 2512.12730), on the rungs of a ladder: function, module, package.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.packages.bugs import emptied, stubbed
from transforms.packages.grading import PatchGrade, StoredRepair, grade_share
from transforms.packages.making import REASONS, UNSOUND, Bug, made, sound
from transforms.packages.outline import interface
from transforms.packages.package import Files, is_test, modules, unpacked
from transforms.packages.patches import Changes, text_of
from transforms.packages.sessions import prelude
from transforms.packages.tasks import RepairTask
from transforms.programs.questions import Task, task_about
from transforms.recipes.swe_repair import Repair
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.tasks import MakeTasks


@dataclass(kw_only=True)
class MakeStubs(MakeTasks):
    """PCollection[Seed] (of source=package) -> Outcome of Task: public functions, or whole modules,
    without their bodies, to be written so that the tests pass that fail without them.

    A task is shown with `path`, `function` (None: all of the module) and `package`; its code is the
    module with the stubs, so it holds every signature and docstring, and no body that is asked for.
    """

    name: str = "stubs"
    rung: Literal["function", "module"] = "function"
    """What is written: one function, or all of a module."""
    most: Annotated[int, Field(ge=1)] = 100
    """Functions or modules of one package, at most."""

    reasons: ClassVar[Iterable[str]] = (*UNSOUND, *REASONS)

    def episode(self, seed: Seed) -> Steps[list[tuple[Seed | Task, Verdict]]]:
        package = yield from sound(seed, ())
        if isinstance(package, Verdict):
            return [(seed, package)]
        facts, files = package.facts, package.files
        chosen: dict[tuple[str, str | None], None] = {}
        for site in emptied(files, facts["modules"], facts["digest"]):
            chosen[site.path, site.function if self.rung == "function" else None] = None
        tasks: list[tuple[Seed | Task, Verdict]] = []
        for path, function in list(chosen)[: self.most]:
            stub = stubbed(text_of(files, path), function)
            bug = Bug(self.rung, ((path, function or "*"),), {path: stub})
            task, verdict = yield from made(package, bug, floor=False, compares=False)
            whole = (_asked(task, path, function, stub), verdict) if verdict.kept else None
            tasks.append(whole or (task, verdict))
        return tasks


@dataclass(kw_only=True)
class SpecPackages(Episode):
    """PCollection[Seed] (of source=package) -> Outcome of RepairTask: a package whose modules are
    empty, to be written so that its tests pass. Its `problem` is the interface
    (`packages.outline`)."""

    name: str = "spec"
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = RepairTask
    reasons: ClassVar[Iterable[str]] = (*UNSOUND, *REASONS)

    def episode(self, seed: Seed) -> Steps[RepairTask | Verdict]:
        package = yield from sound(seed, ())
        if isinstance(package, Verdict):
            return package
        bug = Bug("package", (), dict.fromkeys(package.facts["modules"], ""))
        task, verdict = yield from made(package, bug, floor=False, compares=False)
        outlines = interface(package.files).items()
        spec = [f"{path}:\n\n```python\n{text}\n```" for path, text in outlines]
        return (
            replace(task, problem="\n\n".join([seed.problem, *spec])) if verdict.kept else verdict
        )


@dataclass(kw_only=True)
class WritePackage(Repair):
    """PCollection[RepairTask] -> Outcome of Trajectory: `sampler.samples` attempts to write a
    package, with Python in a session that holds its modules as empty files.

    The score is the share of the tests that fail without what was written.
    """

    name: str = "write"

    def prelude_of(self, seed: Seed) -> tuple[str, ...]:
        assert isinstance(seed, RepairTask)
        return (prelude(dict.fromkeys(modules(unpacked(seed.archive)), b"")),)

    def takes(self, files: Files, path: str) -> bool:
        """New modules are part of it, too: those below a folder of the package."""
        folders = {each.rpartition("/")[0] for each in modules(files)}
        return path.endswith(".py") and not is_test(path) and path.rpartition("/")[0] in folders

    def grade(self, task: RepairTask, after: Changes) -> Steps[PatchGrade]:
        return grade_share(task, after, whole=True)


def _asked(task: RepairTask, path: str, function: str | None, stub: str) -> Task:
    answer = {name: getattr(task, name) for name in StoredRepair._fields}
    shown = {"path": path, "function": function, "package": task.package, "version": task.version}
    graded = {**answer, "path": path, "function": function}
    return task_about(task, task.operator, stub, "build", graded, shown)
