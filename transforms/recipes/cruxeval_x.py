"""cruxeval_x: programs translated into other languages, and questions about the translations.

After CRUXEval-X (arXiv 2408.13001).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.errors import SettingsError
from transforms.engine.records import Seed
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.programs.languages import LANGUAGES, Language, call
from transforms.programs.questions import Task, read_literal, task_about
from transforms.stages.graders import last_block, runs_of_tests
from transforms.stages.pairs import UNPAIRED, Pair
from transforms.stages.tasks import MakeTasksOfPairs


@dataclass(kw_only=True)
class Translate(MakeTasksOfPairs, ModelEpisode):
    """PCollection[Seed] (verified) -> Outcome of Task: of each program's translation into each
    language, what it gives on an input (`output`) and an input for what it gives (`input`).

    A translation gives what the program gives on each of several inputs. It is tried
    `sampler.samples` times, and each try is repaired by what its own run gave, until one does.
    """

    name: str = "translate"
    sampler: SamplerSettings
    repair_prompt: PromptTemplate
    """Words of the feedback, over `given` and what the run on it gave (`seen`)."""
    languages: tuple[str, ...] = ("javascript", "c")
    """Languages that programs are translated into."""
    repairs: Annotated[int, Field(ge=0)] = 3
    """Further turns of a try that fails, at most."""

    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason, *UNPAIRED, "not_typed", "no_answer", "failed_tests",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name in self.languages:
            if name not in LANGUAGES:
                known = ", ".join(LANGUAGES)
                raise SettingsError(f"recipe.stages.{self.name}.languages: {name!r} is not {known}")
            if not LANGUAGES[name].is_installed():
                package = LANGUAGES[name].package
                raise SettingsError(f"{name} needs {package}: pip install 'cotmill[languages]'")

    def make(self, seed: Seed, pairs: list[Pair]) -> Steps[list[Task | Verdict]]:
        tasks: list[Task | Verdict] = []
        for name in self.languages:
            tasks += yield from self._asked(seed, LANGUAGES[name], pairs)
        return tasks

    def _asked(
        self, seed: Seed, language: Language, pairs: list[Pair]
    ) -> Steps[list[Task | Verdict]]:
        runs = [(read_literal(pair.input), json.loads(pair.output)) for pair in pairs]
        head = language.signature(runs)
        if head is None:
            return [reject("not_typed", f"a function in {language.title} is of numbers alone")]
        source, verdict = "", reject("failed_tests")
        responses: list[Response] = []
        for request in self.requests(
            self.sampler, code=seed.code, language=language.title, signature=head
        ):
            source, verdict = yield from self._tried(request, language, pairs, responses)
            if verdict.kept or verdict.unanswered:
                break
        if not verdict.kept:
            return [verdict]
        (given, output), calls = runs[0], self.calls(*responses)
        code, known = language.hosted(source, runs[0]), pairs[0].output
        shown = {"language": language.title, "translation": source}
        asked = shown | {"call": call(given)}, shown | {"names": [*given], "known": known}
        return [
            task_about(seed, "output", code, "tolerant", [repr(output)], asked[0], calls),
            task_about(seed, "input", code, "witness", known, asked[1]),
        ]

    def _tried(
        self, request: Request, language: Language, pairs: list[Pair], responses: list[Response]
    ) -> Steps[tuple[str, Verdict]]:
        """One try with its repairs: the translation, and whether it is right."""
        first = read_literal(pairs[0].input), json.loads(pairs[0].output)
        for _ in range(1 + self.repairs):
            response = yield request
            responses.append(response)
            if not (verdict := judge_response(response)).kept:
                return "", verdict
            source = last_block(response.text)
            if source is None:
                return "", reject("no_answer")
            runs = yield from runs_of_tests(language.hosted(source, first), pairs)
            wrong = next((run for run in runs or () if not run.passed), None)
            if wrong is None:
                return source, verdict
            verdict = reject("failed_tests", f"on {wrong.input}: {wrong.seen}")
            told = self.repair_prompt.rendered("chat", given=wrong.input, seen=wrong.seen).messages
            request = replace(request, messages=(*request.messages, response.message, *told))
        return "", verdict
