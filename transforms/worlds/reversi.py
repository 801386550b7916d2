"""Reversi: enclose the other's discs to turn them; who has more at the end wins."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, marked, place, square

_SIZES = {1: (4, 4), 2: (4, 6), 3: (6, 6), 4: (6, 8), 5: (8, 8)}
"""Level -> rows and columns."""
WAYS = tuple(way for way in product((-1, 0, 1), repeat=2) if way != (0, 0))


class State(NamedTuple):
    rows: tuple[str, ...]
    mover: int
    """0 for x, 1 for o."""


class Reversi(World[State]):
    name = "reversi"
    players = 2
    harder = "length"
    rules = """\
Two players, x (the first) and o, take turns. A move puts a disc of one's own on an empty square
(a dot) and is written as its name: `b3` is column b of row 3. From there, in at least one of the
eight directions, there must be an unbroken line of the other's discs with a disc of one's own
right behind them: all discs of all such lines are turned, and are one's own then. Who has no such
move must `pass`, which is legal in no other case. The game ends when neither has one. The score
is 1 where x has more discs then, 0.5 for equally many, 0 where o has more; before the end the
share of the discs that are x."""
    examples = (
        Example(
            State(("....", ".ox.", ".xo.", "...."), 0),
            ("a2",),
            """
  a b c d
1 . . . .
2 x x x .
3 . x o .
4 . . . .
o moves""",
            ("d2", "pass"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        height, width = _SIZES[level]
        grid = [["."] * width for _ in range(height)]
        row, column = height // 2, width // 2
        grid[row - 1][column - 1] = grid[row][column] = "o"
        grid[row - 1][column] = grid[row][column - 1] = "x"
        state = State(tuple(map("".join, grid)), 0)
        return self.opened(state, rng, 4)

    def _turned(self, state: State, mover: int, at: tuple[int, int]) -> list[tuple[int, int]]:
        own, others = "xo"[mover], "ox"[mover]
        turned = []
        for down, right in WAYS:
            line: list[tuple[int, int]] = []
            row, column = at[0] + down, at[1] + right
            while 0 <= row < len(state.rows) and 0 <= column < len(state.rows[0]):
                if state.rows[row][column] != others:
                    turned += line if state.rows[row][column] == own else []
                    break
                line.append((row, column))
                row, column = row + down, column + right
        return turned

    def _placings(self, state: State, mover: int) -> Iterator[str]:
        for row, line in enumerate(state.rows):
            for column, cell in enumerate(line):
                if cell == "." and self._turned(state, mover, (row, column)):
                    yield square(row, column)

    def moves(self, state: State) -> Iterator[str]:
        yield from list(self._placings(state, state.mover)) or ["pass"]

    def after(self, state: State, move: str) -> State:
        if move == "pass":
            return state._replace(mover=1 - state.mover)
        grid = [list(row) for row in state.rows]
        for row, column in [place(move), *self._turned(state, state.mover, place(move))]:
            grid[row][column] = "xo"[state.mover]
        return State(tuple(map("".join, grid)), 1 - state.mover)

    def over(self, state: State) -> bool:
        return not any(True for mover in (0, 1) for _ in self._placings(state, mover))

    def score(self, state: State) -> float:
        discs = "".join(state.rows)
        own, others = discs.count("x"), discs.count("o")
        return (
            0.5 + ((own > others) - (own < others)) / 2
            if self.over(state)
            else own / (own + others)
        )

    def render(self, state: State) -> str:
        mover = "the game is over" if self.over(state) else f"{'xo'[state.mover]} moves"
        return f"{board(state.rows)}\n{mover}"

    def why(self, state: State, move: str) -> str:
        own = "xo"[state.mover]
        if move == "pass":
            can = next(self._placings(state, state.mover), "")
            return f"{own} can place a disc, as on {can}" if can else ""
        row, column = place(move)
        if state.rows[row][column] != ".":
            return f"{move} is not empty"
        return "" if self._turned(state, state.mover, (row, column)) else "it turns no disc"

    def facts(self, state: State) -> Mapping[str, Any]:
        discs = {
            f"the number of {m} on the board": Fact.counted(marked(state.rows, m)) for m in "xo"
        }
        return discs | {
            f"the number of empty squares in row {n + 1}": Fact.counted(marked(state.rows, ".", n))
            for n in range(len(state.rows))
        }


WORLD = Reversi()
