"""Tic-tac-toe on boards of several sizes: some marks in a line win."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, World, board, place, square

_SIZES = {1: (3, 3), 2: (4, 4), 3: (5, 4), 4: (6, 5), 5: (7, 5)}
"""Level -> the side of the board, and the marks of a line that wins."""
LINES = ((0, 1), (1, 0), (1, 1), (1, -1))


class State(NamedTuple):
    rows: tuple[str, ...]
    line: int
    """Marks in a line that win."""


def has_line(rows: tuple[str, ...], mark: str, length: int) -> bool:
    """Returns whether a mark has a line of that length, across, down or diagonally.

    >>> has_line((".x", "x."), "x", 2)
    True
    """
    squares = {(r, c) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell == mark}
    return any(
        all((r + n * down, c + n * right) in squares for n in range(length))
        for r, c in squares
        for down, right in LINES
    )


class TicTacToe(World[State]):
    name = "tic_tac_toe"
    players = 2
    harder = "length"
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

    def turn(self, state: State) -> int:
        marks = "".join(state.rows)
        return int(marks.count("x") > marks.count("o"))

    def moves(self, state: State) -> Iterator[str]:
        for row, cells in enumerate(state.rows):
            yield from (square(row, column) for column, cell in enumerate(cells) if cell == ".")

    def after(self, state: State, move: str) -> State:
        row, column = place(move)
        line = state.rows[row]
        line = line[:column] + "xo"[self.turn(state)] + line[column + 1 :]
        return state._replace(rows=(*state.rows[:row], line, *state.rows[row + 1 :]))

    def over(self, state: State) -> bool:
        full = "." not in "".join(state.rows)
        return full or any(has_line(state.rows, mark, state.line) for mark in "xo")

    def score(self, state: State) -> float:
        won = [has_line(state.rows, mark, state.line) for mark in "xo"]
        return 0.5 + (won[0] - won[1]) / 2

    def render(self, state: State) -> str:
        ends = {0.0: "o has won", 0.5: "a draw", 1.0: "x has won"}
        mover = ends[self.score(state)] if self.over(state) else f"{'xo'[self.turn(state)]} moves"
        return f"{board(state.rows)}\nin a line: {state.line}; {mover}"

    def facts(self, state: State) -> Mapping[str, Any]:
        marks = {
            f"the number of empty squares in row {n}": row.count(".")
            for n, row in enumerate(state.rows, 1)
        }
        return marks | {"the number of x on the board": "".join(state.rows).count("x")}


WORLD = TicTacToe()
