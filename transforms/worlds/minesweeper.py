"""Minesweeper: open all squares that have no mine."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, marked, place, square

Square = tuple[int, int]


class State(NamedTuple):
    side: int
    bombs: int
    """How many mines there are."""
    mines: tuple[Square, ...]
    opened: tuple[Square, ...]
    """In order."""
    shown: str
    """What players see of all squares, row by row: a number, `?` or `*`."""


class Minesweeper(World[State]):
    name = "minesweeper"
    hidden = ("mines",)
    harder = "random"
    rules = """\
Some squares of a board have mines; how many is stated, but not where. A move opens a square that
is not open (?) and is written as its name: `b3` is column b of row 3. An open square shows how
many of the up to eight squares around it have mines. Where that is 0, all squares around it are
opened too, and so on. Opening a mine (*) ends the game; so does opening the last square that has
none. The score is the share of the squares without a mine that are open."""
    examples = (
        Example(
            State(3, 1, ((0, 2),), (), "?????????"),
            ("a3",),
            """
  a b c
1 0 1 ?
2 0 1 1
3 0 0 0
mines: 1""",
            ("d1", "a4"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        side = 3 + level
        count = (2, 4, 7, 10, 14)[level - 1]
        squares: list[Square] = [(r, c) for r in range(side) for c in range(side)]
        while True:
            mines = tuple(sorted(rng.sample(squares, count)))
            state = State(side, count, mines, (), "?" * side**2)
            empty = [at for at in squares if at not in mines and not self._around(state, at)]
            if empty:
                state = self.after(state, square(*rng.choice(empty)))
            if empty and not self.over(state):
                return state

    def _near(self, state: State, at: Square) -> list[Square]:
        around = product((at[0] - 1, at[0], at[0] + 1), (at[1] - 1, at[1], at[1] + 1))
        return [
            (r, c)
            for r, c in around
            if (r, c) != at and 0 <= r < state.side and 0 <= c < state.side
        ]

    def _around(self, state: State, at: Square) -> int:
        return sum(near in state.mines for near in self._near(state, at))

    def moves(self, state: State) -> Iterator[str]:
        for at, shown in enumerate(state.shown):
            if shown == "?":
                yield square(*divmod(at, state.side))

    def after(self, state: State, move: str) -> State:
        opened, edge = set(state.opened), [place(move)]
        while edge:
            at = edge.pop()
            if at not in opened:
                opened.add(at)
                if at not in state.mines and not self._around(state, at):
                    edge += self._near(state, at)
        shown = list(state.shown)
        for row, column in opened:
            mine = (row, column) in state.mines
            shown[row * state.side + column] = (
                "*" if mine else str(self._around(state, (row, column)))
            )
        return state._replace(opened=tuple(sorted(opened)), shown="".join(shown))

    def over(self, state: State) -> bool:
        return "*" in state.shown or state.shown.count("?") == state.bombs

    def score(self, state: State) -> float:
        safe = len(state.opened) - state.shown.count("*")
        return safe / (state.side**2 - state.bombs)

    def render(self, state: State) -> str:
        rows = [state.shown[at : at + state.side] for at in range(0, state.side**2, state.side)]
        return f"{board(rows)}\nmines: {state.bombs}"

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Avoids squares beside numbers that have few closed squares around them."""
        shown = {divmod(at, state.side): cell for at, cell in enumerate(state.shown)}
        risks = [state.bombs / state.shown.count("?")]
        for near in self._near(state, place(move)):
            if shown[near].isdigit():
                closed = sum(shown[each] == "?" for each in self._near(state, near))
                risks.append(int(shown[near]) / closed)
        return 1 - (0 if 0 in risks else max(risks))

    def why(self, state: State, move: str) -> str:
        row, column = place(move)
        return f"{move} is open already" * (state.shown[row * state.side + column] != "?")

    def facts(self, state: State) -> Mapping[str, Any]:
        rows = [state.shown[at : at + state.side] for at in range(0, state.side**2, state.side)]
        closed = {
            f"the number of closed squares in row {n + 1}": Fact.counted(marked(rows, "?", n))
            for n in range(state.side)
        }
        return closed | {"the number of open squares that show 1": Fact.counted(marked(rows, "1"))}


WORLD = Minesweeper()
