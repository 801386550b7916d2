"""Trajectories: a conversation as a path through a graph of turns, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from transforms.engine.ids import content_id
from transforms.engine.records import Derived, Message, PictureMessage


class Ended(StrEnum):
    """Why a conversation ended: a closed set."""

    ANSWERED = "answered"
    """The model came to an end of its own."""
    CELLS = "cells"
    """It asked for more runs of code, or calls of tools, than it was allowed."""
    TURNS = "turns"
    """It had as many turns as it was allowed, and had not ended."""
    OVERLONG = "overlong"
    """A turn, or the whole, was longer than it was allowed to be."""
    FORMAT = "format"
    """It left the form of the dialogue."""
    ERRORS = "errors"
    """Too many of its calls in a row failed."""
    REFUSED = "refused"
    """The model was asked in vain (`Response.error`)."""


@dataclass(frozen=True)
class Span:
    """A part of a turn's content that is not learned."""

    start: int
    """First character."""
    end: int
    """The character behind its last."""
    reason: str
    """Why it is not learned."""


@dataclass(frozen=True)
class Turn(Message):
    """A node of the graph: one turn, letter for letter as the model saw or wrote it."""

    id: str = ""
    """Hash of the turns before it and of this one: paths that begin alike share their ids."""
    continues: bool = False
    """Whether it goes on in the message of the turn before it, as the output of code does in a
    text that a model then continues."""
    agent: str = ""
    """Who speaks, where a recipe has several roles; empty where it has one."""
    sampled: bool = False
    """Whether a model wrote it in this trajectory; nothing else is ever learned."""
    failed: bool = False
    """Whether it shows the result of code or a call that failed."""
    unlearned: str | None = None
    """Why the whole turn is not learned, though it was sampled."""
    spans: tuple[Span, ...] = ()
    """The parts of its content that are not learned, though it was sampled."""
    reward: float | None = None
    """What the turn alone is worth; None where turns are not rewarded."""
    advantage: float | None = None
    """What it is worth beside the turns of other attempts at the problem, later rewards included;
    None where turns are not rewarded."""
    request: str | None = None
    """Id in the ledger of the request that it answers; None where it was not sampled."""
    state: str | None = None
    """Hash of the cells that lead to the session's state after it; None where it ran none."""


@dataclass(frozen=True)
class PictureTurn(Turn, PictureMessage):
    """A turn that shows pictures."""


@dataclass(frozen=True, kw_only=True)
class Trajectory(Derived):
    """One path through the turns about a problem: a training sample."""

    problem: str
    """The problem in natural language."""
    reference: str | None
    """The right answer; None where none is known."""
    messages: tuple[Turn, ...]
    """The turns, from the first that the model saw."""
    tools: str | None = None
    """The tools that the model could call, as a JSON list; None where it calls none by name."""
    answer: str | None = None
    """The final answer; None where it has none."""
    score: float = 0.0
    """What the final answer is worth to its grader, 0 to 1."""
    ended: str = Ended.ANSWERED
    """Why the conversation ended: one of `Ended`."""
    sample: int = 0
    """Which of several attempts at the problem it is."""
    asks: int = 0
    """Requests that it made."""
    cells: int = 0
    """Runs of code and calls of tools that it made."""
    agreement: float = 0.0
    """Share of the attempts at the problem whose answer is right."""
    attempts: int = 0
    """Attempts at the problem that were answered."""
    data: str = "{}"
    """What else the recipe says of it, as a JSON object."""


@dataclass(frozen=True, kw_only=True)
class PictureTrajectory(Trajectory):
    """A trajectory whose turns show pictures. Turns that show none are as those of any other."""

    messages: tuple[PictureTurn, ...]
    """The turns, from the first that the model saw."""


def turn(before: Iterable[Turn], message: Message, **fields_: Any) -> Turn:
    """Returns `message` as the turn that follows `before`, with its id.

    Args:
        fields_: further fields of the turn.
    """
    values = {field.name: getattr(message, field.name) for field in fields(Message)}
    if message.shown:
        made: Turn = PictureTurn(**values, pictures=message.shown, **fields_)
    else:
        made = Turn(**values, **fields_)
    return replace(made, id=_id(tuple(before), made))


def turns_of(messages: Iterable[Message], **fields_: Any) -> tuple[Turn, ...]:
    """Returns messages as the first turns of a trajectory: a prompt, which nobody sampled."""
    turns: tuple[Turn, ...] = ()
    for message in messages:
        turns = (*turns, turn(turns, message, **fields_))
    return turns


def with_content(before: Iterable[Turn], each: Turn, content: str) -> Turn:
    """Returns the turn that follows `before` with other content, and the id that it has with it."""
    made = replace(each, content=content)
    return replace(made, id=_id(tuple(before), made))


def appended(before: Iterable[Turn], following: Iterable[Turn]) -> tuple[Turn, ...]:
    """Returns turns and those that are to follow them, which are given the ids that they have
    there."""
    turns = tuple(before)
    for each in following:
        turns = (*turns, replace(each, id=_id(turns, each)))
    return turns


def sampled(text: str, request: str, continues: bool = False) -> Turn:
    """Returns a text that a model wrote as a turn without an id.

    Args:
        request: id in the ledger of the request that it answers.
    """
    return Turn("assistant", text, sampled=True, request=request, continues=continues)


def in_one(turns: Iterable[Turn], joint: str = "", continues: bool = False) -> list[Turn]:
    """Returns turns of the model, without ids, as one message: each goes on in the one before it.

    Args:
        joint: text between them, which nobody sampled; empty is none.
        continues: whether the first goes on in the message before it.

    >>> [turn.content for turn in in_one([Turn("assistant", "a"), Turn("assistant", "b")], " ")]
    ['a', ' ', 'b']
    """
    made: list[Turn] = []
    for each in turns:
        if made and joint:
            made.append(Turn("assistant", joint, continues=True))
        made.append(replace(each, continues=continues or bool(made)))
    return made


def joined(one: tuple[Turn, ...], sentence: str, other: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Returns two parts of a text, turns without ids, as one that goes on in the other; between
    them stands a sentence that no model wrote."""
    between = Turn("assistant", sentence, continues=bool(one) and one[-1].role != "user")
    return (*one, between, replace(other[0], continues=True), *other[1:])


def _id(before: tuple[Turn, ...], made: Turn) -> str:
    last = before[-1].id if before else ""
    said = [made.role, made.content, made.later(), made.continues, made.agent]
    return content_id("turn", last, *said)


def as_messages(turns: Iterable[Turn]) -> tuple[Message, ...]:
    """Returns the messages that a model was shown: turns that continue one are joined with it.

    >>> as_messages([Turn("assistant", "1 + 1 = "), Turn("tool", "2", continues=True)])[0].content
    '1 + 1 = 2'
    """
    names = [field.name for field in fields(Message)]
    messages: list[Message] = []
    for each in turns:
        values, seen = {name: getattr(each, name) for name in names}, each.shown
        if each.continues and messages:
            last = messages.pop()
            values = {name: getattr(last, name) for name in names}
            values["content"] += each.content
            seen = (*last.shown, *(replace(p, at=p.at + len(last.content)) for p in seen))
        messages.append(PictureMessage(**values, pictures=seen) if seen else Message(**values))
    return tuple(messages)


def learned(each: Turn) -> tuple[tuple[int, int], ...]:
    """Returns the parts of a turn's content that are learned: (first character, behind its last).

    >>> learned(Turn("assistant", "abcdef", sampled=True, spans=(Span(2, 4, "failed"),)))
    ((0, 2), (4, 6))
    """
    if not each.sampled or each.unlearned is not None:
        return ()
    parts, start = [], 0
    for span in sorted(each.spans, key=lambda span: span.start):
        parts.append((start, span.start))
        start = max(start, span.end)
    parts.append((start, len(each.content)))
    return tuple((begin, end) for begin, end in parts if begin < end)
