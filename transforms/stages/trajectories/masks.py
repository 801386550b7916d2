"""Masks: which of the turns that a model wrote are not learned, and why.

A rule is a pure function of the turns that sets `Turn.unlearned` or adds spans; it says why, never
takes a mask back, and changes no text. What nobody sampled needs no rule: it is never learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, ClassVar

from pydantic import BeforeValidator

from transforms.engine.accounting import Verdict, reject
from transforms.engine.stage import Map, chosen
from transforms.stages.trajectories.errors import shows_error
from transforms.stages.trajectories.records import Span, Trajectory, Turn, learned

Turns = tuple[Turn, ...]


def unlearned(turn: Turn, reason: str) -> Turn:
    """Returns a turn as one that is not learned; the first reason stays."""
    return replace(turn, unlearned=turn.unlearned or reason) if turn.sampled else turn


def hidden(turn: Turn, start: int, end: int, reason: str) -> Turn:
    """Returns a turn of whose content the characters from `start` to before `end` are not learned
    either."""
    if not turn.sampled or start >= end:
        return turn
    return replace(turn, spans=(*turn.spans, Span(start, end, reason)))


def other_agents(turns: Turns, *, keep: tuple[str, ...]) -> Turns:
    """Turns of agents other than `keep`: one row for each role of a conversation."""
    return tuple(t if t.agent in keep else unlearned(t, "other_agent") for t in turns)


def demonstrations(turns: Turns, *, agent: str = "demonstration") -> Turns:
    """Turns of shown examples, which speak as `agent`."""
    return tuple(unlearned(t, "demonstration") if t.agent == agent else t for t in turns)


def output_blocks(turns: Turns, *, opening: str = "```output\n", closing: str = "```") -> Turns:
    """Outputs within text that a model wrote itself: the body and the closing mark, but not the
    opening one, which the model has to write (MuMath-Code, arXiv 2405.07551)."""
    return tuple(_without_blocks(turn, opening, closing) for turn in turns)


def _without_blocks(turn: Turn, opening: str, closing: str) -> Turn:
    text, end = turn.content, 0
    while (found := text.find(opening, end)) >= 0:
        start = found + len(opening)
        end = _behind(text, closing, start)
        turn = hidden(turn, start, end, "output")
    return turn


def _behind(text: str, closing: str, start: int) -> int:
    """Where a block ends that begins at `start`: behind its closing mark, or with the text."""
    end = text.find(closing, start)
    return len(text) if end < 0 else end + len(closing)


def failing_code(turns: Turns, *, opening: str = "```python\n", closing: str = "```") -> Turns:
    """The last block of code of a turn whose result shows an error, marks included (DualDistill,
    arXiv 2507.05707); the whole turn where it has no such block."""

    def without_code(turn: Turn) -> Turn:
        start = turn.content.rfind(opening)
        if start < 0:
            return unlearned(turn, "failing_code")
        end = _behind(turn.content, closing, start + len(opening))
        return hidden(turn, start, end, "failing_code")

    return _where_failed(turns, without_code)


def failed_calls(turns: Turns) -> Turns:
    """Turns whose code or call failed, while what they led to stays in sight (error-masked SFT of
    KAT-Coder, arXiv 2510.18779)."""
    return _where_failed(turns, partial(unlearned, reason="failed_call"))


def _where_failed(turns: Turns, change: Callable[[Turn], Turn]) -> Turns:
    """Changes the turns that a model wrote and whose results, up to its next turn, show an
    error."""
    changed, caller = list(turns), None
    for place, turn in enumerate(turns):
        if turn.sampled:
            caller = place
        elif caller is not None and (turn.failed or shows_error(turn.content)):
            changed[caller], caller = change(turns[caller]), None
    return tuple(changed)


def before(turns: Turns, *, sentences: tuple[str, ...]) -> Turns:
    """Everything before the first of some sentences, such as one that turns from a failed attempt
    to another way (DualDistill, arXiv 2507.05707); nothing where none of them occurs."""
    for place, turn in enumerate(turns):
        found = [start for each in sentences if (start := turn.content.find(each)) >= 0]
        if found:
            earlier = (unlearned(t, "before_switch") for t in turns[:place])
            return (*earlier, hidden(turn, 0, min(found), "before_switch"), *turns[place + 1 :])
    return turns


def all_but_last(turns: Turns, *, keep: int = 1) -> Turns:
    """All turns but the last that a model wrote, or the last few.

    Args:
        keep: how many are learned.
    """
    last = [0, *(place for place, turn in enumerate(turns) if turn.sampled)][-keep:][0]
    return (*(unlearned(turn, "not_last") for turn in turns[:last]), *turns[last:])


RULES: dict[str, Callable[..., Turns]] = {
    rule.__name__: rule
    for rule in (
        *(other_agents, demonstrations, output_blocks, failing_code, failed_calls),
        *(before, all_but_last),
    )
}
"""Name -> rule."""

Rule = Annotated[Callable[[Turns], Turns], BeforeValidator(partial(chosen, known=RULES))]
"""The type of a rule that a recipe chooses by name or import path, with arguments."""


@dataclass(kw_only=True)
class Mask(Map):
    """PCollection[Trajectory] -> Outcome of the same, with the masks of `rules`.

    A trajectory of which nothing is left to learn is rejected.
    """

    name: str = "mask"
    rules: tuple[Rule, ...]
    """Names in `RULES` or import paths, each alone or with arguments: `{before: {sentences:
    [Wait.]}}`."""

    reads: ClassVar[type] = Trajectory
    reasons: ClassVar[Iterable[str]] = ("nothing_learned",)

    def of(self, trajectory: Trajectory) -> Trajectory | Verdict:
        turns = trajectory.messages
        for rule in self.rules:
            turns = rule(turns)
        if not any(learned(turn) or is_call(turn) for turn in turns):
            return reject("nothing_learned", ", ".join(reasons_of(turns)))
        return replace(trajectory, messages=turns)


def is_call(turn: Turn) -> bool:
    """Whether a turn is learned for the calls of tools that it makes."""
    return turn.sampled and turn.unlearned is None and bool(turn.tool_calls)


def reasons_of(turns: Sequence[Turn]) -> list[str]:
    """Why parts of turns are not learned, each reason once, in alphabetical order."""
    whole = {turn.unlearned for turn in turns if turn.unlearned is not None}
    return sorted(whole | {span.reason for turn in turns for span in turn.spans})
