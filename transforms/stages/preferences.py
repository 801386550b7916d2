"""Preferences: two answers to one prompt, and which of them is the better one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Tally, Verdict, keep, reject
from transforms.engine.groups import GroupMap
from transforms.engine.records import Derived, Message, PictureMessage, derived
from transforms.models.episode import Steps
from transforms.stages.trajectories.records import Trajectory, Turn, as_messages


@dataclass(frozen=True, kw_only=True)
class Preference(Derived):
    """A pair of answers, in the form that trainers of preferences read."""

    prompt: tuple[Message, ...]
    """The problem as the writer saw it."""
    chosen: tuple[Message, ...]
    """The answer that is preferred."""
    rejected: tuple[Message, ...]
    """The other one."""
    tools: str | None = None
    """The tools that the writer could call, as a JSON list; None where it calls none by name."""


@dataclass(frozen=True, kw_only=True)
class PicturePreference(Preference):
    """A pair of answers whose messages show pictures."""

    prompt: tuple[PictureMessage, ...]
    """The problem as the writer saw it."""
    chosen: tuple[PictureMessage, ...]
    """The answer that is preferred."""
    rejected: tuple[PictureMessage, ...]
    """The other one."""


def both_ways(stage: str, first: str | None, second: str | None) -> Steps[str | None]:
    """Returns the answer that a judge prefers of a pair that it saw in both orders, since judges
    favour a place (arXiv 2306.05685): its letter in the first order, or None where the preference
    changed with the order or cannot be read. A run's report shows how often each came about.

    Args:
        stage: name of the stage that counts it.
        first: the letter that it gave, A or B; None where none can be read.
        second: the letter that it gave with the answers in each other's place.
    """
    unread = first is None or second is None
    how = "unreadable" if unread else "changed" if first == second else "the same"
    yield Tally(stage, "pairs judged both ways", how, 1)
    return first if how == "the same" else None


Pairing = Literal["extremes", "outcomes"]


def pairs(group: Sequence[Any], score: str, rule: Pairing, right: float) -> Iterator[Any]:
    """Yields (better, worse) of a group, each record in one pair at most; ties go to the smallest
    id.

    Args:
        rule: extremes: the highest score with the lowest, the second with the last but one, and so
            on while they differ (DRM, arXiv 2510.11457); outcomes: one with a score of `right` or
            more with one of less (MedAgentGym, arXiv 2506.04405).
    """
    ordered = sorted(group, key=lambda each: (-getattr(each, score), each.id))
    if rule == "outcomes":
        good = [each for each in ordered if getattr(each, score) >= right]
        yield from zip(good, ordered[len(good) :], strict=False)
        return
    for place in range(len(ordered) // 2):
        better, worse = ordered[place], ordered[-1 - place]
        if getattr(better, score) == getattr(worse, score):
            return
        yield better, worse


@dataclass(kw_only=True)
class MakePairs(GroupMap):
    """PCollection[record] -> Outcome of Preference: pairs of attempts with the same prompt.

    Attempts that are in no pair are rejected.
    """

    name: str = "pairs"
    score: str = "score"
    """The records' field that says which of two is better."""
    text: str = "messages"
    """The field that holds the conversation."""
    rule: Pairing = "extremes"
    """extremes: the highest score with the lowest; outcomes: a right attempt with a wrong one."""
    right: float = 1.0
    """Score from which an attempt is right."""
    most: Annotated[int, Field(ge=1)] = 1
    """Pairs of a prompt, at most."""

    reads: ClassVar[type] = Derived
    writes: ClassVar[type] = Preference
    writes_pictures: ClassVar[type | None] = PicturePreference
    creates_records: ClassVar[bool] = True
    by_field: ClassVar[tuple[str, ...]] = ("by", "score", "text")
    reasons: ClassVar[Iterable[str]] = ("unpaired",)

    def of(self, group: Sequence[Any]) -> Iterator[tuple[Any, Verdict]]:
        asked: dict[tuple[Message, ...], list[Any]] = {}
        for each in group:
            asked.setdefault(self._parted(each)[0], []).append(each)
        for alike in asked.values():
            paired: set[str] = set()
            for better, worse in list(pairs(alike, self.score, self.rule, self.right))[: self.most]:
                paired |= {better.id, worse.id}
                yield self._preference(better, worse), keep()
            for each in alike:
                if each.id not in paired:
                    yield each, reject("unpaired", f"{self.score} {getattr(each, self.score):.3g}")

    def _preference(self, better: Any, worse: Any) -> Preference:
        (prompt, chosen), (_, rejected) = map(self._parted, (better, worse))
        made = derived(better, "preference", worse.id, calls=worse.calls)
        tools = getattr(better, "tools", None)
        return _made(prompt, chosen, rejected, tools=tools, **made)

    def _parted(self, record: Any) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
        """The prompt, up to the first turn of the model, and the rest."""
        turns = getattr(record, self.text)
        own = [
            n for n, turn in enumerate(turns) if getattr(turn, "sampled", turn.role == "assistant")
        ]
        first = min(own, default=len(turns))
        parts = (turns[:first], turns[first:])
        prompt, rest = (
            as_messages(p) if turns and isinstance(turns[0], Turn) else p for p in parts
        )
        return prompt, rest


@dataclass(kw_only=True)
class PairTurns(GroupMap):
    """PCollection[Trajectory] -> Outcome of Preference: wherever attempts at a problem part, the
    turn that serves best there and the one that serves worst, as answers to what both follow.

    A turn is worth the mean score of the attempts that go on from it. Turns whose attempts are
    worth the same make no pair; attempts that go on from none of a pair are rejected.
    """

    name: str = "pairs"

    reads: ClassVar[type] = Trajectory
    writes: ClassVar[type] = Preference
    writes_pictures: ClassVar[type | None] = PicturePreference
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = ("unpaired",)

    def of(self, group: Sequence[Trajectory]) -> Iterator[tuple[Any, Verdict]]:
        ways: dict[str, dict[str, list[Trajectory]]] = {}
        for each in group:
            for before, turn in pairwise(each.messages):
                if turn.sampled and not turn.continues:
                    ways.setdefault(before.id, {}).setdefault(turn.id, []).append(each)
        paired: set[str] = set()
        for turns in ways.values():
            worth = {turn: fmean(each.score for each in through) for turn, through in turns.items()}
            best, worst = (sorted(turns, key=lambda turn: (-worth[turn], turn))[n] for n in (0, -1))
            if worth[best] > worth[worst]:
                yield _between(turns[best][0], best, turns[worst][0], worst), keep()
                paired |= {each.id for turn in (best, worst) for each in turns[turn]}
        for each in group:
            if each.id not in paired:
                yield each, reject("unpaired", f"score {each.score:.3g}")


def _between(better: Trajectory, best: str, worse: Trajectory, worst: str) -> Preference:
    """The preference for the turn `best` over the turn `worst`, by their ids."""
    chosen, rejected = (
        next((place, turn) for place, turn in enumerate(row.messages) if turn.id == name)
        for row, name in ((better, best), (worse, worst))
    )
    return _made(
        as_messages(better.messages[: chosen[0]]),
        as_messages([chosen[1]]),
        as_messages([rejected[1]]),
        tools=better.tools,
        **derived(better, "preference", best, worst, calls=worse.calls),
    )


def _made(
    prompt: tuple[Message, ...],
    chosen: tuple[Message, ...],
    rejected: tuple[Message, ...],
    **fields: Any,
) -> Preference:
    """A pair, of the type that has a place for what its messages show."""
    shows = any(message.shown for message in (*prompt, *chosen, *rejected))
    made: type[Preference] = PicturePreference if shows else Preference
    return made(prompt=prompt, chosen=chosen, rejected=rejected, **fields)
