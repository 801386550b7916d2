"""git_tasks: what a user wants of a package, answered by a program whose file is read as data.

After GitTaskBench (arXiv 2508.18993): its people chose tasks and wrote tests; here programs come
first, and tasks are told from what they write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Seed
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.packages.bugs import stubbed
from transforms.packages.making import facts_of
from transforms.packages.outcomes import named_in, run_program, uses
from transforms.packages.outline import interface
from transforms.packages.package import unpacked
from transforms.packages.patches import changed, text_of
from transforms.programs.questions import Attempted, Task, task_about
from transforms.stages.attempt import AttemptTasks
from transforms.stages.graders import Fault
from transforms.stages.tasks import MakeTasks
from transforms.text.marks import fenced
from transforms.text.thoughts import visible

_WANTED = re.compile(r"\bresult\.(?:json|csv|txt)\b")
Made = tuple[Seed | Task, Verdict]


@dataclass(kw_only=True)
class MakeOutcomes(MakeTasks, ModelEpisode):
    """PCollection[Seed] (of source=package) -> Outcome of Task: programs that a model writes with a
    package, the file that each writes, and what a user would ask for to have that file.

    `prompt` is rendered with `package`, `version` and `modules` (path -> interface);
    `tell_prompt` with these and `program`, `files` (name -> text), `wanted` and `result`.
    """

    name: str = "make"
    sampler: SamplerSettings
    tell_prompt: PromptTemplate
    """Words that ask for the instruction."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the file's values that a solution has to have right."""

    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, "not_a_package", "no_program", "fails", "nondeterministic",
        "package_unused", "leaks",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[list[Made]]:
        if (facts := facts_of(seed)) is None:
            return [(seed, reject("not_a_package", "set source=package"))]
        words = {name: facts[name] for name in ("version", "license")}
        modules = interface(unpacked(facts["archive"]))
        words |= {"package": facts["name"], "modules": modules}
        responses = yield self.requests(self.sampler, **words)
        made = (self._made(seed, facts["archive"], words, *each) for each in enumerate(responses))
        return (yield from side_by_side(made))

    def _made(
        self, seed: Seed, archive: str, words: dict[str, Any], sample: int, response: Response
    ) -> Steps[Made]:
        if not (verdict := judge_response(response)).kept:
            return seed, verdict
        blocks = fenced(visible(response.text))
        program = blocks.pop().body if blocks else ""
        inputs = {name: text for name, text in blocks if name.endswith((".csv", ".json", ".txt"))}
        wanted, files = _WANTED.search(program), unpacked(archive)
        if wanted is None or not uses(program, files):
            return seed, reject("no_program", response.text[-200:])
        stubs = changed(files, {path: stubbed(text_of(files, path)) for path in words["modules"]})
        (gold, why), (again, _), (without, _) = yield from side_by_side(
            run_program(tree, program, inputs, wanted[0], number)
            for tree, number in ((files, 0), (files, 1), (stubs, 0))
        )
        if gold is None or gold != again or gold == without:
            reason = "fails" if gold is None else "nondeterministic" if gold != again else ""
            return seed, reject(reason or "package_unused", why or program[-200:])
        shown = {**words, "files": inputs, "wanted": wanted[0]}
        telling = {**shown, "program": program, "result": gold}
        [told] = yield self.requests(self.sampler, sample, self.tell_prompt, samples=1, **telling)
        if not (verdict := judge_response(told)).kept:
            return seed, verdict
        text = visible(told.text).strip()
        answer: dict[str, Any] = {"archive": archive, "inputs": inputs, "wanted": wanted[0]}
        answer |= {"gold": gold, "threshold": self.threshold}
        shown["instruction"] = text
        calls = self.calls(response, told)
        task = task_about(seed, "file", program, "writes", answer, shown, calls)
        if gold.strip() in text or (named := named_in(text, program, words["modules"])):
            return task, reject("leaks", named if gold.strip() not in text else wanted[0])
        return task, keep()


@dataclass(frozen=True, kw_only=True)
class OutcomeAttempt(Attempted):
    """A program that was written for a task, and what became of it."""

    usable: bool = False
    """Whether it left the file, and that can be read; `score` says whether it is right."""
    uses_package: bool = False
    """Whether it imports the package."""


@dataclass(kw_only=True)
class AttemptOutcomes(AttemptTasks):
    """PCollection[Task] (of `MakeOutcomes`) -> Outcome of OutcomeAttempt: `sampler.samples`
    programs for each task."""

    writes: ClassVar[type] = OutcomeAttempt

    def _row(self, task: Task, sample: int, each: Any, rate: float, attempts: int) -> Attempted:
        row: Any = super()._row(task, sample, each, rate, attempts)
        usable = each.mark.fault not in (Fault.NO_ANSWER, Fault.FAILS)
        package = unpacked(json.loads(task.answer)["archive"])
        return replace(row, usable=usable, uses_package=uses(each.mark.answer or "", package))
