"""The stage whose attempts are conversations with code and tools (`conversation`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import canonical_json, derived_seed
from transforms.engine.records import Seed, derived
from transforms.engine.stage import Named
from transforms.models.backends.settings import Backend
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response, tool_json
from transforms.models.responses import ResponseReason
from transforms.models.settings import SamplerSettings
from transforms.models.tools import Tools
from transforms.sandbox.jobs import Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import as_pair, compare
from transforms.stages.trajectories.conversation import (
    Conversation,
    Limits,
    begin,
    cell_of,
    converse,
)
from transforms.stages.trajectories.dialogue_forms import DialogueSetting, dialogue_of
from transforms.stages.trajectories.dialogues import PYTHON, Body, Dialogue
from transforms.stages.trajectories.gallery import Gallery
from transforms.stages.trajectories.records import Ended, Trajectory
from transforms.text.answers import final_answer

_ARGUMENTS = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
_ABOUT = {
    True: "Runs code in a session that keeps its variables.",
    False: "Runs code. No variables are kept between calls.",
}


def agrees(seed: Seed, answer: str) -> Steps[float]:
    """Grades an answer: 1 where it agrees with the seed's, else 0."""
    [same] = yield from compare([as_pair(seed.answer or "", answer)])
    return float(same)


def answer_in(response: Response, reference: str | None) -> Steps[tuple[str | None, bool]]:
    """Returns the final answer of a response, None where it has none, and whether it agrees with
    the reference."""
    answer = final_answer(response.text, response.finish_reason)
    [same] = yield from compare([as_pair(reference or "", answer or "")])
    return answer, answer is not None and same


def check_backend(dialogue: Dialogue, backend: Backend, stage: str) -> None:
    """Checks that a backend can be asked in a dialogue.

    Raises:
        SettingsError: it cannot continue a text, or has no turns.
    """
    setting, place = f"recipe.stages.{stage}.dialogue", backend.place
    if backend.api is None:  # a ledger says how it was asked
        return
    if not (dialogue.continues or dialogue.goes_on):
        if backend.api != "chat":
            raise SettingsError(
                f"{setting}={dialogue.name} shows results in turns of a chat, and {place}.api="
                f"{backend.api} has none: set {place}.api=chat, or a dialogue that continues a text"
            )
        return
    if backend.sends_prefix:
        return
    turns = f", or show results in turns by {setting}='{{form: {dialogue.name}, role: user}}'"
    turns *= not dialogue.goes_on
    if backend.reasoning is not None:
        raise SettingsError(
            f"{setting}={dialogue.name} has the model continue its text, which {place}.reasoning="
            f"{backend.reasoning} excludes: set {place}.reasoning=null{turns}"
        )
    raise SettingsError(
        f"{setting}={dialogue.name} has the model continue its text: set "
        f"{place}.continue_prefix=true where the server can (vLLM, SGLang), or "
        f"{place}.api=completions{turns}"
    )


_Count = Annotated[int, Field(ge=0)]


class Tried(NamedTuple):
    """An attempt, before the others are known."""

    talk: Conversation
    score: float
    verdict: Verdict


@dataclass(kw_only=True)
class Converse(ModelEpisode):
    """PCollection[Seed] -> Outcome of Trajectory: `sampler.samples` attempts at each problem, each
    a conversation in which the model runs code.

    The prompt is rendered with `problem` (also as `instruction`), with `cells`, the budget of the
    attempt, with `sample`, its number, and with `tools`, what can be called by name, one JSON
    object a line.
    """

    name: str = "converse"
    sampler: SamplerSettings
    sandbox: SandboxSettings
    dialogue: DialogueSetting
    """The dialogue's form by name (see `DIALOGUES`), or {form: NAME} with fields of its own."""
    cells: _Count | tuple[_Count, _Count] | None = 8
    """Calls of an attempt, at most; of a range [low, high] each attempt draws its own (null: as
    many as its turns make)."""
    turns: Annotated[int, Field(ge=1)] | None = None
    """Requests of an attempt, at most (null: one more than its calls)."""
    max_generated: Annotated[int, Field(ge=1)] | None = None
    """Generated tokens of an attempt, at most (null: no limit)."""
    errors: Annotated[int, Field(ge=1)] | None = None
    """Calls in a row that fail and end an attempt (null: no limit)."""
    keeps_state: bool = True
    """Whether a call finds the variables of those before it; otherwise each begins anew."""
    prelude: tuple[str, ...] = ()
    """Cells that are run before the first turn, and are not shown."""
    runs: tuple[str, ...] = (PYTHON,)
    """Names of the tools that run the code in their argument `code`, where calls have names."""
    tools: Tools = field(default_factory=dict)
    """Further tools by name: the import path of a function, or its settings."""
    repeated: Mapping[str, str] = field(default_factory=dict)
    """Name of a tool -> what is shown where it is called a second time with the same text, which is
    not run again."""
    grader: Named = agrees
    """Function (seed, answer) -> steps that give a score of 0 to 1; the seed's own answer decides
    where nothing else is said."""
    keeps_wrong: bool = False
    """Whether attempts that fail are rows too, with their score."""

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Trajectory
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason,
        *(why for why in Ended if why not in (Ended.ANSWERED, Ended.REFUSED)),
        *("no_answer", "wrong_answer", "no_reference", "prelude_failed"),
    )

    def __post_init__(self) -> None:
        self.dialogue = dialogue_of(self.dialogue)
        setting = f"recipe.stages.{self.name}.cells"
        if isinstance(self.cells, tuple) and self.cells[0] > self.cells[1]:
            raise SettingsError(f"{setting}={list(self.cells)} is no range: set [low, high]")
        if self.cells is self.turns is None:
            raise SettingsError(f"{setting} and turns are both null: set one of them")
        check_backend(self.dialogue, self.backend, self.name)

    def episode(self, seed: Seed) -> Steps[list[tuple[Trajectory, Verdict]] | Verdict]:
        if (unfit := self.unfit(seed)) is not None:
            return unfit
        start: tuple[str, ...] = ()
        gallery = self.gallery(seed)
        for code in self.prelude_of(seed):
            seen = yield cell_of(code, start, gallery)
            if seen.status is not Status.OK:
                return reject("prelude_failed", seen.error or seen.status)
            start = seen.after
        tries = yield from side_by_side(
            self.attempt(seed, sample, start) for sample in range(self.sampler.samples)
        )
        answered = [each for each in tries if not each.verdict.unanswered]
        right = sum(each.score >= 1 for each in answered)
        rate = right / len(answered) if answered else 0.0
        return [
            (self.row(seed, sample, each, rate, len(answered), place), each.verdict)
            for sample, attempt in enumerate(tries)
            for place, each in enumerate([attempt, *self.spawned(attempt)])
        ]

    def unfit(self, seed: Seed) -> Verdict | None:
        """Why no attempt is made at a seed; None where one is."""
        if seed.answer is None and self.grader is agrees:
            return reject("no_reference", "the seed has no answer to hold one against")
        return None

    def prelude_of(self, seed: Seed) -> tuple[str, ...]:
        """The cells that are run before the first turn about a seed."""
        return self.prelude

    def gallery(self, seed: Seed) -> Gallery | None:
        """The pictures that an attempt begins with, and how many it may show; None where calls
        show none."""
        return None

    def begun(self, seed: Seed, sample: int, start: tuple[str, ...] = ()) -> Conversation:
        """Opens an attempt.

        Args:
            start: the cells that led to the state in which its session begins.
        """
        budget = self.allowed(seed, sample)
        turns = self.turns or (None if budget is None else budget + 1)
        limits = Limits(budget, turns, self.max_generated, self.errors)
        fields: dict[str, Any] = {
            "start": start,
            "keeps_state": self.keeps_state,
            "runs": self.runs,
            "tools": self.tools,
            "schemas": self.schemas(),
            "repeated": self.repeated,
            "gallery": self.gallery(seed),
        }
        asked = self.request(sample, cells=budget, **self.words(seed, sample))
        return begin(asked, self.dialogue, limits, **fields)

    def request(
        self,
        sample: int,
        /,
        prompt: PromptTemplate | None = None,
        model: str | None = None,
        **words: Any,
    ) -> Request:
        """Returns the request of an attempt with a prompt to a model (the stage's own)."""
        return self.requests(self.sampler, sample, prompt, model, 1, **words)[0]

    def words(self, seed: Seed, sample: int) -> dict[str, Any]:
        """What the prompt of an attempt is rendered with, beside `cells`."""
        tools = "\n".join(self.schemas())
        words = {"problem": seed.problem, "instruction": seed.problem}
        return {**words, "tools": tools, "sample": sample}

    def role(self, agent: str, prompt: PromptTemplate, sample: int, **words: Any) -> Conversation:
        """Opens the conversation of another agent, without limits; each cell begins anew. Its
        `model` may be another (see `requests`)."""
        asked = self.request(sample, prompt=prompt, **words)
        return begin(asked, self.dialogue, Limits(), agent=agent, keeps_state=False)

    def schemas(self) -> tuple[str, ...]:
        """The tools that can be called by name, in the API's form; none in dialogues of code."""
        if self.dialogue.body not in (Body.NATIVE, Body.JSON):
            return ()
        runs = (tool_json(name, _ABOUT[self.keeps_state], _ARGUMENTS) for name in self.runs)
        return (*runs, *(tool.json for tool in self.tools.values()))

    def allowed(self, seed: Seed, sample: int) -> int | None:
        """The calls that an attempt is allowed, drawn from its id where a range is set."""
        if not isinstance(self.cells, tuple):
            return self.cells
        low, high = self.cells
        drawn = derived_seed(self.run_seed, "cells", seed.id, sample)
        return low + drawn % (high - low + 1)

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        """Makes one attempt and grades it; a recipe of several roles writes its own."""
        talk = yield from converse(self.begun(seed, sample, start))
        return (yield from self.graded(seed, talk))

    def graded(self, seed: Seed, talk: Conversation) -> Steps[Tried]:
        """Grades an attempt that has ended."""
        if talk.ended is not Ended.ANSWERED:
            return self.tried(talk, 0.0, talk.verdict)
        if talk.answer is None:
            return self.tried(talk, 0.0, reject("no_answer"))
        score = yield from self.grader(seed, talk.answer)
        what = f"says {talk.answer}, reference {seed.answer}"
        return self.tried(talk, score, keep() if score >= 1 else reject("wrong_answer", what))

    def tried(self, talk: Conversation, score: float, verdict: Verdict) -> Tried:
        """Returns an attempt with the verdict on it; with `keeps_wrong`, an attempt that the model
        answered is kept."""
        kept = self.keeps_wrong and talk.ended is not Ended.REFUSED
        return Tried(talk, score, keep() if kept else verdict)

    def spawned(self, attempt: Tried) -> Iterable[Tried]:
        """Returns the conversations of other agents in an attempt, which become rows of their own:
        they have its score, and are kept where it is."""
        for talk in attempt.talk.spawned:
            verdict = talk.verdict if attempt.verdict.kept else attempt.verdict
            yield Tried(talk, attempt.score, verdict)

    def row(
        self, seed: Seed, sample: int, each: Tried, rate: float, attempts: int, place: int = 0
    ) -> Trajectory:
        """Returns an attempt as a row.

        Args:
            place: which conversation of the attempt it is; 0 is its own, others are spawned.
        """
        talk, parts = each.talk, [sample, place] if place else [sample]
        talks = (talk, *talk.others)
        responses = [response for one in talks for response in one.responses]
        calls = self.calls(*responses, *(response for one in talks for response in one.aside))
        data = {"budget": talk.limits.cells, "dialogue": talk.dialogue.name, **talk.data}
        return Trajectory(
            problem=seed.problem,
            reference=seed.answer,
            messages=self.stored(talk.turns),  # type: ignore[arg-type]
            tools=f"[{','.join(talk.schemas)}]" if talk.schemas else None,
            answer=talk.answer,
            score=each.score,
            ended=str(talk.ended),
            sample=sample,
            asks=len(responses),
            cells=sum(one.cells for one in talks),
            agreement=rate,
            attempts=attempts,
            data=canonical_json(data),
            **derived(seed, "trajectory", *parts, calls=calls),
        )
