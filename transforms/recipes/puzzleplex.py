"""puzzleplex: puzzles and games played by a model, turn by turn or by a program that it writes.

After PuzzlePlex (arXiv 2510.06475). Seeds are instances of `transforms.worlds.instances.positions`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.ids import derived_seed
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.models.prompts import PromptTemplate
from transforms.stages.games import by_program, by_turns
from transforms.stages.trajectories.conversation import Limits, begin
from transforms.stages.trajectories.converse import Converse, Tried
from transforms.worlds.game import Game
from transforms.worlds.instances import Instance
from transforms.worlds.turns import Turns


@dataclass(kw_only=True)
class Play(Converse):
    """PCollection[Seed] (an instance of a world) -> Outcome of Trajectory: `sampler.samples` games
    from each instance. Of two players the model is the first.

    A game has at most `turns` requests, one by a program at most `cells` moves. The prompts are
    rendered with what `Turns.first` says, and with `state`, what a program is given.
    """

    name: str = "play"
    mode: Literal["turns", "program"] = "turns"
    """The model makes each move, or writes a program that makes all of them."""
    program_prompt: PromptTemplate
    next_prompt: PromptTemplate
    """Words between moves: the position, or that a move was illegal."""
    opponent: Literal["random", "greedy", "exact"] = "greedy"
    """Who plays the second of two players."""
    at_least: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Lowest score that is kept; of a puzzle the share of what its first position left to win."""
    turns: Annotated[int, Field(ge=1)] = 100
    cells: Annotated[int, Field(ge=1)] = 100

    reasons: ClassVar[Iterable[str]] = (*Converse.reasons, "no_instance", "low_score")

    def unfit(self, seed: Seed) -> Verdict | None:
        if Instance.of(seed) is not None:
            return None
        return reject("no_instance", "seeds come from transforms.worlds.instances.positions")

    def attempt(self, seed: Seed, sample: int, start: tuple[str, ...]) -> Steps[Tried]:
        instance = Instance.of(seed)
        assert instance is not None
        chance = random.Random(derived_seed(self.run_seed, "opponent", seed.id, sample))
        game = Game(instance.world, instance.state, self.opponent, chance)
        turns, is_program = Turns(game), self.mode == "program"
        prompt = self.program_prompt if is_program else self.prompt
        asked = self.request(sample, prompt, state=repr(game.seen), **turns.first)
        talk = begin(asked, self.dialogue, Limits(self.cells, self.turns))
        yield from by_program(game, talk) if is_program else by_turns(turns, talk, self.next_prompt)
        talk.final, talk.data = (
            game.position,
            {
                **{"world": instance.name, "level": instance.level, "seed": instance.seed},
                **{"mode": self.mode, "opponent": self.opponent, "moves": game.moves},
            },
        )
        verdict = talk.verdict
        if verdict.kept and game.won < self.at_least:
            verdict = reject("low_score", f"{game.won:.3g}")
        return self.tried(talk, game.score, verdict)
