"""Exact search in worlds: shortest solutions of one player, best play of two."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, TypeVar

from transforms.worlds.base import S, World

Node = TypeVar("Node")


def shortest(
    world: World[Any],
    state: Any,
    most: int = 100_000,
    distance: Callable[[Any], int] = lambda state: 0,
) -> tuple[str, ...] | None:
    """Returns a shortest way to score 1 of a single player without chance (A*).

    None where there is none, or where more than `most` states would have to be looked at.

    Args:
        distance: state -> moves that are still needed, at least; it falls by at most 1 a move.
    """
    tie = count()
    queue: list[tuple[int, int, Any]] = [(distance(state), next(tie), state)]
    came: dict[Any, tuple[Any, str] | None] = {state: None}
    length = {state: 0}
    done: set[Any] = set()
    while queue and len(done) < most:
        _, _, at = heapq.heappop(queue)
        if at in done:
            continue
        done.add(at)
        if world.over(at) and world.score(at) == 1:
            moves = []
            while (step := came[at]) is not None:
                at, move = step
                moves.append(move)
            return tuple(reversed(moves))
        for move in world.legal(at):
            new = world.after(at, move)
            if length[at] + 1 < length.get(new, sys.maxsize):
                length[new], came[new] = length[at] + 1, (at, move)
                heapq.heappush(queue, (length[new] + distance(new), next(tie), new))
    return None


class Searched(World[S]):
    """A puzzle with so few states that a search finds a shortest solution of every instance."""

    solvable = True

    def solve(self, state: S) -> tuple[str, ...] | None:
        return shortest(self, state)


class TooLarge(Exception):
    """A game has more positions than a search may look at."""


def best_play(world: World[Any], state: Any, most: int = 5000) -> tuple[str, ...] | None:
    """Returns the moves of best play by both of two players, without chance (minimax).

    None where more than `most` positions would have to be looked at.
    """
    values: dict[Any, float] = {}
    try:
        _value(world, state, values, most)
        moves = []
        while legal := world.legal(state):
            move = max(legal, key=lambda m: _for_mover(world, state, values[world.after(state, m)]))
            moves.append(move)
            state = world.after(state, move)
            _value(world, state, values, most)
        return tuple(moves)
    except TooLarge:
        return None


def scores(world: World[Any], states: Iterable[Any], most: int = 1000) -> list[float] | None:
    """Returns what best play by both gives the first player from each state; None as for
    `best_play`, for all of them together."""
    values: dict[Any, float] = {}
    try:
        return [_value(world, state, values, most) for state in states]
    except TooLarge:
        return None


def _value(world: World[Any], state: Any, values: dict[Any, float], most: int) -> float:
    if state not in values:
        if len(values) >= most:
            raise TooLarge
        legal = world.legal(state)
        better = max if world.turn(state) == 0 else min
        values[state] = (
            better([_value(world, world.after(state, move), values, most) for move in legal])
            if legal
            else world.score(state)
        )
    return values[state]


def _for_mover(world: World[Any], state: Any, score: float) -> float:
    return score if world.turn(state) == 0 else 1 - score


def filled(
    node: Node, choices: Callable[[Node], Iterable[Node] | None], most: int = 100_000
) -> Node | None:
    """Returns the first complete node below one, depth first; None where there is none.

    Args:
        choices: node -> the nodes below it; None where it is complete.
    """
    found = list(every(node, choices, 1, most))
    return found[0] if found else None


def every(
    node: Node, choices: Callable[[Node], Iterable[Node] | None], wanted: int, most: int = 100_000
) -> list[Node]:
    """Returns up to `wanted` complete nodes below one, depth first; args as for `filled`."""
    found: list[Node] = []
    stack = [node]
    while stack and len(found) < wanted and most:
        most -= 1
        below = choices(at := stack.pop())
        if below is None:
            found.append(at)
        else:
            stack += reversed(list(below))
    return found
