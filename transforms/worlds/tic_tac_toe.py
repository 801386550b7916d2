"""Tic-tac-toe on boards of several sizes: some marks in a line win."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from transforms.worlds.base import Example, Fact, marked, place, square
from transforms.worlds.lines import InLine, State

_SIZES = {1: (3, 3), 2: (4, 4), 3: (5, 4), 4: (6, 5), 5: (7, 5)}
"""Level -> the side of the board, and the marks of a line that wins."""


class TicTacToe(InLine):
    name = "tic_tac_toe"
    rules = """\
Two players, x and o, take turns on a square board; x, the first player, moved first. A move puts
one's own mark on an empty square (a dot) and is written as its name: `b3` is column b of row 3.
Who first has a given number of marks in an unbroken line, across, down or diagonally, wins; the
game ends then, or when the board is full, which is a draw. The score is 1 where x wins, 0.5 for a
draw (and before the end), 0 where o wins."""
    examples = (
        Example(
            State(("x.o", ".x.", "o.."), 3),
            ("c3",),
            """
  a b c
1 x . o
2 . x .
3 o . x
in a line: 3; x has won""",
            ("b2", "d1"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        side, line = _SIZES[level]
        state = State(("." * side,) * side, line)
        for _ in range(2):
            state = self.after(state, rng.choice(self.legal(state)))
        return state

    def moves(self, state: State) -> Iterator[str]:
        for row, cells in enumerate(state.rows):
            yield from (square(row, column) for column, cell in enumerate(cells) if cell == ".")

    def after(self, state: State, move: str) -> State:
        return self.marked(state, *place(move))

    def why(self, state: State, move: str) -> str:
        row, column = place(move)
        return f"{move} is not empty" * (state.rows[row][column] != ".")

    def facts(self, state: State) -> Mapping[str, Any]:
        marks = {
            f"the number of empty squares in row {n + 1}": Fact.counted(marked(state.rows, ".", n))
            for n in range(len(state.rows))
        }
        return marks | {"the number of x on the board": Fact.counted(marked(state.rows, "x"))}


WORLD = TicTacToe()
