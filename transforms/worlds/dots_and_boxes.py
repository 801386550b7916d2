"""Dots and boxes: draw lines between dots; who closes more boxes wins."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, place, square

_SIZES = {1: (1, 3), 2: (2, 2), 3: (2, 3), 4: (3, 3), 5: (3, 4)}
"""Level -> rows and columns of boxes."""


class State(NamedTuple):
    rows: int
    """Of boxes."""
    columns: int
    drawn: tuple[str, ...]
    """Lines such as a1-b1, in order."""
    boxes: tuple[int, int]
    """Boxes that each player closed."""
    mover: int


def sides(row: int, column: int) -> tuple[str, str, str, str]:
    """Returns the lines around a box: above, left of, right of and below it.

    >>> sides(0, 0)
    ('a1-b1', 'a1-a2', 'b1-b2', 'a2-b2')
    """
    a, b = square(row, column), square(row, column + 1)
    c, d = square(row + 1, column), square(row + 1, column + 1)
    return f"{a}-{b}", f"{a}-{c}", f"{b}-{d}", f"{c}-{d}"


class DotsAndBoxes(World[State]):
    name = "dots_and_boxes"
    players = 2
    harder = "length"
    rules = """\
Dots (+) stand in rows and columns; `b3` is the dot in column b of row 3. Two players take turns.
A move draws a line between two dots that are next to each other in a row or column, and is
written `a1-b1` or `a1-a2`, the dot further up or left first. A line is drawn once. Who draws the
fourth side of a box of one by one closes it, and moves again; a line may close two boxes. The
game ends when all lines are drawn. The score is the first player's share of the boxes at the end;
before it 0.5, and more by half of each share that the first player is ahead."""
    examples = (
        Example(
            State(1, 2, ("a1-a2", "a1-b1", "a2-b2"), (0, 0), 0),
            ("b1-b2",),
            """
  a   b   c
1 +---+   +
  |   |
2 +---+   +
boxes: first player 1, second player 0; the first player moves""",
            ("a1-a2", "a1-b2"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        rows, columns = _SIZES[level]
        state = State(rows, columns, (), (0, 0), 0)
        for _ in range(2):
            state = self.after(state, rng.choice(self.legal(state)))
        return state

    def moves(self, state: State) -> Iterator[str]:
        boxes = [(row, column) for row in range(state.rows) for column in range(state.columns)]
        lines = dict.fromkeys(line for box in boxes for line in sides(*box))
        yield from (line for line in lines if line not in state.drawn)

    def after(self, state: State, move: str) -> State:
        drawn = {*state.drawn, move}
        boxes = [(row, column) for row in range(state.rows) for column in range(state.columns)]
        closed = sum(
            move in around and drawn.issuperset(around) for around in (sides(*box) for box in boxes)
        )
        counts = list(state.boxes)
        counts[state.mover] += closed
        mover = state.mover if closed else 1 - state.mover
        return state._replace(drawn=tuple(sorted(drawn)), boxes=(counts[0], counts[1]), mover=mover)

    def over(self, state: State) -> bool:
        return sum(state.boxes) == state.rows * state.columns

    def score(self, state: State) -> float:
        first, second = state.boxes
        return 0.5 + (first - second) / (state.rows * state.columns) / 2

    def render(self, state: State) -> str:
        lines = ["  " + "   ".join(chr(97 + n) for n in range(state.columns + 1))]
        ways = [list(map(place, line.split("-"))) for line in state.drawn]
        for row in range(state.rows + 1):
            dots, below = "+", ""
            for column in range(state.columns + 1):
                if column < state.columns:
                    dots += "---+" if [(row, column), (row, column + 1)] in ways else "   +"
                below += "|   " if [(row, column), (row + 1, column)] in ways else "    "
            lines += [f"{row + 1} {dots}", f"  {below}".rstrip()]
        first, second = state.boxes
        mover = f"the {('first', 'second')[state.mover]} player moves"
        end = "the game is over" if self.over(state) else mover
        return "\n".join(
            [*lines[:-1], f"boxes: first player {first}, second player {second}; {end}"]
        )

    def why(self, state: State, move: str) -> str:
        if move in state.drawn:
            return "it is drawn already"
        one, other = map(place, move.split("-"))
        ways = other[0] - one[0], other[1] - one[1]
        if sorted(map(abs, ways)) != [0, 1]:
            return "the dots are not next to each other in a row or column"
        return "" if sum(ways) == 1 else "the dot further up or left does not come first"

    def facts(self, state: State) -> Mapping[str, Any]:
        boxes = [(row, column) for row in range(state.rows) for column in range(state.columns)]
        drawn = {box: sum(line in state.drawn for line in sides(*box)) for box in boxes}

        def having(count: int) -> Fact:
            return Fact.counted(f"that below and right of {square(*b)}" for b in boxes
                                if drawn[b] == count)  # fmt: skip

        return {
            "the number of lines that are drawn": Fact.counted(state.drawn),
            "the number of boxes with three sides drawn": having(3),
            "the number of boxes with no side drawn": having(0),
            "the number of boxes that are closed": having(4),
        }


WORLD = DotsAndBoxes()
