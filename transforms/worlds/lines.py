"""Games of two players on a board, of which some marks in a line win."""

from __future__ import annotations

from typing import NamedTuple

from transforms.worlds.base import World, board

LINES = ((0, 1), (1, 0), (1, 1), (1, -1))


class State(NamedTuple):
    rows: tuple[str, ...]
    """From the top."""
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


class InLine(World[State]):
    """Players x and o, who mark an empty square (a dot) in turn; x, the first, moved first."""

    players = 2
    harder = "length"

    def turn(self, state: State) -> int:
        marks = "".join(state.rows)
        return int(marks.count("x") > marks.count("o"))

    def marked(self, state: State, row: int, column: int) -> State:
        """Returns the position after who moves has marked a square."""
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
