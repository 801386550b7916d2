"""Sudoku of 4 by 4 and 6 by 6: fill the blanks so that no number repeats."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, marked, place, square
from transforms.worlds.search import every, filled

_SIZES = {1: (4, 5), 2: (4, 9), 3: (6, 14), 4: (6, 18), 5: (6, 22)}
"""Level -> the side, and how many squares are blank."""


class State(NamedTuple):
    side: int
    cells: tuple[int, ...]
    """Row by row; 0 is a blank."""
    blanks: int
    """Blanks at the start."""


class Sudoku(World[State]):
    name = "sudoku"
    harder = "solution"
    solvable = True
    rules = """\
A square board is divided into blocks: one of side 4 into blocks of two rows and two columns, one
of side 6 into blocks of two rows and three columns. Numbers run from 1 to the side; blanks are
dots. A move writes a number into a blank: `b3=4` writes 4 into column b of row 3. It is legal
where that number is not yet in the same row, column or block; what was written stays. The game
ends when all blanks are filled, or no move is legal. The score is the share of the blanks that
are filled. At first, there is one way to fill all of them."""
    examples = (
        Example(
            State(4, (1, 2, 3, 4, 3, 4, 0, 2, 2, 1, 4, 3, 4, 3, 2, 0), 2),
            ("c2=1", "d4=1"),
            """
  a b c d
1 1 2 3 4
2 3 4 1 2
3 2 1 4 3
4 4 3 2 1""",
            ("c2=3", "a1=1"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        side, blanks = _SIZES[level]
        while True:
            empty = State(side, (0,) * side**2, 0)
            full = filled(empty, lambda state: self._fillings(state, rng))
            assert full is not None
            cells, left = list(full.cells), blanks
            for at in rng.sample(range(side**2), side**2):
                before, cells[at] = cells[at], 0
                if len(every(State(side, tuple(cells), 0), self._fillings, 2)) > 1:
                    cells[at] = before
                elif not (left := left - 1):
                    return State(side, tuple(cells), blanks)

    def _fits(self, state: State, at: int) -> list[int]:
        side, rows = state.side, 2
        columns = side // rows
        row, column = divmod(at, side)
        top, left = row - row % rows, column - column % columns
        near = {state.cells[row * side + n] for n in range(side)}
        near |= {state.cells[n * side + column] for n in range(side)}
        near |= {state.cells[(top + n // columns) * side + left + n % columns] for n in range(side)}
        return [number for number in range(1, side + 1) if number not in near]

    def _fillings(self, state: State, rng: random.Random | None = None) -> list[State] | None:
        """The states after filling the blank that fewest numbers fit; None where none is blank."""
        fits = {at: self._fits(state, at) for at, cell in enumerate(state.cells) if not cell}
        if not fits:
            return None
        at = min(fits, key=lambda at: len(fits[at]))
        numbers = rng.sample(fits[at], len(fits[at])) if rng else fits[at]
        return [self._with(state, at, number) for number in numbers]

    def _with(self, state: State, at: int, number: int) -> State:
        return state._replace(cells=(*state.cells[:at], number, *state.cells[at + 1 :]))

    def moves(self, state: State) -> Iterator[str]:
        for at, cell in enumerate(state.cells):
            if not cell:
                for number in self._fits(state, at):
                    yield f"{square(*divmod(at, state.side))}={number}"

    def after(self, state: State, move: str) -> State:
        name, number = move.split("=")
        row, column = place(name)
        return self._with(state, row * state.side + column, int(number))

    def score(self, state: State) -> float:
        return 1 - state.cells.count(0) / state.blanks

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Fills a blank that few numbers fit."""
        row, column = place(move.split("=")[0])
        return -len(self._fits(state, row * state.side + column))

    def render(self, state: State) -> str:
        cells = [cell or "." for cell in state.cells]
        return board([cells[at : at + state.side] for at in range(0, len(cells), state.side)])

    def solve(self, state: State) -> tuple[str, ...] | None:
        full = filled(state, self._fillings)
        if full is None:
            return None
        pairs = enumerate(zip(state.cells, full.cells, strict=True))
        return tuple(
            f"{square(*divmod(at, state.side))}={new}" for at, (old, new) in pairs if not old
        )

    def why(self, state: State, move: str) -> str:
        name, written = move.split("=")
        (row, column), number = place(name), int(written)
        at, side = row * state.side + column, state.side
        if state.cells[at]:
            return f"{name} is no blank"
        if number in state.cells[row * side : row * side + side]:
            return f"row {row + 1} has {number} already"
        if number in state.cells[column::side]:
            return f"column {name[0]} has {number} already"
        return "" if number in self._fits(state, at) else f"its block has {number} already"

    def facts(self, state: State) -> Mapping[str, Any]:
        rows = [state.cells[at : at + state.side] for at in range(0, len(state.cells), state.side)]
        blank = {
            f"the number of blanks in row {n + 1}": Fact.counted(marked(rows, [0], n))
            for n in range(state.side)
        }
        return blank | {
            f"the sum of row {n}": Fact.added(filter(None, row)) for n, row in enumerate(rows, 1)
        }


WORLD = Sudoku()
