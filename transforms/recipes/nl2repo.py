"""nl2repo: functions and modules written from their signatures and docstrings.

After NL2Repo-Bench (arXiv 2512.12730), on the first two rungs of a ladder: function, module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Episode, Steps
from transforms.packages.bugs import emptied, stubbed
from transforms.packages.grading import StoredRepair
from transforms.packages.making import REASONS, Bug, is_package, made, sound
from transforms.packages.package import unpacked
from transforms.packages.patches import text_of
from transforms.packages.tasks import RepairTask
from transforms.programs.questions import Task, task_about
from transforms.sandbox.settings import SandboxSettings


@dataclass(kw_only=True)
class MakeStubs(Episode):
    """PCollection[Seed] (of source=package) -> Outcome of Task: public functions, or whole modules,
    without their bodies, to be written so that the tests pass that fail without them.

    A task is shown with `path`, `function` (None: all of the module) and `package`; its code is the
    module with the stubs, so it holds every signature and docstring, and no body that is asked for.
    """

    name: str = "stubs"
    sandbox: SandboxSettings
    rung: Literal["function", "module"] = "function"
    """What is written: one function, or all of a module."""
    most: Annotated[int, Field(ge=1)] = 100
    """Functions or modules of one package, at most."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*REASONS, "not_a_package", "suite_failed")

    def episode(self, seed: Seed) -> Steps[list[tuple[Seed | Task, Verdict]]]:
        if not is_package(seed):
            return [(seed, reject("not_a_package", "set source=package"))]
        facts = json.loads(seed.metadata)
        files = unpacked(facts["archive"])
        package = yield from sound(seed, ())
        if isinstance(package, Verdict):
            return [(seed, package)]
        chosen: dict[tuple[str, str | None], None] = {}
        for site in emptied(files, facts["modules"], facts["digest"]):
            chosen[site.path, site.function if self.rung == "function" else None] = None
        tasks: list[tuple[Seed | Task, Verdict]] = []
        for path, function in list(chosen)[: self.most]:
            stub = stubbed(text_of(files, path), function)
            bug = Bug(self.rung, ((path, function or "*"),), {path: stub})
            task, verdict = yield from made(package, bug, floor=False)
            whole = (_asked(task, path, function, stub), verdict) if verdict.kept else None
            tasks.append(whole or (task, verdict))
        return tasks


def _asked(task: RepairTask, path: str, function: str | None, stub: str) -> Task:
    answer = {name: getattr(task, name) for name in StoredRepair._fields}
    shown = {"path": path, "function": function, "package": task.package, "version": task.version}
    graded = {**answer, "path": path, "function": function}
    return task_about(task, task.operator, stub, "build", graded, shown)
