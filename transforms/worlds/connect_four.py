"""Connect four, also on smaller boards: discs fall down their column."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from transforms.worlds.base import Example, Fact, marked
from transforms.worlds.lines import InLine, State

_SIZES = {1: (3, 4, 3), 2: (4, 4, 4), 3: (4, 5, 4), 4: (5, 6, 4), 5: (6, 7, 4)}
"""Level -> rows, columns, discs of a line that wins."""


class ConnectFour(InLine):
    name = "connect_four"
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
            state = self.opened(State(("." * columns,) * rows, line), rng, 4)
            if state is not None:
                return state

    def moves(self, state: State) -> Iterator[str]:
        yield from (chr(97 + n) for n, cell in enumerate(state.rows[0]) if cell == ".")

    def after(self, state: State, move: str) -> State:
        column = ord(move) - 97
        row = max(n for n, cells in enumerate(state.rows) if cells[column] == ".")
        return self.marked(state, row, column)

    def why(self, state: State, move: str) -> str:
        full = state.rows[0][ord(move) - 97] != "."
        return f"column {move} is full" * full

    def facts(self, state: State) -> Mapping[str, Any]:
        return {
            f"the number of discs in column {chr(97 + n)}": Fact.counted(
                name for name in marked(state.rows, "xo") if name[0] == chr(97 + n)
            )
            for n in range(len(state.rows[0]))
        }


WORLD = ConnectFour()
