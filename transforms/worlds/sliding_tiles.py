"""Sliding tiles: put the numbers of a 3 by 3 board in order by sliding them into the gap."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, World, beside, board, square
from transforms.worlds.search import shortest

SIDE = 3


class State(NamedTuple):
    cells: tuple[int, ...]
    """Row by row; 0 is the gap."""


class SlidingTiles(World[State]):
    name = "sliding_tiles"
    harder = "solution"
    solvable = True
    rules = """\
Eight tiles, numbered 1 to 8, lie on a board of three rows and three columns; one square is empty,
shown as a dot. A move slides a tile that shares a side with the empty square into it, and is
written as the tile's number. The game ends when the rows, from the top, are 1 2 3, then 4 5 6,
then 7 8 and the empty square. The score is the share of the eight tiles that are where they
belong."""
    examples = (
        Example(
            State((1, 2, 3, 4, 0, 5, 7, 8, 6)),
            ("5",),
            """
  a b c
1 1 2 3
2 4 5 .
3 7 8 6""",
            ("1", "6"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        state, before = State((1, 2, 3, 4, 5, 6, 7, 8, 0)), ""
        for _ in range(4 * level + rng.randrange(2)):
            # from the solved board on, which `legal` would call over; no tile goes back at once
            move = rng.choice([move for move in self.moves(state) if move != before])
            state, before = self.after(state, move), move
        return state if not self.over(state) else None

    def moves(self, state: State) -> Iterator[str]:
        gap = divmod(state.cells.index(0), SIDE)
        for row, column in beside(*gap, SIDE, SIDE):
            yield str(state.cells[row * SIDE + column])

    def after(self, state: State, move: str) -> State:
        tile = int(move)
        swap = {tile: 0, 0: tile}
        return State(tuple(swap.get(cell, cell) for cell in state.cells))

    def over(self, state: State) -> bool:
        return state.cells == (1, 2, 3, 4, 5, 6, 7, 8, 0)

    def score(self, state: State) -> float:
        return sum(cell == n for n, cell in enumerate(state.cells[:8], 1)) / 8

    def render(self, state: State) -> str:
        cells = [cell or "." for cell in state.cells]
        return board([cells[at : at + SIDE] for at in range(0, 9, SIDE)])

    def solve(self, state: State) -> tuple[str, ...] | None:
        return shortest(self, state, distance=_distance)

    def why(self, state: State, move: str) -> str:
        gap, at = (square(*divmod(state.cells.index(n), SIDE)) for n in (0, int(move)))
        apart = f"tile {move}, on {at}, shares no side with the empty square, {gap}"
        return apart * (move not in self.moves(state))

    def facts(self, state: State) -> Mapping[str, Any]:
        where = {cell: square(*divmod(at, SIDE)) for at, cell in enumerate(state.cells)}
        return {"the square of the gap": where.pop(0)} | {
            f"the square of tile {tile}": name for tile, name in where.items()
        }


def _distance(state: State) -> int:
    """Rows and columns that the tiles are away from their squares."""
    return sum(
        abs(at // SIDE - (cell - 1) // SIDE) + abs(at % SIDE - (cell - 1) % SIDE)
        for at, cell in enumerate(state.cells)
        if cell
    )


WORLD = SlidingTiles()
