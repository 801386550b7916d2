"""A game turn by turn: what its player is shown, and what becomes of what it writes. Nothing here
imports Beam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transforms.worlds.base import manual
from transforms.worlds.game import Game


class Turns:
    """The turns of the one who plays a game by writing moves: after an illegal move it is asked
    once more, and a second one in a row ends the game."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.goes_on = not game.is_over
        self.refused = False
        """Whether the last move was illegal."""

    @property
    def first(self) -> Mapping[str, Any]:
        """What the words before the first move are about."""
        world = self.game.world
        return {"rules": manual(world), "position": self.game.position, "players": world.players}

    @property
    def next(self) -> Mapping[str, Any]:
        """What the words before a later move are about: `replies` are moves of the opponent."""
        game = self.game
        return {"refused": self.refused, "replies": game.replies, "position": game.position}

    def take(self, move: str) -> None:
        """Makes a move, and the opponent's."""
        was_refused, self.refused = self.refused, not self.game.play(move)
        self.goes_on = not self.game.is_over and not (was_refused and self.refused)
