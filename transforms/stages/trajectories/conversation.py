"""Conversations with code and tools: a model is asked, its calls are run, and it is asked again.

`begin` opens a conversation, `converse` plays it to its end, `ask` and `run_calls` are one half of
a turn each, and `show` appends results that come from elsewhere. Each agent of a recipe has a
`Conversation` of its own, which is its view: what others say enters it by `Conversation.tell`.
`Converse` (`converse.py`) is the stage; `side_by_side` plays several conversations about a record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import canonical_json, content_id
from transforms.engine.records import Message, Picture, PictureMessage, Shown
from transforms.models.episode import Steps
from transforms.models.requests import Request, Response
from transforms.models.responses import judge_response
from transforms.models.tools import Invoke, Tool
from transforms.sandbox.jobs import Cell, Status
from transforms.stages.trajectories.dialogues import PYTHON, Body, Called, Dialogue, Written
from transforms.stages.trajectories.gallery import Gallery
from transforms.stages.trajectories.records import (
    Ended,
    Turn,
    appended,
    as_messages,
    turn,
    turns_of,
    with_content,
)


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


def _generated(talk: Conversation) -> int:
    return sum(response.generated_tokens for response in talk.responses)


def _arguments(talk: Conversation, called: Called) -> str:
    """The arguments of a call as JSON text; the query of a dialogue of queries is the first."""
    if talk.dialogue.body not in (Body.QUERY, Body.LINE):
        return called.text
    schema = json.loads(talk.tools[called.name].json)["function"]["parameters"]
    return canonical_json(dict.fromkeys([*schema["properties"]][:1], called.text))
