"""A game under way between somebody who writes moves as text and a baseline."""

from __future__ import annotations

import random
from typing import Any

from transforms.worlds.base import World
from transforms.worlds.players import PLAYERS


class Game:
    """The game of one who makes the first player's moves; of two players a baseline is the second.

    Args:
        opponent: a name in `PLAYERS`.
        rng: the baseline's randomness.
    """

    def __init__(self, world: World[Any], state: Any, opponent: str, rng: random.Random) -> None:
        self.world, self.state = world, state
        self._opponent, self._rng = PLAYERS[opponent], rng
        self._at_first = world.score(state)
        self.moves: list[str] = []
        """All moves since the beginning, by both."""
        self.replies: list[str] = []
        """What the baseline answered to the last move."""
        self._answer()

    def play(self, text: str) -> bool:
        """Makes the move that a text writes, and the baseline's; returns whether it is legal. An
        illegal one changes nothing."""
        move = self.world.read(self.state, text)
        if move is not None:
            self._make(move)
            self._answer()
        return move is not None

    @property
    def is_over(self) -> bool:
        return not self.world.legal(self.state)

    @property
    def score(self) -> float:
        """The score; of two players 0 where the game was broken off."""
        broken_off = self.world.players == 2 and not self.is_over
        return 0.0 if broken_off else self.world.score(self.state)

    @property
    def won(self) -> float:
        """Of a puzzle the share of the score that its first position left to win, since a board of
        minesweeper begins with most squares open: 0 where it has a solution and ended without one,
        as a sudoku in which no number fits any more. Of two players the score."""
        if self.world.players == 2 or self._at_first == 1:
            return self.score
        if self.world.solvable and self.is_over and self.score < 1:
            return 0.0
        return max(0.0, (self.score - self._at_first) / (1 - self._at_first))

    @property
    def position(self) -> str:
        return self.world.render(self.state)

    @property
    def seen(self) -> dict[str, Any]:
        """What a program is given: what a player sees, the position as text, the legal moves."""
        legal = list(self.world.legal(self.state))
        return {**self.world.view(self.state), "position": self.position, "legal": legal}

    def _answer(self) -> None:
        self.replies = []
        while not self.is_over and self.world.turn(self.state) == 1:
            self.replies.append(self._opponent(self.world, self.state, self._rng))
            self._make(self.replies[-1])

    def _make(self, move: str) -> None:
        self.state = self.world.step(self.state, move)
        self.moves.append(move)
