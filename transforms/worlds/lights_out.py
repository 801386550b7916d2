"""Lights out: a press toggles a lamp and its neighbours; put all of them out."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, beside, board, marked, place, square


class State(NamedTuple):
    lit: tuple[tuple[bool, ...], ...]


class LightsOut(World[State]):
    name = "lights_out"
    harder = "solution"
    solvable = True
    rules = """\
Lamps stand on a square board; a lit one is shown as *, one that is out as a dot. A move presses a
lamp and is written as the name of its square: `b3` is column b of row 3. A press toggles this
lamp and those that share a side with it: what was lit goes out, and what was out is lit. Every
lamp can be pressed. The game ends when all lamps are out. The score is the share of the lamps
that are out."""
    examples = (
        Example(
            State(((True, False), (False, True))),
            ("a1",),
            """
  a b
1 . *
2 * *""",
            ("c1", "a9"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        side = 3 if level < 4 else 5
        squares = [(row, column) for row in range(side) for column in range(side)]
        state = State(((False,) * side,) * side)
        for at in rng.sample(squares, 2 * level):
            state = self.after(state, square(*at))
        solution = self.solve(state)
        return state if solution and len(solution) >= 2 * level - 1 else None

    def moves(self, state: State) -> Iterator[str]:
        side = range(len(state.lit))
        yield from (square(row, column) for row in side for column in side)

    def after(self, state: State, move: str) -> State:
        at, side = place(move), len(state.lit)
        toggled = {at, *beside(*at, side, side)}
        rows = enumerate(state.lit)
        return State(
            tuple(tuple(on ^ ((r, c) in toggled) for c, on in enumerate(row)) for r, row in rows)
        )

    def over(self, state: State) -> bool:
        return not any(map(any, state.lit))

    def score(self, state: State) -> float:
        return 1 - sum(map(sum, state.lit)) / len(state.lit) ** 2

    def render(self, state: State) -> str:
        return board([["*" if on else "." for on in row] for row in state.lit])

    def solve(self, state: State) -> tuple[str, ...] | None:
        """The fewest presses: those of the first row decide those of each row below it."""
        side = len(state.lit)
        found: list[tuple[str, ...]] = []
        for first in product((False, True), repeat=side):
            at, presses = state, []
            for row in range(side):
                for column in range(side):
                    if first[column] if row == 0 else at.lit[row - 1][column]:
                        presses.append(square(row, column))
                        at = self.after(at, presses[-1])
            if self.over(at):
                found.append(tuple(presses))
        return min(found, key=len, default=None)

    def facts(self, state: State) -> Mapping[str, Any]:
        rows = ["".join(".*"[on] for on in row) for row in state.lit]
        return {
            f"the number of lit lamps in row {n + 1}": Fact.counted(marked(rows, "*", n))
            for n in range(len(rows))
        } | {"the number of lit lamps": Fact.added(map(sum, state.lit))}


WORLD = LightsOut()
