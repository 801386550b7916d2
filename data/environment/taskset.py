"""Verified problems whose numbers are drawn anew, graded as cotmill verifies, and games that are
played turn by turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Literal

import verifiers.v1 as vf
from pydantic import Field

from transforms.publish.games import Match, Player, wins
from transforms.publish.instances import instances, problem_of
from transforms.publish.reward import reward

PROBLEMS = [
    problem_of(json.loads(line))
    for line in files(__package__).joinpath("problems.jsonl").read_text("utf-8").splitlines()
]


class ProblemData(vf.TaskData):
    """One instance of a problem."""

    row: dict[str, str]
    """What replies are held against, as `reward` reads it."""
    reference: str
    """A solution that the grader accepts; of a game the answers that win it, as JSON, or []."""
    match: tuple[str, int, int, str] | None = None
    """The game that is to be played (`transforms.publish.games.Match`)."""


class GraderConfig(vf.TaskConfig):
    """How replies are graded, under `--env.taskset.task.*`."""

    steps: bool = False
    """Whether the steps have to hold too, as in `cotmill`'s verification; else the answer alone."""
    sandbox: Literal["auto", "strict", "none"] = "auto"
    """Walls around what is run to compare answers; none runs nothing, and what exact rules cannot
    compare earns 0."""


class ProblemTask(vf.Task[ProblemData, vf.State, GraderConfig]):
    """A problem and its grader."""

    @vf.reward
    async def right(self, trace: vf.Trace) -> float:
        """1 where the last reply comes to the reference answer; of a game what was won."""
        if self.data.match is not None:
            return float(trace.info.get("won", 0.0))
        return await self.grade(trace.last_reply, truncated=trace.is_truncated)

    async def validate(self, runtime: vf.Runtime) -> bool | None:
        """Whether the reference solution is accepted, by its steps too; None for a game without."""
        if self.data.match is not None:
            known = self.data.reference != "[]"
            return wins(Match(*self.data.match), self.data.reference) if known else None
        return await self.grade(self.data.reference, steps=True) == 1

    async def grade(
        self, reply: str, *, steps: bool | None = None, truncated: bool = False
    ) -> float:
        """The reward of a reply."""
        steps = self.config.steps if steps is None else steps
        options = {"sandbox": self.config.sandbox, "steps": steps, "truncated": truncated}
        return await asyncio.to_thread(reward, reply, self.data.row, **options)


class CotmillConfig(vf.TasksetConfig):
    """Which problems are drawn, and how, under `--env.taskset.*`."""

    easiest: float = Field(0, ge=0, le=1)
    """Place of the easiest problem, from 0 to 1, by the share of attempts that failed at it and by
    what its program does."""
    hardest: float = Field(1, ge=0, le=1)
    """Place of the hardest problem."""
    spread: float = Field(1.67, gt=1)
    """A new number is at most so many times the old one, or that part of it: larger ones are
    harder to calculate with."""
    seed: int = Field(0, ge=0)
    """Another seed draws other numbers, in another order."""
    draws: int = Field(240, ge=1)
    """Inputs drawn at a time for a problem, of which most are refused."""
    sandbox: Literal["auto", "strict"] = "auto"
    """Walls around the problems' programs."""
    suffix: str = "\n\nGive your final answer in \\boxed{}."
    """What is added to each problem that a number or a text answers."""
    task: GraderConfig = GraderConfig()


class CotmillTaskset(vf.Taskset[ProblemTask, CotmillConfig]):
    """Problems in turns, with new numbers each turn."""

    INFINITE = any(problem.redrawn for problem in PROBLEMS)

    def load(self) -> Iterator[ProblemTask]:
        config = self.config
        chosen = [p for p in PROBLEMS if config.easiest <= p.difficulty <= config.hardest]
        if not chosen:
            raise ValueError(
                f"no problem is between easiest={config.easiest} and hardest={config.hardest}: "
                "widen the range"
            )
        for instance in instances(
            chosen,
            seed=config.seed,
            draws=config.draws,
            spread=config.spread,
            sandbox=config.sandbox,
        ):
            data = ProblemData(
                name=instance.problem_id,
                prompt=instance.instruction + (config.suffix if instance.in_words else ""),
                row=instance.row,
                reference=instance.reference,
                match=instance.match,
            )
            yield ProblemTask(data, config.task)


class CotmillEnv(vf.SingleAgentEnv):
    """One answer to a problem; a game is played until it ends, the engine answering each move."""

    async def run(self, task: vf.Task, agents: vf.Agents) -> None:
        if task.data.match is None:
            return await super().run(task, agents)
        player = Player(Match(*task.data.match))
        async with agents.agent.interaction(task) as talk:
            segment = await talk.turn()  # the prompt has the first position
            while not segment.terminated and player.answer(segment.last_reply):
                segment = await talk.turn(player.said)
            talk.trace.info["won"] = player.won
