"""Nonogram: paint squares so that each line has runs of the stated lengths."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, product
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, place, square
from transforms.worlds.search import filled

Runs = tuple[int, ...]


class State(NamedTuple):
    rows: tuple[Runs, ...]
    """Lengths of the painted runs of each row; () where none is painted."""
    columns: tuple[Runs, ...]
    painted: tuple[tuple[bool, ...], ...]


def runs(line: Sequence[bool]) -> Runs:
    """Returns the lengths of the painted runs of a line."""
    return tuple(len(list(group)) for painted, group in groupby(line) if painted)


class Nonogram(World[State]):
    name = "nonogram"
    harder = "solution"
    solvable = True
    rules = """\
A square board, blank at the start, is to be painted. For each row and column a list of lengths is
given: of its runs of painted squares, in order, with at least one unpainted square between two
runs; `-` where it has none. A move paints a square and is written as its name: `b3` is column b
of row 3. It is legal where the square is not yet painted, and fewer squares than the lengths add
up to are painted in its row, and in its column. Paint stays. The game ends when no move is legal.
The score is the share of rows and columns whose runs are exactly as listed."""
    examples = (
        Example(
            State(((2,), (1,)), ((2,), (1,)), ((True, False), (False, False))),
            ("b1",),
            """
  a b
1 # #
2 . .
rows: 1: 2; 2: 1
columns: a: 2; b: 1""",
            ("a1", "c1"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        side = 2 + level
        picture = [[rng.random() < 0.6 for _ in range(side)] for _ in range(side)]
        blank = ((False,) * side,) * side
        if sum(map(sum, picture)) < side:
            return None
        return State(tuple(map(runs, picture)), tuple(map(runs, zip(*picture, strict=True))), blank)

    def moves(self, state: State) -> Iterator[str]:
        side = range(len(state.rows))
        names = (square(row, column) for row in side for column in side)
        yield from (name for name in names if not self.why(state, name))

    def after(self, state: State, move: str) -> State:
        row, column = place(move)
        rows = [list(line) for line in state.painted]
        rows[row][column] = True
        return state._replace(painted=tuple(map(tuple, rows)))

    def score(self, state: State) -> float:
        lines = [*state.painted, *zip(*state.painted, strict=True)]
        clues = [*state.rows, *state.columns]
        right = sum(runs(line) == clue for line, clue in zip(lines, clues, strict=True))
        return right / len(clues)

    def render(self, state: State) -> str:
        def listed(clues: Sequence[Runs], names: Sequence[object]) -> str:
            pairs = zip(names, clues, strict=True)
            return "; ".join(f"{name}: {' '.join(map(str, c)) or '-'}" for name, c in pairs)

        cells = [["#" if painted else "." for painted in line] for line in state.painted]
        rows = listed(state.rows, range(1, len(cells) + 1))
        columns = listed(state.columns, "abcdefgh"[: len(cells)])
        return f"{board(cells)}\nrows: {rows}\ncolumns: {columns}"

    def solve(self, state: State) -> tuple[str, ...] | None:
        side = len(state.rows)

        def rows_below(above: tuple[tuple[bool, ...], ...]) -> list[Any] | None:
            if len(above) == side:
                return None
            drawn = state.painted[len(above)]
            return [
                (*above, line)
                for line in _lines(state.rows[len(above)], side)
                if all(new or not old for new, old in zip(line, drawn, strict=True))
                and _may_grow((*above, line), state.columns)
            ]

        picture: tuple[tuple[bool, ...], ...] | None = filled((), rows_below)
        if picture is None:
            return None
        return tuple(
            square(row, column)
            for row, line in enumerate(picture)
            for column, painted in enumerate(line)
            if painted and not state.painted[row][column]
        )

    def why(self, state: State, move: str) -> str:
        row, column = place(move)
        if state.painted[row][column]:
            return f"{move} is painted already"
        if sum(state.painted[row]) == sum(state.rows[row]):
            return f"row {row + 1} has no square left to paint"
        full = sum(line[column] for line in state.painted) == sum(state.columns[column])
        return f"column {move[0]} has no square left to paint" * full

    def facts(self, state: State) -> Mapping[str, Any]:
        pairs = enumerate(zip(state.rows, state.painted, strict=True), 1)
        what = "the number of squares left to paint in row"
        return {
            f"{what} {n}": Fact(
                sum(clue) - sum(line), f"{' + '.join(map(str, clue)) or 0} - {sum(line)}"
            )
            for n, (clue, line) in pairs
        }


@cache
def _lines(clue: Runs, side: int) -> tuple[tuple[bool, ...], ...]:
    """Returns the lines that have these runs."""
    return tuple(line for line in product((True, False), repeat=side) if runs(line) == clue)


def _may_grow(rows: Sequence[Sequence[bool]], columns: Sequence[Runs]) -> bool:
    """Whether rows from the top can be those of a picture with these columns."""
    return all(
        any(line[: len(rows)] == column for line in _lines(clue, len(columns)))
        for column, clue in zip(zip(*rows, strict=True), columns, strict=True)
    )


WORLD = Nonogram()
