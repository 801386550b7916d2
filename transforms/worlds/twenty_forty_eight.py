"""2048 with smaller targets: slide all tiles, and equal ones join."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, marked

SIDE = 4


class State(NamedTuple):
    cells: tuple[tuple[int, ...], ...]
    """0 is empty."""
    target: int
    seed: int


def slid(line: tuple[int, ...]) -> tuple[int, ...]:
    """Returns a line after its tiles slid to its beginning.

    >>> slid((2, 0, 2, 4)), slid((2, 2, 2, 2))
    ((4, 4, 0, 0), (4, 4, 0, 0))
    """
    tiles, joined = [tile for tile in line if tile], []
    while tiles:
        tile = tiles.pop(0)
        if tiles and tiles[0] == tile:
            tile += tiles.pop(0)
        joined.append(tile)
    return (*joined, *(0,) * (len(line) - len(joined)))


class TwentyFortyEight(World[State]):
    name = "twenty_forty_eight"
    chance = True
    harder = "length"
    rules = """\
Tiles with powers of two lie on a board of four rows and columns; an empty square is a dot. A move
is up, down, left or right: all tiles slide that way as far as they can. Two equal tiles that meet
join to one of twice the value; a joined tile does not join again in the same move, and of three
equal ones the two in front join. A move is illegal where nothing would slide or join. After each
move a new tile, a 2 or one time in ten a 4, appears on a random empty square. The game ends when
the largest tile is the target, or no move is legal. The score is the power of the largest tile
over that of the target, such as 4/5 for 16 of 32."""
    examples = (
        Example(
            State(((2, 2, 0, 4), (0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)), 16, 3),
            ("left",),
            """
  a b c d
1 4 4 . .
2 . 2 . .
3 . . . .
4 . . . .
target: 16""",
            ("up",),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        state = State(((0,) * SIDE,) * SIDE, 8 * 2**level, 0)
        for _ in range(3):
            state = self._with_new(state, rng)
        return state

    def _with_new(self, state: State, rng: random.Random) -> State:
        empty = [(r, c) for r in range(SIDE) for c in range(SIDE) if not state.cells[r][c]]
        row, column = rng.choice(empty)
        grid = [list(cells) for cells in state.cells]
        grid[row][column] = 4 if rng.random() < 0.1 else 2
        return state._replace(cells=tuple(map(tuple, grid)), seed=rng.getrandbits(32))

    def _slid(self, state: State, way: str) -> tuple[tuple[int, ...], ...]:
        cells = state.cells if way in ("left", "right") else tuple(zip(*state.cells, strict=True))
        step = -1 if way in ("right", "down") else 1
        lines = tuple(slid(line[::step])[::step] for line in cells)
        return lines if way in ("left", "right") else tuple(zip(*lines, strict=True))

    def moves(self, state: State) -> Iterator[str]:
        for way in ("up", "down", "left", "right"):
            if self._slid(state, way) != state.cells:
                yield way

    def after(self, state: State, move: str) -> State:
        rng = random.Random(state.seed)
        return self._with_new(state._replace(cells=self._slid(state, move)), rng)

    def over(self, state: State) -> bool:
        largest = max(map(max, state.cells))
        return largest >= state.target or not any(True for _ in self.moves(state))

    def score(self, state: State) -> float:
        largest = max(map(max, state.cells))
        return min(1.0, (largest.bit_length() - 1) / (state.target.bit_length() - 1))

    def render(self, state: State) -> str:
        rows = [[cell or "." for cell in row] for row in state.cells]
        return f"{board(rows)}\ntarget: {state.target}"

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Empty squares after the slide."""
        return sum(not cell for row in self._slid(state, move) for cell in row)

    def why(self, state: State, move: str) -> str:
        return "no tile would slide or join" * (self._slid(state, move) == state.cells)

    def facts(self, state: State) -> Mapping[str, Any]:
        tiles = [cell for row in state.cells for cell in row if cell]
        return {
            "the largest tile": max(tiles),
            "the sum of all tiles": Fact.added(tiles),
            "the number of tiles": Fact.added(SIDE - row.count(0) for row in state.cells),
            "the number of tiles that are 2": Fact.counted(marked(state.cells, [2])),
        }


WORLD = TwentyFortyEight()
