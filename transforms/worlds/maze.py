"""Maze: find the way from the entrance to the exit."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, board, cell, marked, square
from transforms.worlds.search import Searched

WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
Square = tuple[int, int]


class State(NamedTuple):
    walls: tuple[str, ...]
    """Rows of `#` and `.`."""
    at: Square
    exit: Square


class Maze(Searched[State]):
    name = "maze"
    harder = "solution"
    rules = """\
A maze has walls (#) and free squares (.). You are at @ and want to be at the exit (x). A move is
up, down, left or right, to the next square there; it is legal where that square is on the board
and no wall. The game ends at the exit. The score is 1 there, else 1 / (1 + the steps of the
shortest way to it)."""
    examples = (
        Example(
            State(("..#", "#..", "..."), (0, 1), (2, 2)),
            ("down",),
            """
  a b c
1 . . #
2 # @ .
3 . . x""",
            ("right", "up"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        side = 3 + 2 * level
        free, edge = {(0, 0)}, [(0, 0)]
        while edge:  # two squares at a time, as long as there is something new beside
            row, column = edge[-1]
            new = [
                (row + 2 * down, column + 2 * right, row + down, column + right)
                for down, right in WAYS.values()
                if 0 <= row + 2 * down < side
                and 0 <= column + 2 * right < side
                and (row + 2 * down, column + 2 * right) not in free
            ]
            if not new:
                edge.pop()
                continue
            to_row, to_column, *between = rng.choice(new)
            free |= {(to_row, to_column), (between[0], between[1])}
            edge.append((to_row, to_column))
        rows = ("".join(".#"[(r, c) not in free] for c in range(side)) for r in range(side))
        at, exit = rng.sample([(r, c) for r, c in sorted(free) if r % 2 == c % 2 == 0], 2)
        state = State(tuple(rows), at, exit)
        solution = self.solve(state)
        return state if solution and len(solution) >= 4 * level else None

    def moves(self, state: State) -> Iterator[str]:
        yield from (way for way in WAYS if cell(state.walls, self.after(state, way).at) == ".")

    def after(self, state: State, move: str) -> State:
        down, right = WAYS[move]
        return state._replace(at=(state.at[0] + down, state.at[1] + right))

    def over(self, state: State) -> bool:
        return state.at == state.exit

    def score(self, state: State) -> float:
        edge, reached, steps = {state.at}, {state.at}, 0
        while state.exit not in reached:
            ways = [
                self.after(state._replace(at=at), m)
                for at in edge
                for m in self.moves(state._replace(at=at))
            ]
            edge = {way.at for way in ways} - reached
            reached |= edge
            steps += 1
        return 1 / (1 + steps)

    def render(self, state: State) -> str:
        rows = [list(row) for row in state.walls]
        rows[state.exit[0]][state.exit[1]] = "x"
        rows[state.at[0]][state.at[1]] = "@"
        return board(rows)

    def why(self, state: State, move: str) -> str:
        to = self.after(state, move).at
        if cell(state.walls, to) is None:
            return "it leads off the board"
        return f"{square(*to)} is a wall" * (cell(state.walls, to) == "#")

    def facts(self, state: State) -> Mapping[str, Any]:
        walls = {
            f"the number of wall squares in row {n + 1}": Fact.counted(marked(state.walls, "#", n))
            for n in range(len(state.walls))
        }
        return walls | {"your square": square(*state.at), "the exit's square": square(*state.exit)}


WORLD = Maze()
