"""Games of `recipe=puzzleplex` turn by turn, for an exported environment.

The module imports neither Beam nor a model library.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from itertools import count
from typing import NamedTuple

import yaml
from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from transforms.engine.ids import derived_seed
from transforms.engine.paths import DATA
from transforms.stages.graders import last_block
from transforms.worlds import world
from transforms.worlds.game import Game
from transforms.worlds.turns import Turns


class Plays(NamedTuple):
    """What a row of `recipe=puzzleplex` plays."""

    world: str
    level: int
    opponent: str
    """A name in `transforms.worlds.players.PLAYERS`."""


class Match(NamedTuple):
    """A game that is to be played: an instance of a world, with the randomness of the opponent."""

    world: str
    level: int
    seed: int
    opponent: str

    def opened(self) -> Turns:
        """Returns the game at its beginning."""
        made = world(self.world)
        chance = random.Random(derived_seed(self.seed, "opponent"))
        return Turns(Game(made, made.generate(self.seed, self.level), self.opponent, chance))


class Player:
    """A match as a conversation: texts that are said to its player, who answers with moves."""

    def __init__(self, match: Match) -> None:
        self.turns = match.opened()
        self.said = _words("turns").render(**self.turns.first).strip()
        """What the player is told now."""

    def answer(self, text: str) -> bool:
        """Takes the move in the last fenced block of an answer; returns whether the game goes on.
        Then `said` has what comes next."""
        self.turns.take(last_block(text) or "")
        if self.turns.goes_on:
            self.said = _words("next").render(**self.turns.next).strip()
        return self.turns.goes_on

    @property
    def won(self) -> float:
        """The reward, 0 to 1 (`Game.won`)."""
        return self.turns.game.won


@cache
def _words(name: str) -> Template:
    """A prompt of the recipe, rendered as its stages render it."""
    text = (DATA / "prompts" / "puzzleplex" / f"{name}.yaml").read_text("utf-8")
    words = yaml.safe_load(text)["chat"]["user"]
    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(words)


def matches(plays: Plays, seed: int, *parts: object) -> Iterator[Match]:
    """Yields matches of a world, level and opponent, each instance once."""
    made, seen = world(plays.world), set()
    for number in count():
        match = Match(plays.world, plays.level, derived_seed(seed, *parts, number), plays.opponent)
        state = made.generate(match.seed, match.level)
        if state not in seen:
            seen.add(state)
            yield match
        elif number > 20 * len(seen):
            return


def solution(match: Match) -> tuple[str, ...]:
    """Returns answers that win a match, for puzzles with an exact solver; else none."""
    game = match.opened().game
    moves = game.world.solve(game.state) if game.world.solvable else None
    return tuple(f"```\n{move}\n```" for move in moves or ())


def wins(match: Match, answers: str) -> bool:
    """Whether answers (a JSON list) win a match."""
    player = Player(match)
    for answer in json.loads(answers):
        player.answer(answer)
    return player.won == 1
