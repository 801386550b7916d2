"""cross_lingual: one verified program under problems and comments in several languages.

After cross-lingual program-of-thought training (arXiv 2502.17956).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from babel import Locale, UnknownLocaleError

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import content_id
from transforms.engine.records import Message, Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.responses import ResponseReason, extract_program, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs.form import is_same, literal_input, parse, without_comments
from transforms.programs.questions import Attempted, Task, task_about
from transforms.sandbox.jobs import Job, Result, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.exercises import FAILED
from transforms.stages.graders import same_output
from transforms.text.thoughts import visible


@dataclass(kw_only=True)
class Translate(ModelEpisode):
    """PCollection[Seed] (verified, with code) -> Outcome of Task: to write a program for the
    problem as it is, and in each language; right where it gives the seed's output."""

    name: str = "translate"
    sampler: SamplerSettings
    own: str = "en"
    """Language of the seeds' problems, as its code."""
    languages: tuple[str, ...] = ("de", "es", "fr", "ja", "zh")
    """Languages that problems are translated into, as codes."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Task
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, "no_program", "no_literal_input", "not_translated",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for code in (self.own, *self.languages):
            try:
                named(code)
            except (UnknownLocaleError, ValueError):
                raise SettingsError(
                    f"recipe.stages.{self.name}: {code!r} is no language: give codes such as de, zh"
                ) from None

    def episode(self, seed: Seed) -> Steps[list[Task | Verdict]]:
        if seed.code is None or seed.output is None:
            return [reject("no_program")]
        given = literal_input(parse(seed.code))
        if given is None:
            return [reject("no_literal_input")]
        tasks: list[Task | Verdict] = [self._task(seed, self.own, seed.problem, given)]
        for language in self.languages:
            [request] = self.requests(self.sampler, problem=seed.problem, language=named(language))[
                :1
            ]
            response = yield request
            verdict, problem = judge_response(response), visible(response.text).strip()
            if not verdict.kept:
                tasks.append(verdict)
            elif problem == seed.problem.strip():
                tasks.append(reject("not_translated", language))
            else:
                tasks.append(self._task(seed, language, problem, given, response))
        return tasks

    def _task(self, seed: Seed, language: str, problem: str, given: Any, *responses: Any) -> Task:
        shown = {"language": language, "problem": problem, "known": repr(given)}
        cases = [(repr(given), seed.output)]
        calls = self.calls(*responses)
        return task_about(seed, "program", seed.code or "", "tests", cases, shown, calls)


@dataclass(kw_only=True)
class Anchor(ModelEpisode):
    """PCollection[Attempted] (right) -> Outcome of the same: the seed's program in place of the
    model's, with its comments (`task` is `kept`), without (`none`), and with comments in the
    problem's language (`translated`), which a model translates."""

    name: str = "anchor"
    sampler: SamplerSettings
    own: str = "en"
    """Language of the programs' comments, as its code."""
    sandbox: SandboxSettings

    reads: ClassVar[type] = Attempted
    writes: ClassVar[type] = Attempted
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *FAILED, "output_changed", "program_changed",
    )  # fmt: skip

    def episode(self, attempt: Attempted) -> Steps[list[Attempted | Verdict]]:
        plain, [(_, output)] = without_comments(attempt.code), json.loads(attempt.answer)
        result: Result = yield Job(plain)
        if result.status is not Status.OK:
            return [reject(result.status, result.error or "")]
        if not (is_same(plain, attempt.code) and same_output(result.output or "", output)):
            return [reject("output_changed", "without its comments")]
        rows: list[Attempted | Verdict] = [self._row(attempt, "none", plain)]
        if plain == attempt.code:
            return rows
        rows.append(self._row(attempt, "kept", attempt.code))
        language = json.loads(attempt.shown)["language"]
        if language != self.own:
            [request] = self.requests(self.sampler, code=attempt.code, language=named(language))[:1]
            response = yield request
            verdict, written = judge_response(response), extract_program(visible(response.text))
            if not verdict.kept:
                rows.append(verdict)
            elif written is None or written == attempt.code or not is_same(written, attempt.code):
                rows.append(reject("program_changed", f"comments in {named(language)}"))
            else:
                rows.append(self._row(attempt, "translated", written, response))
        return rows

    def _row(self, attempt: Attempted, kind: str, program: str, *responses: Any) -> Attempted:
        answer = Message("assistant", f"```python\n{program.strip()}\n```")
        return replace(
            attempt,
            task=kind,
            messages=(*attempt.messages[:-1], answer),
            final_answer=program,
            **derived(attempt, "anchored", kind, program, calls=self.calls(*responses)),
        )


def named(language: str) -> str:
    """Returns a language's English name.

    Raises:
        UnknownLocaleError, ValueError: the code names no language.

    >>> named("zh")
    'Chinese'
    """
    return Locale.parse(language).get_display_name("en") or language


def problem_of(task: Task) -> str:
    """What attempts at one problem in one language share."""
    return content_id("problem", task.shown, task.code)
