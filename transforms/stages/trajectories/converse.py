"""Conversations with code and tools: a model is asked, its calls are run, and it is asked again.

`Converse` is the stage. Its parts serve episodes of other recipes: `begin` opens a conversation,
`converse` plays it to its end, `ask` and `run_calls` are one half of a turn each, `show` appends
results that come from elsewhere, and `side_by_side` plays several conversations about one record.
Each agent of a recipe has a `Conversation` of its own, which is its view: what others say enters it
by `Conversation.tell`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.errors import SettingsError
from transforms.engine.ids import canonical_json, content_id, derived_seed
from transforms.engine.records import Message, Picture, PictureMessage, Seed, Shown, derived
from transforms.engine.stage import Named
from transforms.models.backends.settings import Backend
from transforms.models.episode import ModelEpisode, Steps, side_by_side
from transforms.models.prompts import PromptTemplate
from transforms.models.requests import Request, Response, tool_json
from transforms.models.responses import ResponseReason, judge_response
from transforms.models.settings import SamplerSettings
from transforms.models.tools import Invoke, Tool, Tools
from transforms.sandbox.jobs import Cell, Status
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.judge import as_pair, compare
from transforms.stages.trajectories.dialogues import (
    PYTHON,
    Body,
    Called,
    Dialogue,
    DialogueSetting,
    Written,
    dialogue_of,
)
from transforms.stages.trajectories.gallery import Gallery
from transforms.stages.trajectories.records import (
    Ended,
    Trajectory,
    Turn,
    appended,
    as_messages,
    turn,
    turns_of,
    with_content,
)
from transforms.text.answers import final_answer

_ARGUMENTS = {"type": "object", "properties": {"code": {"type": "string"}}, "required": ["code"]}
_ABOUT = {
    True: "Runs code in a session that keeps its variables.",
    False: "Runs code. No variables are kept between calls.",
}
PYTHON_TOOL = tool_json(PYTHON, _ABOUT[True], _ARGUMENTS)
"""The tool `python` of a session, as `Request.tools` has it."""


@dataclass(frozen=True)
class Limits:
    """What a conversation may use; None is no limit."""

    cells: int | None = None
    """Runs of code and calls of tools."""
    turns: int | None = None
    """Requests to the model."""
    tokens: int | None = None
    """Generated tokens, over all turns, as the engine counts them."""
    errors: int | None = None
    """Calls in a row that fail; that many end it."""


class Seen(NamedTuple):
    """What became of a call."""

    called: Called
    text: str
    """What it gave, before it is cut and marked."""
    failed: bool
    """Whether it could not be read, its code raised an exception, or its tool failed."""
    pictures: tuple[Picture, ...] = ()
    """What it shows."""


@dataclass
class Conversation:
    """A conversation under way: what one agent saw and wrote."""

    asked: Request
    """Who is asked and how; each request of the conversation is made from it."""
    dialogue: Dialogue
    limits: Limits
    turns: tuple[Turn, ...]
    agent: str = ""
    """Who the model is here, where a recipe has several roles."""
    start: tuple[str, ...] = ()
    """The cells that led to the state in which the session begins."""
    keeps_state: bool = True
    """Whether a cell finds what those before it left; otherwise each begins from `start`."""
    runs: tuple[str, ...] = (PYTHON,)
    """Names of the tools that run the code in their argument `code`."""
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """Further tools by name: a user's functions."""
    schemas: tuple[str, ...] = ()
    """What can be called by name, as `Request.tools` has it."""
    agents: Mapping[str, Callable[[Conversation, Called], Steps[Seen]]] = field(
        default_factory=dict
    )
    """Further names that can be called: other agents, each the steps of its work on a call."""
    shown: tuple[Message, ...] = ()
    """What the model sees between the system's message and the rest, and rows leave out."""
    repeated: Mapping[str, str] = field(default_factory=dict)
    """Name of a tool -> what is shown where it is called a second time with the same text, which is
    not run again."""
    gallery: Gallery | None = None
    """The pictures of its calls; None where calls show none."""
    responses: list[Response] = field(default_factory=list)
    aside: list[Response] = field(default_factory=list)
    """Responses of other agents that served it (see `consult`)."""
    spawned: list[Conversation] = field(default_factory=list)
    """Conversations of other agents that served it (see `delegate`): rows of their own."""
    cells: int = 0
    """Cells run, tools and agents called."""
    failures: int = 0
    """Calls in a row that failed."""
    others: list[Conversation] = field(default_factory=list)
    """Conversations of other agents for it: what they ask and run counts as the attempt's."""
    final: str | None = None
    """The final answer, where the recipe takes it from elsewhere than what the agent wrote."""
    data: dict[str, Any] = field(default_factory=dict)
    """What its row says of it besides (`Trajectory.data`), as JSON values."""
    ended: Ended | None = None
    """Why it ended; None while it goes on."""
    verdict: Verdict = keep()
    """Why it is no good; that it is put off, where the model did not answer."""

    def __post_init__(self) -> None:
        self.after = self.start
        """The cells that led to the session's state."""
        self.called: set[tuple[str, str]] = set()
        """Name and text of what was run."""

    @property
    def answer(self) -> str | None:
        """The final answer; None where the model gives none, or was cut off."""
        if self.ended is not Ended.ANSWERED:
            return None
        if self.final is not None:
            return self.final
        own = [each.content for each in self.turns if each.sampled]
        texts = [own[-1], "".join(own)] if self.dialogue.continues else [own[-1]]
        return next(filter(None, map(self.dialogue.answered, texts)), None)

    @property
    def in_message(self) -> bool:
        """Whether the last message is the model's own, which it is to continue."""
        return as_messages(self.turns)[-1].role == "assistant"

    def add(self, message: Message, continues: bool = False, **fields: Any) -> None:
        """Appends a turn."""
        made = turn(self.turns, message, continues=continues, agent=self.agent, **fields)
        self.turns = (*self.turns, made)

    def tell(self, text: str) -> None:
        """Appends text that no model sampled: to the text that the model continues, or to the
        user's turn."""
        in_user = self.turns[-1].role == "user" and not self.in_message
        self.add(Message("user", "\n\n" * in_user + text), self.in_message or in_user)

    def branched(self, asked: Request) -> Conversation:
        """Returns a conversation that goes on from this one by itself, also in the session.

        Args:
            asked: what its further requests are made from.
        """
        branch = copy(self)
        branch.asked = asked
        for name in ("responses", "aside", "spawned", "data", "called", "gallery"):
            setattr(branch, name, copy(getattr(self, name)))
        branch.others = [other.branched(other.asked) for other in self.others]
        return branch

    def end(self, why: Ended, detail: str = "") -> None:
        self.ended = why
        self.verdict = keep() if why is Ended.ANSWERED else reject(why.value, detail)


def begin(asked: Request, dialogue: Dialogue, limits: Limits, **fields: Any) -> Conversation:
    """Opens a conversation with the words of a request, its forced prefix among them.

    Args:
        fields: further fields of the conversation.
    """
    first = asked.messages if asked.prompt is None else (Message("user", asked.prompt),)
    agent = fields.get("agent", "")
    talk = Conversation(asked, dialogue, limits, turns_of(first, agent=agent), **fields)
    if asked.sampler.prefix:
        talk.add(Message("assistant", asked.sampler.prefix))
    return talk


def next_request(talk: Conversation) -> Request:
    """Returns the request for the model's next turn: a message that it is to continue is the forced
    prefix of the answer."""
    asked, dialogue = talk.asked, talk.dialogue
    messages, prefix = as_messages(talk.turns), ""
    if messages[-1].role == "assistant":
        messages, prefix = messages[:-1], messages[-1].content
    max_tokens = asked.sampler.max_tokens
    if talk.limits.tokens is not None:
        max_tokens = min(max_tokens, talk.limits.tokens - _generated(talk))
    names = [*talk.runs, *talk.tools, *talk.agents]
    stop = tuple(dict.fromkeys((*dialogue.stops(names), *asked.sampler.stop)))
    systems = sum(message.role == "system" for message in messages[:1])
    is_raw = dialogue.continues or dialogue.goes_on or dialogue.marks_thoughts
    return replace(
        asked,
        messages=()
        if asked.prompt is not None
        else (*messages[:systems], *talk.shown, *messages[systems:]),
        sampler=replace(asked.sampler, prefix=prefix, stop=stop, max_tokens=max_tokens),
        tools=talk.schemas if dialogue.body is Body.NATIVE else (),
        think_tags=None if is_raw else asked.think_tags,
    )


def ask(talk: Conversation) -> Steps[Written | None]:
    """Has the model write its next turn; returns it, or None where the conversation has ended.

    A response that is no answer, is cut off or leaves the form ends it, and so does a limit.
    """
    limits = talk.limits
    if limits.turns is not None and len(talk.responses) >= limits.turns:
        talk.end(Ended.TURNS, f"{limits.turns} turns")
        return None
    if limits.tokens is not None and _generated(talk) >= limits.tokens:
        talk.end(Ended.OVERLONG, f"{_generated(talk)} tokens")
        return None
    request = next_request(talk)
    response: Response = yield request
    talk.responses.append(response)
    if response.error is not None:
        talk.ended, talk.verdict = Ended.REFUSED, judge_response(response)
        return None
    text = response.text.removeprefix(request.sampler.prefix)
    stopped = response.finish_reason == "stop"
    written = talk.dialogue.turn(text, stopped, response.tool_calls)
    message = replace(response.message, content=written.text)
    talk.add(message, talk.in_message, sampled=True, request=response.id)
    if not stopped:
        talk.end(Ended.OVERLONG, f"cut off after {response.generated_tokens} tokens")
    elif written.fault:
        talk.end(Ended.FORMAT, written.fault)
    elif not (written.text or written.calls or request.sampler.prefix):
        talk.end(Ended.FORMAT, "it is empty")
    return None if talk.ended else written


def ask_under(talk: Conversation, hint: str) -> Steps[Written | None]:
    """Has the model write its next turn, as `ask` does, under words that end the last message and
    that the conversation then leaves out; an empty text is none."""
    plain = talk.turns
    if hint:
        said = with_content(plain[:-1], plain[-1], f"{plain[-1].content}\n\n{hint}")
        talk.turns = (*plain[:-1], said)
    written = yield from ask(talk)
    talk.turns = appended(plain, talk.turns[len(plain) :])
    return written


def run_call(talk: Conversation, called: Called) -> Steps[Seen]:
    """Runs one call: its code in the session, or the tool that it names. Returns what came of it,
    also where it cannot be read or names no tool; only what is run counts as a cell."""
    if called.fault is not None:
        return Seen(called, called.fault, True)
    if called.name in talk.repeated:
        if (called.name, called.text) in talk.called:
            return Seen(called, talk.repeated[called.name], True)
        talk.called.add((called.name, called.text))
    if called.name in talk.agents:
        talk.cells += 1
        try:
            return (yield from talk.agents[called.name](talk, called))
        except NoAnswer:
            return Seen(called, "", True)
    is_code = called.is_code or called.name in talk.runs
    if not is_code and called.name not in talk.tools:
        known = ", ".join([*talk.runs, *talk.tools, *talk.agents])
        return Seen(called, f"there is no tool {called.name}: there is {known}", True)
    talk.cells += 1
    if not is_code:
        gave = yield Invoke(talk.tools[called.name], _arguments(talk, called))
        text = gave.error or gave.text or talk.dialogue.empty
        return (yield from looked(talk, Seen(called, text, gave.error is not None), gave.files))
    seen = yield cell_of(called.code, talk.after, talk.gallery)
    if talk.keeps_state:
        talk.after = seen.after
    found = Seen(called, talk.dialogue.observed(seen), seen.status is not Status.OK)
    if talk.gallery is None:
        return found
    left = talk.gallery.fresh(seen.files) if talk.keeps_state else seen.files
    return (yield from looked(talk, found, left))


def cell_of(code: str, after: tuple[str, ...], gallery: Gallery | None) -> Cell:
    """Returns a cell of a conversation's session, with the pictures that this begins with."""
    return Cell(code, after) if gallery is None else gallery.cell(code, after)


def looked(talk: Conversation, seen: Seen, files: Mapping[str, bytes]) -> Steps[Seen]:
    """Takes in the pictures of a call, by name; a line says why one is not shown."""
    if not files or talk.gallery is None:
        return seen
    pictures, notes = yield from talk.gallery.take(files)
    return seen._replace(text="\n".join((*notes, seen.text)), pictures=pictures)


def show(talk: Conversation, results: Sequence[Seen]) -> None:
    """Appends the results of a turn's calls, and then the notes on an error and on what is left."""
    dialogue, limits = talk.dialogue, talk.limits
    left = None if limits.cells is None else limits.cells - talk.cells
    begun_with = talk.gallery.hashes if talk.gallery is not None else ()
    state = content_id("state", talk.after, *begun_with) if talk.after else None
    before = as_messages(talk.turns)[-1].content
    texts = [dialogue.shown(seen.called.name, seen.text, before) for seen in results]
    notes = dialogue.after_error if results[-1].failed else ""
    notes += dialogue.budget(left)
    failed = any(seen.failed for seen in results)
    if dialogue.role == "tool":
        for seen, text in zip(results, texts, strict=True):
            said = text + (notes if seen is results[-1] else "")
            pictures = _placed(seen.pictures, len(said))
            message = PictureMessage("tool", said, tool_call_id=seen.called.id, pictures=pictures)
            talk.add(message, state=state, failed=seen.failed)
    elif dialogue.continues:
        talk.add(Message("tool", "".join(texts) + notes), True, state=state, failed=failed)
    else:
        notes, pictures, start = notes and f"\n\n{notes}", (), 0
        for seen, text in zip(results, texts, strict=True):
            closing = dialogue.result[1].replace("{name}", seen.called.name)
            pictures += _placed(seen.pictures, start + len(text) - len(closing))
            start += len(text) + 1
        message = PictureMessage("user", "\n".join(texts) + notes, pictures=pictures)
        talk.add(message, state=state, failed=failed)


def _placed(pictures: Iterable[Picture], at: int) -> tuple[Shown, ...]:
    return tuple(Shown(**asdict(each), at=at) for each in pictures)


def run_calls(
    talk: Conversation,
    calls: Sequence[Called],
    run: Callable[[Conversation, Called], Steps[Seen]] = run_call,
) -> Steps[list[Seen]]:
    """Runs the calls of a turn, one after another, and appends their results.

    Where the budget has no room for all of them, or the model may not be asked again, none is run
    and the conversation ends.

    Args:
        run: works on one call, as `run_call` does; it adds what it ran to `talk.cells`.
    """
    limits = talk.limits
    if limits.cells is not None and talk.cells + len(calls) > limits.cells:
        talk.end(Ended.CELLS, f"more than {limits.cells} calls")
        return []
    if limits.turns is not None and len(talk.responses) >= limits.turns:
        talk.end(Ended.TURNS, f"{limits.turns} turns")
        return []
    results = []
    for called in calls:
        seen = yield from run(talk, called)
        if talk.ended is not None:  # another agent was asked in vain
            return []
        results.append(seen)
        talk.failures = talk.failures + 1 if seen.failed else 0
    show(talk, results)
    if limits.errors is not None and talk.failures >= limits.errors:
        talk.end(Ended.ERRORS, f"{talk.failures} calls in a row failed")
    return results


def converse(
    talk: Conversation,
    before: Callable[[Conversation], None] = lambda talk: None,
    after: Callable[[Conversation, list[Seen]], None] = lambda talk, seen: None,
    run: Callable[[Conversation, Called], Steps[Seen]] = run_call,
) -> Steps[Conversation]:
    """Plays a conversation until the model calls no more, or until a limit ends it.

    Args:
        before: called before each request of the model.
        after: called with the results of the calls of each turn, once they are appended.
        run: works on one call; of a recipe whose tools ask models, a function of its own.
    """
    while talk.ended is None:
        before(talk)
        written = yield from ask(talk)
        if written is None or written.is_open:
            continue
        if not written.calls:
            talk.end(Ended.ANSWERED)
            continue
        seen = yield from run_calls(talk, written.calls, run)
        if talk.ended is None:
            after(talk, seen)
    return talk


class NoAnswer(Exception):
    """Another agent was asked in vain, which ends the conversation that it served."""


def consult(talk: Conversation, request: Request) -> Steps[str]:
    """Asks another agent once for a conversation, which does not show it; returns the text.

    Raises:
        NoAnswer: it was asked in vain, or its response is cut off or empty.
    """
    response: Response = yield request
    talk.aside.append(response)
    if not (verdict := judge_response(response)).kept:
        talk.ended, talk.verdict = Ended.REFUSED, verdict
        raise NoAnswer
    return response.text.strip()


def delegate(talk: Conversation, other: Conversation) -> Steps[None]:
    """Plays the conversation of another agent, from where it stands, for one that waits for it.

    Raises:
        NoAnswer: the model gave the other no answer.
    """
    if not any(each is other for each in talk.spawned):
        talk.spawned.append(other)
    yield from converse(other)
    if other.ended is Ended.REFUSED:
        talk.ended, talk.verdict = other.ended, other.verdict
        raise NoAnswer


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

    @cached_property
    def _one(self) -> SamplerSettings:
        return self.sampler.model_copy(update={"samples": 1})

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
        return self.requests(self._one, sample, prompt, model, **words)[0]

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


def _generated(talk: Conversation) -> int:
    return sum(response.generated_tokens for response in talk.responses)


def _arguments(talk: Conversation, called: Called) -> str:
    """The arguments of a call as JSON text; the query of a dialogue of queries is the first."""
    if talk.dialogue.body not in (Body.QUERY, Body.LINE):
        return called.text
    schema = json.loads(talk.tools[called.name].json)["function"]["parameters"]
    return canonical_json({name: called.text for name in [*schema["properties"]][:1]})
