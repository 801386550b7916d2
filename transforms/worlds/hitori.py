"""Hitori: shade squares until no number repeats in a row or column."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, beside, board, place, square
from transforms.worlds.search import filled

Square = tuple[int, int]


class State(NamedTuple):
    numbers: tuple[tuple[int, ...], ...]
    shaded: tuple[Square, ...]
    """In order."""


class Hitori(World[State]):
    name = "hitori"
    harder = "solution"
    solvable = True
    fewest = False
    rules = """\
A square board is full of numbers. A move shades a square and is written as its name: `b3` is
column b of row 3; a shaded square is shown as #. It is legal where the square is not shaded, its
number is also on another unshaded square of its row or column, no square that shares a side with
it is shaded, and the unshaded squares stay connected by their sides. Shading stays. The game ends
when no number repeats among the unshaded squares of any row or column, or no move is legal. The
score is 1 - the repeats that are left over the repeats of the unshaded board; a repeat is a pair
of unshaded squares of one row or column that have the same number. At first, every board can be
finished with score 1."""
    examples = (
        Example(
            State(((1, 1, 2), (3, 2, 1), (2, 3, 3)), ()),
            ("a1", "c3"),
            """
  a b c
1 # 1 2
2 3 2 1
3 2 3 #""",
            ("c1", "b2"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        side = 2 + level
        squares = [(row, column) for row in range(side) for column in range(side)]
        columns, values = rng.sample(range(side), side), rng.sample(range(1, side + 1), side)
        rows = rng.sample(range(side), side)
        numbers = [[values[(row + column) % side] for column in columns] for row in rows]
        shaded: set[Square] = set()
        for at in rng.sample(squares, len(squares)):
            if len(shaded) < 2 * level and _may_shade(side, shaded, at):
                shaded.add(at)
        for row, column in sorted(shaded):  # it repeats a number that stays
            kept = [c for c in range(side) if (row, c) not in shaded]
            numbers[row][column] = numbers[row][rng.choice(kept)]
        state = State(tuple(map(tuple, numbers)), ())
        return state if self.solve(state) and not self.over(state) else None

    def _repeats(self, state: State) -> list[tuple[Square, Square]]:
        same: dict[tuple[str, int, int], list[Square]] = defaultdict(list)
        for r, row in enumerate(state.numbers):
            for c, number in enumerate(row):
                if (r, c) not in state.shaded:
                    same["row", r, number].append((r, c))
                    same["column", c, number].append((r, c))
        return [pair for squares in same.values() for pair in combinations(squares, 2)]

    def moves(self, state: State) -> Iterator[str]:
        shaded = set(state.shaded)
        for at in sorted({at for pair in self._repeats(state) for at in pair}):
            if _may_shade(len(state.numbers), shaded, at):
                yield square(*at)

    def after(self, state: State, move: str) -> State:
        return state._replace(shaded=tuple(sorted({*state.shaded, place(move)})))

    def score(self, state: State) -> float:
        before = len(self._repeats(state._replace(shaded=()))) or 1
        return 1 - len(self._repeats(state)) / before

    def _shown(self, state: State) -> list[list[Any]]:
        rows = [list[Any](row) for row in state.numbers]
        for row, column in state.shaded:
            rows[row][column] = "#"
        return rows

    def render(self, state: State) -> str:
        return board(self._shown(state))

    def solve(self, state: State) -> tuple[str, ...] | None:
        def shadings(at: State) -> list[State] | None:
            repeats = self._repeats(at)
            if not repeats:
                return None
            may = [each for each in repeats[0] if _may_shade(len(at.numbers), {*at.shaded}, each)]
            return [self.after(at, square(*each)) for each in may]

        end = filled(state, shadings)
        left = set(end.shaded) - set(state.shaded) if end else set()
        return None if end is None else tuple(square(*at) for at in self._in_order(state, left))

    def _in_order(self, state: State, left: set[Square]) -> Iterator[Square]:
        """Squares in an order in which each still repeats a number when it is shaded."""
        while left and not (self.over(state) and self.score(state) == 1):
            yield (at := min({place(move) for move in self.moves(state)} & left))
            left, state = left - {at}, self.after(state, square(*at))

    def why(self, state: State, move: str) -> str:
        at, side, shaded = place(move), len(state.numbers), set(state.shaded)
        if at in shaded:
            return f"{move} is shaded already"
        if not any(at in pair for pair in self._repeats(state)):
            return f"its number is alone in row {at[0] + 1} and in column {move[0]}"
        if _may_shade(side, shaded, at):
            return ""
        near = [square(*each) for each in beside(*at, side, side) if each in shaded]
        return f"{near[0]} beside it is shaded" if near else "it would cut off unshaded squares"

    def facts(self, state: State) -> Mapping[str, Any]:
        rows = [[n for n in row if n != "#"] for row in self._shown(state)]
        what = "the sum of the unshaded numbers in row"
        return {f"{what} {n}": Fact.added(row) for n, row in enumerate(rows, 1)}


def _may_shade(side: int, shaded: set[Square], at: Square) -> bool:
    """Whether a square has no shaded neighbour, and the others stay connected without it."""
    if at in shaded or any(near in shaded for near in beside(*at, side, side)):
        return False
    open_ = {(r, c) for r in range(side) for c in range(side)} - shaded - {at}
    reached, edge = set(), [min(open_)]
    while edge:
        here = edge.pop()
        if here not in reached:
            reached.add(here)
            edge += [near for near in beside(*here, side, side) if near in open_]
    return reached == open_


WORLD = Hitori()
