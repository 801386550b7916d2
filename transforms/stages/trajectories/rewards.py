"""What single turns are worth: rewards, discounted returns, and advantages within a group."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, keep
from transforms.engine.groups import GroupMap
from transforms.engine.stage import Map
from transforms.stages.trajectories.dialogue_forms import DIALOGUES
from transforms.stages.trajectories.dialogues import Body
from transforms.stages.trajectories.records import Ended, Trajectory, Turn
from transforms.text.shingles import code_tokens, shingles


def returns(rewards: Sequence[float], gamma: float) -> list[float]:
    """Returns for each turn its reward and the later ones, each discounted by `gamma` a turn.

    >>> [round(value, 2) for value in returns([0, -0.1, 1], 0.9)]
    [0.72, 0.8, 1]
    """
    values: list[float] = []
    for reward in reversed(rewards):
        values.append(reward + gamma * values[-1] if values else reward)
    return values[::-1]


def normalised(values: Sequence[float]) -> list[float]:
    """Returns values less their mean, divided by their standard deviation; zeros where all are
    equal.

    >>> normalised([1, 3]), normalised([2, 2])
    ([-1.0, 1.0], [0.0, 0.0])
    """
    spread = statistics.pstdev(values) if values else 0.0
    mean = statistics.fmean(values) if values else 0.0
    return [(value - mean) / spread if spread > 1e-9 else 0.0 for value in values]


def advantages(rewards: Sequence[Sequence[float]], gamma: float) -> list[list[float]]:
    """Returns the advantage of each turn of a group of attempts at one problem: its discounted
    return, normalised over all turns of the group (GTPO, arXiv 2511.14846).

    Args:
        rewards: of the turns of each attempt.
    """
    found = [returns(each, gamma) for each in rewards]
    rest = iter(normalised([value for values in found for value in values]))
    return [[next(rest) for _ in values] for values in found]


def retool_reward(is_right: bool, turns: int) -> float:
    """Returns the reward of verl's recipe for ReTool (arXiv 2504.11536): 1 for a right answer; for
    a wrong one -1, and 0.05 more for each turn after the second, up to -0.6.

    >>> retool_reward(True, 4), retool_reward(False, 4), retool_reward(False, 12)
    (1.0, -0.9, -0.6)
    """
    return 1.0 if is_right else min(-0.6, -1 + (turns - 2) / 2 * 0.1)


_MALFORMED = re.compile(
    r"^(?:(?:Syntax|Indentation|Tab)Error:|the call (?:is no JSON|has no )|there is no tool )",
    re.MULTILINE,
)
"""What is shown of code that does not parse, and of a call that cannot be read."""
_FORMS = [each for each in DIALOGUES.values() if each.body in (Body.CODE, Body.NATIVE)]


def code_of(turns: Iterable[Turn]) -> str:
    """Returns the code that a model wrote in its turns, blocks and calls, in any form of
    dialogue."""
    calls = (
        called
        for turn in turns
        for form in (*_FORMS, DIALOGUES["hermes"])
        for called in (form.read(turn.content, turn.tool_calls or ()) if turn.sampled else ())
    )
    return "\n".join(dict.fromkeys(called.code for called in calls))


def likeness(one: str, other: str) -> float:
    """Returns how much of two programs' token trigrams is the same (Jaccard similarity).

    >>> likeness("a = 1 + 2", "a = 1 + 2"), likeness("a = 1 + 2", "print(7)")
    (1.0, 0.0)
    """
    sets = [set(shingles(code_tokens(code), 3)) if code.strip() else set() for code in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1]) if sets[0] | sets[1] else 0.0


@dataclass(kw_only=True)
class RewardTurns(Map):
    """PCollection[Trajectory] -> Outcome of the same with a reward on each turn that was sampled:
    the score on the last one, `malformed` on those that were badly formed, else 0.

    Badly formed is a turn whose code does not parse or whose call cannot be read, and the last one
    where the conversation ended because it left its form.
    """

    name: str = "rewards"
    malformed: float = -0.1
    """Reward of a turn that was badly formed."""

    reads: ClassVar[type] = Trajectory

    def of(self, trajectory: Trajectory) -> Trajectory:
        turns = list(trajectory.messages)
        own = [place for place, turn in enumerate(turns) if turn.sampled]
        for place, following in zip(own, [*own[1:], len(turns)], strict=True):
            shown = (turn.content for turn in turns[place + 1 : following])
            bad = any(_MALFORMED.search(text) for text in shown)
            turns[place] = replace(turns[place], reward=self.malformed if bad else 0.0)
        if own:
            failed = self.malformed if trajectory.ended == Ended.FORMAT else 0.0
            reward = (turns[own[-1]].reward or failed) + trajectory.score
            turns[own[-1]] = replace(turns[own[-1]], reward=reward)
        return replace(trajectory, messages=tuple(turns))


@dataclass(kw_only=True)
class Advantages(GroupMap):
    """PCollection[Trajectory] -> Outcome of the same with the advantage of each turn among those of
    all attempts at the problem (`advantages`).

    With `shaping`, the last turn of an attempt that is wrong is worth more the more its code is
    like that of an attempt at the same problem that is right.
    """

    name: str = "advantages"
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Discount of later rewards, a turn."""
    shaping: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Reward of a wrong attempt whose code is that of a right one."""
    right: float = 1.0
    """Score from which an attempt is right."""

    reads: ClassVar[type] = Trajectory

    def of(self, group: Sequence[Trajectory]) -> Iterator[tuple[Any, Verdict]]:
        right = [code_of(each.messages) for each in group if each.score >= self.right]
        rewards = [self._rewards(each, right) for each in group]
        for each, values in zip(group, advantages(rewards, self.gamma), strict=True):
            rest = iter(values)
            turns = (replace(t, advantage=next(rest)) if t.sampled else t for t in each.messages)
            yield replace(each, messages=tuple(turns)), keep()

    def _rewards(self, trajectory: Trajectory, right: Sequence[str]) -> list[float]:
        own = [turn.reward or 0.0 for turn in trajectory.messages if turn.sampled]
        if own and self.shaping and trajectory.score < self.right:
            code = code_of(trajectory.messages)
            own[-1] += self.shaping * max((likeness(code, each) for each in right), default=0.0)
        return own
