"""Baselines that play any world: at random, greedily, and exactly where that can be done."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from transforms.worlds.base import World
from transforms.worlds.search import best_play, scores

Player = Callable[[World[Any], Any, random.Random], str]
"""(world, a state that is not over, randomness) -> a legal move."""

MOST = 400
"""Moves of a game that nobody ends, such as one with tiles pushed to and fro."""


def by_chance(world: World[Any], state: Any, rng: random.Random) -> str:
    """Returns any legal move."""
    return rng.choice(world.legal(state))


def greedy(world: World[Any], state: Any, rng: random.Random) -> str:
    """Returns a move that looks best (`World.hint`), any of those that look equally good."""
    hints = {move: world.hint(state, move, rng) for move in world.legal(state)}
    best = max(hints.values())
    return rng.choice([move for move, hint in hints.items() if hint == best])


def exact(world: World[Any], state: Any, rng: random.Random) -> str:
    """Returns the first move of a solution, or of best play; a greedy one where there is no exact
    solver, or the game is too large for it."""
    moves = world.solve(state)
    if moves is None and world.players == 2 and not world.chance:
        moves = best_play(world, state)
    return moves[0] if moves else greedy(world, state, rng)


PLAYERS: dict[str, Player] = {"random": by_chance, "greedy": greedy, "exact": exact}
"""The baselines by name."""


class Played(NamedTuple):
    """A game that was played."""

    moves: tuple[str, ...]
    state: Any
    """The last one."""


def play_out(
    world: World[Any], state: Any, players: Sequence[Player], rng: random.Random, most: int = MOST
) -> Played:
    """Plays from a state until the game is over, or for `most` moves.

    Args:
        players: one for each player of the world.
    """
    moves: list[str] = []
    while len(moves) < most and world.legal(state):
        moves.append(players[world.turn(state)](world, state, rng))
        state = world.step(state, moves[-1])
    return Played(tuple(moves), state)


def mean_score(world: World[Any], player: str, starts: Sequence[Any]) -> float:
    """Returns the mean score of a baseline over instances; of two players that of the first, where
    the second plays at random."""
    both = (PLAYERS[player], by_chance)
    games = (play_out(world, start, both, random.Random(n)) for n, start in enumerate(starts))
    return fmean(world.score(game.state) for game in games)


def difficulty(world: World[Any], starts: Sequence[Any]) -> float:
    """Returns the mean over instances of a level of what grows with it (`World.harder`)."""
    if world.harder == "random":
        return 1 - mean_score(world, "random", starts)
    if world.harder == "solution":
        return fmean(len(world.solve(start) or ()) for start in starts)
    both = (greedy if world.harder == "greedy" else by_chance,) * 2
    games = (play_out(world, start, both, random.Random(n)) for n, start in enumerate(starts))
    return fmean(len(game.moves) for game in games)


def values(world: World[Any], state: Any, moves: Sequence[str]) -> dict[str, float] | None:
    """Returns what legal moves are worth to the one who makes them.

    Of one player that is minus the number of moves that a shortest solution needs after it, or 0
    where the solver does not look for the shortest, and minus infinity where there is none; of two
    it is the score that best play by both leads to. None where that is not known exactly.
    """
    if world.chance or world.hidden or (world.players == 1 and not world.solvable):
        return None
    after = {move: world.after(state, move) for move in moves}
    if world.players == 2:
        found = scores(world, after.values())
        if found is None:
            return None
        own = found if world.turn(state) == 0 else [1 - score for score in found]
        return dict(zip(moves, own, strict=True))
    worth: dict[str, float] = {}
    for move, new in after.items():
        done = world.over(new) and world.score(new) == 1
        left = () if done else world.solve(new)
        worth[move] = float("-inf") if left is None else -len(left) * world.fewest
    return worth
