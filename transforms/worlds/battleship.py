"""Battleship for one: find hidden ships with few shots."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, beside, board, marked, place, square

_SIZES = {
    1: (4, (2,), 12),
    2: (5, (2, 2), 15),
    3: (6, (2, 3), 18),
    4: (7, (2, 3), 20),
    5: (8, (2, 3), 20),
}
"""Level -> the side of the board, the lengths of the ships, and the shots."""
Square = tuple[int, int]


class State(NamedTuple):
    lengths: tuple[int, ...]
    ships: tuple[tuple[Square, ...], ...]
    shots: int
    """Shots that are left."""
    shown: tuple[str, ...]
    """Rows of `.` for not shot at, `*` for a hit, `o` for a miss."""


class Battleship(World[State]):
    name = "battleship"
    hidden = ("ships",)
    harder = "random"
    rules = """\
Ships of stated lengths lie hidden on a square board, each in a row or a column; they do not
overlap. A move shoots at a square that was not shot at (a dot) and is written as its name: `b3`
is column b of row 3. It is shown then as a hit (*) or a miss (o). The game ends when all squares
of all ships are hit, or no shots are left. The score is the share of the ships' squares that are
hit."""
    examples = (
        Example(
            State((2,), (((0, 1), (1, 1)),), 3, ("...", "...", "...")),
            ("b2", "c2"),
            """
  a b c
1 . . .
2 . * o
3 . . .
ships: 2; shots left: 1""",
            ("d1", "a4"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        side, lengths, shots = _SIZES[level]
        ships: list[tuple[Square, ...]] = []
        for length in lengths:
            while True:
                one, other = rng.randrange(side), rng.randrange(side + 1 - length)
                squares = [(one, other + n) for n in range(length)]
                across = rng.random() < 0.5
                ship = tuple(squares if across else [(c, r) for r, c in squares])
                if not {*ship} & {at for each in ships for at in each}:
                    ships.append(ship)
                    break
        return State(lengths, tuple(ships), shots, ("." * side,) * side)

    def moves(self, state: State) -> Iterator[str]:
        for row, cells in enumerate(state.shown):
            yield from (square(row, column) for column, cell in enumerate(cells) if cell == ".")

    def after(self, state: State, move: str) -> State:
        row, column = place(move)
        hit = any((row, column) in ship for ship in state.ships)
        line = state.shown[row]
        line = line[:column] + ("*" if hit else "o") + line[column + 1 :]
        shown = (*state.shown[:row], line, *state.shown[row + 1 :])
        return state._replace(shots=state.shots - 1, shown=shown)

    def over(self, state: State) -> bool:
        return state.shots == 0 or self.score(state) == 1

    def score(self, state: State) -> float:
        return "".join(state.shown).count("*") / sum(state.lengths)

    def render(self, state: State) -> str:
        ships = ", ".join(map(str, state.lengths))
        return f"{board(state.shown)}\nships: {ships}; shots left: {state.shots}"

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Shoots beside hits, else at every other square."""
        row, column = place(move)
        side = len(state.shown)
        hits = sum(state.shown[r][c] == "*" for r, c in beside(row, column, side, side))
        return hits + ((row + column) % 2) / 2

    def why(self, state: State, move: str) -> str:
        row, column = place(move)
        return "" if state.shown[row][column] == "." else f"{move} was shot at before"

    def facts(self, state: State) -> Mapping[str, Any]:
        hits = len(marked(state.shown, "*"))
        lengths = " + ".join(map(str, state.lengths))
        return {
            "the number of squares that were not shot at": Fact.added(
                row.count(".") for row in state.shown
            ),
            "the number of hits": Fact.counted(marked(state.shown, "*")),
            "the number of misses": Fact.counted(marked(state.shown, "o")),
            "the number of squares of ships that are not hit": Fact(
                sum(state.lengths) - hits, f"{lengths} - {hits}"
            ),
        }


WORLD = Battleship()
