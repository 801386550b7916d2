"""Connect four, also on smaller boards: discs fall down their column."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, World, board
from transforms.worlds.tic_tac_toe import has_line

_SIZES = {1: (3, 4, 3), 2: (4, 4, 4), 3: (4, 5, 4), 4: (5, 6, 4), 5: (6, 7, 4)}
"""Level -> rows, columns, discs of a line that wins."""


class State(NamedTuple):
    rows: tuple[str, ...]
    """From the top."""
    line: int
    """Discs in a line that win."""


class ConnectFour(World[State]):
    name = "connect_four"
    players = 2
    harder = "length"
    rules = """\
Two players, x and o, take turns; x, the first player, moved first. A move drops a disc of one's
own into a column and is written as the column's letter; the disc falls to the lowest empty square
(a dot) of it. A column whose top square is taken is full, and illegal. Who first has a given
number of discs in an unbroken line, across, down or diagonally, wins; the game ends then, or when
the board is full, which is a draw. The score is 1 where x wins, 0.5 for a draw (and before the
end), 0 where o wins."""
    examples = (
        Example(
            State(("..o.", "..x.", "x.o."), 3),
            ("a", "d"),
            """
  a b c d
1 . . o .
2 x . x .
3 x . o o
in a line: 3; x moves""",
            ("c", "e"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        rows, columns, line = _SIZES[level]
        while True:
            state = State(("." * columns,) * rows, line)
            for _ in range(4):
                if not self.over(state):
                    state = self.after(state, rng.choice(self.legal(state)))
            if not self.over(state):
                return state

    def turn(self, state: State) -> int:
        discs = "".join(state.rows)
        return int(discs.count("x") > discs.count("o"))

    def moves(self, state: State) -> Iterator[str]:
        yield from (chr(97 + n) for n, cell in enumerate(state.rows[0]) if cell == ".")

    def after(self, state: State, move: str) -> State:
        column = ord(move) - 97
        row = max(n for n, cells in enumerate(state.rows) if cells[column] == ".")
        line = state.rows[row]
        line = line[:column] + "xo"[self.turn(state)] + line[column + 1 :]
        return state._replace(rows=(*state.rows[:row], line, *state.rows[row + 1 :]))

    def over(self, state: State) -> bool:
        full = "." not in state.rows[0]
        return full or any(has_line(state.rows, mark, state.line) for mark in "xo")

    def score(self, state: State) -> float:
        won = [has_line(state.rows, mark, state.line) for mark in "xo"]
        return 0.5 + (won[0] - won[1]) / 2

    def render(self, state: State) -> str:
        ends = {0.0: "o has won", 0.5: "a draw", 1.0: "x has won"}
        mover = ends[self.score(state)] if self.over(state) else f"{'xo'[self.turn(state)]} moves"
        return f"{board(state.rows)}\nin a line: {state.line}; {mover}"

    def facts(self, state: State) -> Mapping[str, Any]:
        return {
            f"the number of discs in column {chr(97 + n)}": sum(row[n] != "." for row in state.rows)
            for n in range(len(state.rows[0]))
        }


WORLD = ConnectFour()
