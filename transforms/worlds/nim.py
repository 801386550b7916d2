"""Nim: take from heaps; who takes the last one wins."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import xor
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World


class State(NamedTuple):
    heaps: tuple[int, ...]
    mover: int
    """0 or 1: who moves next."""


class Nim(World[State]):
    name = "nim"
    players = 2
    harder = "length"
    rules = """\
Two players take turns; matches lie in heaps, numbered from 1. A move takes one or more matches
from one heap and is written `take 3 from 2`: three matches from heap 2, which must have as many.
Who takes the last match of all wins. The score is 1 where the first player wins, 0 where the
second does, and 0.5 before the end."""
    examples = (
        Example(
            State((1, 4), 0),
            ("take 3 from 2", "take 1 from 1"),
            "heaps: 0, 1; the first player moves",
            ("take 2 from 1", "take 0 from 2"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        heaps = tuple(rng.randint(1, 2 + 2 * level) for _ in range(2 + (level + 1) // 2))
        return State(heaps, 0) if sum(heaps) > 2 * level + 2 else None

    def moves(self, state: State) -> Iterator[str]:
        for number, size in enumerate(state.heaps, 1):
            yield from (f"take {count} from {number}" for count in range(1, size + 1))

    def after(self, state: State, move: str) -> State:
        _, count, _, number = move.split()
        heaps = list(state.heaps)
        heaps[int(number) - 1] -= int(count)
        return State(tuple(heaps), 1 - state.mover)

    def over(self, state: State) -> bool:
        return not any(state.heaps)

    def score(self, state: State) -> float:
        return float(state.mover) if self.over(state) else 0.5

    def render(self, state: State) -> str:
        who = ("first", "second")
        end = f"the {who[1 - state.mover]} player has won"
        mover = end if self.over(state) else f"the {who[state.mover]} player moves"
        return f"heaps: {', '.join(map(str, state.heaps))}; {mover}"

    def solve(self, state: State) -> tuple[str, ...] | None:
        """Best play: leave heaps whose exclusive or is 0 where that can be done (Bouton 1901)."""
        moves = []
        while not self.over(state):
            sums = {m: reduce(xor, self.after(state, m).heaps) for m in self.legal(state)}
            moves.append(min(sums, key=lambda move: sums[move] != 0))
            state = self.after(state, moves[-1])
        return tuple(moves)

    def why(self, state: State, move: str) -> str:
        _, count, _, number = move.split()
        size = state.heaps[int(number) - 1]
        return f"heap {number} has {size or 'no'} match{'es' * (size != 1)}" * (size < int(count))

    def facts(self, state: State) -> Mapping[str, Any]:
        filled = [f"heap {n}" for n, size in enumerate(state.heaps, 1) if size]
        return {
            "the number of matches in all heaps": Fact.added(state.heaps),
            "the size of the largest heap": max(state.heaps),
            "the number of heaps that have matches": Fact.counted(filled),
        }


WORLD = Nim()
