"""Mancala (kalah): sow seeds around the board; who has more in the store wins."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World

_SIZES = {1: (3, 2), 2: (3, 4), 3: (4, 4), 4: (5, 4), 5: (6, 4)}
"""Level -> pits of a player, and seeds in each on average."""


class State(NamedTuple):
    pits: tuple[tuple[int, ...], tuple[int, ...]]
    """Seeds in the pits of each player, in the order in which they sow."""
    stores: tuple[int, int]
    mover: int


class Mancala(World[State]):
    name = "mancala"
    players = 2
    harder = "length"
    rules = """\
Two players have a row of pits each, numbered from 1, and a store behind their last pit. A move is
written as the number of a pit of one's own that has seeds: all of them are taken out and sown one
by one into one's next pits, one's store, the other's pits from 1 on, and so around, leaving out
the other's store. Where the last seed falls into one's store, one moves again. Where it falls
into an empty pit of one's own and the other's pit opposite (the first pit is opposite the other's
last) has seeds, that seed and those go into one's store. The game ends when the pits of either
player are all empty; what is left in the other's pits goes into the other's store. The score is
the first player's share of all seeds in stores at the end, and so far before it (0.5 where there
are none)."""
    examples = (
        Example(
            State(((1, 0, 2), (2, 1, 0)), (0, 0), 0),
            ("1",),
            """
first player: pits 0, 0, 2; store 2
second player: pits 2, 0, 0; store 0
the second player moves""",
            ("2", "4"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        pits, seeds = _SIZES[level]
        drawn = [rng.randrange(2 * pits) for _ in range(pits * 2 * (seeds - 1))]
        counts = [1 + drawn.count(n) for n in range(2 * pits)]
        return State((tuple(counts[:pits]), tuple(counts[pits:])), (0, 0), 0)

    def moves(self, state: State) -> Iterator[str]:
        yield from (str(n) for n, seeds in enumerate(state.pits[state.mover], 1) if seeds)

    def after(self, state: State, move: str) -> State:
        own, other = list(state.pits[state.mover]), list(state.pits[1 - state.mover])
        count, store, at = len(own), state.stores[state.mover], int(move) - 1
        seeds, own[at] = own[at], 0
        for _ in range(seeds):
            at = (at + 1) % (2 * count + 1)
            if at < count:
                own[at] += 1
            elif at == count:
                store += 1
            else:
                other[at - count - 1] += 1
        if at < count and own[at] == 1 and other[count - 1 - at]:
            store += 1 + other[count - 1 - at]
            own[at] = other[count - 1 - at] = 0
        stores = [store, state.stores[1 - state.mover]]
        if not any(own) or not any(other):
            stores = [stores[0] + sum(own), stores[1] + sum(other)]
            own = other = [0] * count
        sides = (tuple(own), tuple(other)), (stores[0], stores[1])
        mover = state.mover if at == count else 1 - state.mover
        if state.mover == 0:
            return State(*sides, mover)
        return State((sides[0][1], sides[0][0]), (sides[1][1], sides[1][0]), mover)

    def over(self, state: State) -> bool:
        return not any(map(any, state.pits))

    def score(self, state: State) -> float:
        return state.stores[0] / sum(state.stores) if any(state.stores) else 0.5

    def render(self, state: State) -> str:
        who = ("first", "second")
        lines = [
            f"{name} player: pits {', '.join(map(str, pits))}; store {store}"
            for name, pits, store in zip(who, state.pits, state.stores, strict=True)
        ]
        end = "the game is over" if self.over(state) else f"the {who[state.mover]} player moves"
        return "\n".join([*lines, end])

    def why(self, state: State, move: str) -> str:
        return f"pit {move} is empty" * (not state.pits[state.mover][int(move) - 1])

    def facts(self, state: State) -> Mapping[str, Any]:
        empty = [
            f"pit {n} of the {name} player"
            for name, pits in zip(("first", "second"), state.pits, strict=True)
            for n, seeds in enumerate(pits, 1)
            if not seeds
        ]
        return {
            "the number of seeds in the first player's pits": Fact.added(state.pits[0]),
            "the number of seeds in the second player's pits": Fact.added(state.pits[1]),
            "the number of seeds in both stores": Fact.added(state.stores),
            "the number of empty pits": Fact.counted(empty),
        }


WORLD = Mancala()
