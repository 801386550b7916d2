"""Peg solitaire on a board of five rows and columns: jump until one peg is left."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, marked, place, square
from transforms.worlds.search import filled

SIDE = 5
Square = tuple[int, int]


class State(NamedTuple):
    pegs: tuple[Square, ...]
    """In order."""
    start: int
    """Pegs at the start."""


class PegSolitaire(World[State]):
    name = "peg_solitaire"
    harder = "solution"
    solvable = True
    rules = """\
Pegs (o) stand on a board of five rows and columns. A move jumps with a peg over a peg next to it,
up, down, left or right, to the square behind it, which must be empty and on the board; the peg
that was jumped over is taken off. It is written `a1 to c1`. The game ends when no move is legal.
The score is 1 where one peg is left, else the share of the pegs that had to go that are gone.
From the first position one can play down to one peg."""
    examples = (
        Example(
            State(((0, 0), (0, 1), (1, 2)), 3),
            ("a1 to c1", "c1 to c3"),
            """
  a b c d e
1 . . . . .
2 . . . . .
3 . . o . .
4 . . . . .
5 . . . . .""",
            ("b1 to d1", "c2 to c4"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        pegs = {(rng.randrange(SIDE), rng.randrange(SIDE))}
        wanted = 1 + 2 * level
        while len(pegs) < wanted:  # a jump backwards: one peg becomes two
            back = [
                (to, over, start)
                for to in sorted(pegs)
                for over, start in _ways(to)
                if over not in pegs and start not in pegs
            ]
            if not back:
                return None
            to, over, start = rng.choice(back)
            pegs = pegs - {to} | {over, start}
        return State(tuple(sorted(pegs)), wanted)

    def moves(self, state: State) -> Iterator[str]:
        pegs = set(state.pegs)
        for peg in state.pegs:
            for over, to in _ways(peg):
                if over in pegs and to not in pegs:
                    yield f"{square(*peg)} to {square(*to)}"

    def after(self, state: State, move: str) -> State:
        peg, to = map(place, move.split(" to "))
        over = ((peg[0] + to[0]) // 2, (peg[1] + to[1]) // 2)
        return state._replace(pegs=tuple(sorted({*state.pegs, to} - {peg, over})))

    def score(self, state: State) -> float:
        return (state.start - len(state.pegs)) / (state.start - 1)

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Leaves many jumps."""
        return len([*self.moves(self.after(state, move))])

    def render(self, state: State) -> str:
        side = range(SIDE)
        return board([["o" if (row, c) in state.pegs else "." for c in side] for row in side])

    def solve(self, state: State) -> tuple[str, ...] | None:
        seen = set()

        def jumps(node: tuple[State, tuple[str, ...]]) -> list[Any] | None:
            at, moves = node
            if len(at.pegs) == 1:
                return None
            if at.pegs in seen:
                return []
            seen.add(at.pegs)
            return [(self.after(at, move), (*moves, move)) for move in self.moves(at)]

        start: tuple[State, tuple[str, ...]] = (state, ())
        end = filled(start, jumps)
        return end and end[1]

    def why(self, state: State, move: str) -> str:
        peg, to = map(place, move.split(" to "))
        if peg not in state.pegs:
            return f"there is no peg on {square(*peg)}"
        over = next((over for over, behind in _ways(peg) if behind == to), None)
        if over is None:
            return f"{square(*to)} is not two squares from {square(*peg)} in a row or column"
        if over not in state.pegs:
            return f"there is no peg to jump over on {square(*over)}"
        return f"{square(*to)} is not empty" * (to in state.pegs)

    def facts(self, state: State) -> Mapping[str, Any]:
        rows = [["o" if (r, c) in state.pegs else "." for c in range(SIDE)] for r in range(SIDE)]
        return {
            f"the number of pegs in row {n + 1}": Fact.counted(marked(rows, "o", n))
            for n in range(SIDE)
        } | {"the number of pegs": Fact.counted(marked(rows, "o"))}


def _ways(at: Square) -> list[tuple[Square, Square]]:
    """The squares next to one, each with the square behind it, on the board."""
    row, column = at
    ways = []
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        behind = (row + 2 * down, column + 2 * right)
        if 0 <= behind[0] < SIDE and 0 <= behind[1] < SIDE:
            ways.append(((row + down, column + right), behind))
    return ways


WORLD = PegSolitaire()
