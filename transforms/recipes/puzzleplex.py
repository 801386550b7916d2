"""puzzleplex: puzzles and games played by a model, turn by turn or by a program that it writes.

After PuzzlePlex (arXiv 2510.06475). Seeds are instances of `transforms.worlds.instances.positions`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import apache_beam as beam
from apache_beam.pvalue import PCollection
from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import canonical_json, derived_seed
from transforms.engine.records import Seed, derived
from transforms.models.episode import ModelEpisode, Steps
from transforms.models.prompts import PromptTemplate
from transforms.models.responses import ResponseReason
from transforms.models.settings import SamplerSettings
from transforms.sandbox.settings import SandboxSettings
from transforms.stages.games import by_program, by_turns
from transforms.stages.trajectories.converse import Limits, begin
from transforms.stages.trajectories.dialogues import DIALOGUES
from transforms.stages.trajectories.records import Ended, Trajectory
from transforms.worlds.game import Game
from transforms.worlds.instances import Instance
from transforms.worlds.turns import Turns


@dataclass(kw_only=True)
class Play(ModelEpisode):
    """PCollection[Seed] (an instance of a world) -> Outcome of Trajectory: `sampler.samples` games
    from each instance. Of two players the model is the first."""

    name: str = "play"
    mode: Literal["turns", "program"] = "turns"
    """The model makes each move, or writes a program that makes all of them."""
    program_prompt: PromptTemplate
    next_prompt: PromptTemplate
    """Words between moves: the position, or that a move was illegal."""
    opponent: Literal["random", "greedy", "exact"] = "greedy"
    """Who plays the second of two players."""
    moves: Annotated[int, Field(ge=1)] = 100
    """Requests of a game, or moves of its program, at most."""
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Lowest score that is kept; of a puzzle the share of what its first position left to win."""
    sampler: SamplerSettings
    sandbox: SandboxSettings

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Trajectory
    creates_records: ClassVar[bool] = True
    reasons: ClassVar[Iterable[str]] = (
        *ResponseReason,
        *(why for why in Ended if why not in (Ended.ANSWERED, Ended.REFUSED)),
        *("no_instance", "low_score"),
    )

    def opened(self, records: PCollection) -> PCollection:
        samples = range(self.sampler.samples)
        return records | "Games" >> beam.FlatMap(lambda seed: [(seed, n) for n in samples])

    def episode(self, drawn: tuple[Seed, int]) -> Steps[tuple[Any, Verdict]]:
        seed, sample = drawn
        instance = Instance.of(seed)
        if instance is None:
            return seed, reject("no_instance", "seeds come from worlds.instances.positions")
        chance = random.Random(derived_seed(self.run_seed, "opponent", seed.id, sample))
        game = Game(instance.world, instance.state, self.opponent, chance)
        turns = Turns(game)
        request = self.requests(
            self.sampler, prompt=self.prompt if self.mode == "turns" else self.program_prompt,
            state=repr(game.seen), **turns.first,
        )[sample]  # fmt: skip
        talk = begin(request, DIALOGUES["native"], Limits(cells=self.moves, turns=self.moves))
        if self.mode == "turns":
            yield from by_turns(turns, talk, self.next_prompt)
        else:
            yield from by_program(game, talk)
        verdict = talk.verdict
        if verdict.kept and game.won < self.at_least:
            verdict = reject("low_score", f"{game.won:.3g}")
        said = {
            **{"world": instance.name, "level": instance.level, "seed": instance.seed},
            **{"mode": self.mode, "opponent": self.opponent, "moves": game.moves},
        }
        row = Trajectory(
            problem=seed.problem,
            reference=None,
            messages=self.stored(talk.turns),  # type: ignore[arg-type]
            answer=game.position,
            score=game.score,
            ended=str(talk.ended),
            sample=sample,
            asks=len(talk.responses),
            cells=talk.cells,
            data=canonical_json(said),
            **derived(seed, "game", self.mode, sample, calls=self.calls(*talk.responses)),
        )
        return row, verdict
