"""Same game: take off groups of one colour, and let the rest fall."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, beside, board, marked, place, square

_SIZES = {1: (3, 4, 2), 2: (4, 4, 3), 3: (5, 5, 3), 4: (6, 6, 3), 5: (7, 7, 3)}
"""Level -> rows, columns, colours."""
Square = tuple[int, int]


class State(NamedTuple):
    rows: tuple[str, ...]
    """From the top; `.` is empty."""


class SameGame(World[State]):
    name = "same_game"
    harder = "length"
    rules = """\
Stones with letters for their colours lie on a board. Stones of one colour that touch by their
sides are a group. A move takes off a whole group of two or more stones, and is written as the
name of its first square, in the topmost of its rows the leftmost: `b3` is column b of row 3. Then
stones fall straight down into empty squares (dots), and columns that are empty are closed: those
to the right move to the left. The game ends when no group has two stones. The score is the share
of the squares that are empty at the end, and so far before it."""
    examples = (
        Example(
            State(("ab.", "bbc", "abc")),
            ("b1", "b2"),
            """
  a b c
1 . . .
2 a . .
3 a . .""",
            ("a2", "a1"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        rows, columns, colours = _SIZES[level]
        state = State(tuple("".join(rng.choices("abc"[:colours], k=columns)) for _ in range(rows)))
        return state if not self.over(state) else None

    def _group(self, state: State, at: Square) -> set[Square]:
        colour, group, edge = state.rows[at[0]][at[1]], set(), [at]
        while edge:
            here = edge.pop()
            if here not in group:
                group.add(here)
                near = beside(*here, len(state.rows), len(state.rows[0]))
                edge += [(r, c) for r, c in near if state.rows[r][c] == colour]
        return group

    def moves(self, state: State) -> Iterator[str]:
        seen: set[Square] = set()
        for row, cells in enumerate(state.rows):
            for column, cell in enumerate(cells):
                if cell != "." and (row, column) not in seen:
                    group = self._group(state, (row, column))
                    seen |= group
                    if len(group) > 1:
                        yield square(row, column)

    def after(self, state: State, move: str) -> State:
        group, height = self._group(state, place(move)), len(state.rows)
        columns = []
        for column in range(len(state.rows[0])):
            cells = [state.rows[row][column] for row in range(height) if (row, column) not in group]
            columns.append("".join(cells).replace(".", "").rjust(height, "."))
        columns.sort(key=lambda cells: cells == "." * height)
        return State(tuple(map("".join, zip(*columns, strict=True))))

    def score(self, state: State) -> float:
        cells = "".join(state.rows)
        return cells.count(".") / len(cells)

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Fewer stones without a neighbour of their colour are better."""
        after = self.after(state, move)
        stones = [(r, c) for r, cells in enumerate(after.rows) for c in range(len(cells))]
        return -sum(
            after.rows[r][c] != "." and len(self._group(after, (r, c))) == 1 for r, c in stones
        )

    def render(self, state: State) -> str:
        return board(state.rows)

    def why(self, state: State, move: str) -> str:
        row, column = place(move)
        if state.rows[row][column] == ".":
            return f"{move} is empty"
        group = self._group(state, (row, column))
        if len(group) == 1:
            return f"no stone of its colour touches that on {move}"
        first = square(*min(group))
        return f"the first square of its group is {first}" * (move != first)

    def facts(self, state: State) -> Mapping[str, Any]:
        return {
            f"the number of stones of colour {colour}": Fact.counted(marked(state.rows, colour))
            for colour in "abc"
            if marked(state.rows, colour)
        } | {"the number of empty squares": Fact.added(row.count(".") for row in state.rows)}


WORLD = SameGame()
