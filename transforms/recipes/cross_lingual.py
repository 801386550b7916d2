"""cross_lingual: one verified program under problems and comments in several languages.

After cross-lingual program-of-thought training (arXiv 2502.17956).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import content_id
from transforms.engine.records import Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.requests import Response
from transforms.models.responses import ResponseReason, judge_program, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs.form import is_same_program, literal_input, parse, without_comments
from transforms.programs.questions import Attempted, Task, task_about
from transforms.text.thoughts import visible


@dataclass(kw_only=True)
class Translate(ModelEpisode):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: to write a program for the
    problem as it is, and in each language; right where it gives the seed's output."""

    name: str = "translate"
    sampler: SamplerSettings
    own: str = "English"
    """Language of the seeds' problems."""
    languages: tuple[str, ...] = ("German", "Spanish", "French", "Japanese", "Chinese")
    """Languages that problems are translated into."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, "no_program", "no_literal_input", "not_translated",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[list[Task | Verdict]]:
        if seed.code is None or seed.output is None:
            return [reject("no_program")]
        given = literal_input(parse(seed.code))
        if given is None:
            return [reject("no_literal_input")]
        tasks: list[Task | Verdict] = [self._task(seed, self.own, seed.problem, given)]
        for language in self.languages:
            response = yield self.requests(self.sampler, problem=seed.problem, language=language)[0]
            verdict, problem = judge_response(response), visible(response.text).strip()
            if not verdict.kept:
                tasks.append(verdict)
            elif problem == seed.problem.strip():
                tasks.append(reject("not_translated", language))
            else:
                tasks.append(self._task(seed, language, problem, given, response))
        return tasks

    def _task(
        self, seed: Seed, language: str, problem: str, given: Any, *responses: Response
    ) -> Task:
        shown = {"language": language, "problem": problem, "known": repr(given)}
        cases = [(repr(given), seed.output)]
        calls = self.calls(*responses)
        return task_about(seed, "program", seed.code or "", "tests", cases, shown, calls)


@dataclass(kw_only=True)
class Anchor(ModelEpisode):
    """PCollection[Attempted] (right) -> Outcome of the same: the seed's program in place of the
    model's, with its comments (`task` is `kept`), without (`none`), and with comments in the
    problem's language (`translated`), which a model translates. Nothing but comments and layout
    differs, as Python's parser sees it, so each gives the seed's output."""

    name: str = "anchor"
    sampler: SamplerSettings
    own: str = "English"
    """Language of the programs' comments."""

    reads: ClassVar[type] = Attempted
    writes: ClassVar[type] = Attempted
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (*ResponseReason, "program_changed")

    def episode(self, attempt: Attempted) -> Steps[list[Attempted | Verdict]]:
        plain, language = without_comments(attempt.code), json.loads(attempt.shown)["language"]
        if plain == attempt.code:
            return [self._row(attempt, "none", plain)]
        rows = [self._row(attempt, "none", plain), self._row(attempt, "kept", attempt.code)]
        if language != self.own:
            response = yield self.requests(self.sampler, code=attempt.code, language=language)[0]
            written, verdict = judge_program(response)
            if verdict.kept and written == attempt.code:
                verdict = reject("program_changed", f"no comment is in {language}")
            if verdict.kept:
                rows.append(self._row(attempt, "translated", written, response))
            else:
                rows.append(verdict)
        return rows

    def _row(
        self, attempt: Attempted, kind: str, program: str, *responses: Response
    ) -> Attempted | Verdict:
        if not is_same_program(program, attempt.code):
            return reject("program_changed", f"more than comments: {kind}")
        answer = Message("assistant", f"```python\n{program.strip()}\n```")
        return replace(
            attempt,
            task=kind,
            messages=(*attempt.messages[:-1], answer),
            final_answer=program,
            **derived(attempt, "anchored", kind, program, calls=self.calls(*responses)),
        )


def problem_of(task: Task) -> str:
    """What attempts at one problem in one language share."""
    return content_id("problem", task.shown, task.code)
