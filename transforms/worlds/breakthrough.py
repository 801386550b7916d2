"""Breakthrough: bring a pawn to the other side."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, marked, place, square

_SIZES = {1: (4, 3, 1), 2: (5, 4, 1), 3: (6, 4, 2), 4: (7, 5, 2), 5: (8, 6, 2)}
"""Level -> rows, columns, rows of pawns of each player."""


class State(NamedTuple):
    rows: tuple[str, ...]
    mover: int
    """0 for x, 1 for o."""


class Breakthrough(World[State]):
    name = "breakthrough"
    players = 2
    harder = "length"
    rules = """\
Two players, x (the first) and o, take turns; x moves towards row 1, o towards the last row. A
move is written `b3 to b2`. A pawn moves one square forward, straight or diagonally. Straight
ahead, the square must be empty (a dot); diagonally it may be empty or have a pawn of the other's,
which is taken off. Who first has a pawn on the farthest row wins, and so does who takes the last
pawn of the other. Who has no legal move when it is his turn loses. The score is 1 where x wins, 0
where o wins; before the end the share of the pawns that are x."""
    examples = (
        Example(
            State(("o.o", ".o.", "x..", "..x"), 0),
            ("a3 to b2",),
            """
  a b c
1 o . o
2 . x .
3 . . .
4 . . x
o moves""",
            ("a3 to b3", "c4 to c2"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        height, width, pawns = _SIZES[level]
        middle = ("." * width,) * (height - 2 * pawns)
        state = State((("o" * width,) * pawns + middle + ("x" * width,) * pawns), 0)
        return self.opened(state, rng, 4)

    def moves(self, state: State) -> Iterator[str]:
        own, forward = "xo"[state.mover], (-1, 1)[state.mover]
        for row, line in enumerate(state.rows):
            for column, cell in enumerate(line):
                if cell != own or not 0 <= row + forward < len(state.rows):
                    continue
                for to in (column - 1, column, column + 1):
                    if 0 <= to < len(line):
                        there = state.rows[row + forward][to]
                        if there == "." or (there != own and to != column):
                            yield f"{square(row, column)} to {square(row + forward, to)}"

    def after(self, state: State, move: str) -> State:
        at, to = map(place, move.split(" to "))
        grid = [list(row) for row in state.rows]
        grid[to[0]][to[1]], grid[at[0]][at[1]] = grid[at[0]][at[1]], "."
        return State(tuple(map("".join, grid)), 1 - state.mover)

    def _winner(self, state: State) -> int | None:
        pawns = "".join(state.rows)
        if "x" in state.rows[0] or "o" not in pawns:
            return 0
        if "o" in state.rows[-1] or "x" not in pawns:
            return 1
        return None if any(True for _ in self.moves(state)) else 1 - state.mover

    def over(self, state: State) -> bool:
        return self._winner(state) is not None

    def score(self, state: State) -> float:
        winner, pawns = self._winner(state), "".join(state.rows)
        if winner is not None:
            return float(winner == 0)
        return pawns.count("x") / (pawns.count("x") + pawns.count("o"))

    def render(self, state: State) -> str:
        winner = self._winner(state)
        end = f"{'xo'[state.mover]} moves" if winner is None else f"{'xo'[winner]} has won"
        return f"{board(state.rows)}\n{end}"

    def why(self, state: State, move: str) -> str:
        at, to = map(place, move.split(" to "))
        own, forward = "xo"[state.mover], (-1, 1)[state.mover]
        if state.rows[at[0]][at[1]] != own:
            return f"{square(*at)} has no pawn of {own}"
        if to[0] - at[0] != forward or abs(to[1] - at[1]) > 1:
            return f"{square(*to)} is not one square forward for {own}"
        if state.rows[to[0]][to[1]] == own:
            return f"{square(*to)} has a pawn of {own} itself"
        ahead = at[1] == to[1] and state.rows[to[0]][to[1]] != "."
        return f"straight ahead, {square(*to)} is not empty" * ahead

    def facts(self, state: State) -> Mapping[str, Any]:
        pawns = {f"the number of pawns of {m}": Fact.counted(marked(state.rows, m)) for m in "xo"}
        return pawns | {
            f"the number of pawns in row {n + 1}": Fact.counted(marked(state.rows, "xo", n))
            for n in range(len(state.rows))
        }


WORLD = Breakthrough()
