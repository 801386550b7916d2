"""Sokoban: push boxes onto marked squares of a small room."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, board, square
from transforms.worlds.search import Searched

WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
_SIZES = {
    1: (4, 4, 1, 2, 4), 2: (4, 5, 1, 5, 7), 3: (4, 4, 2, 8, 10), 4: (4, 5, 2, 11, 13),
    5: (5, 5, 2, 14, 30),
}  # fmt: skip
"""Level -> rows, columns, boxes, and the least and most moves of the shortest solution."""
Square = tuple[int, int]


class State(NamedTuple):
    height: int
    width: int
    walls: tuple[Square, ...]
    """Walls inside of the room; its border is a wall too."""
    goals: tuple[Square, ...]
    boxes: tuple[Square, ...]
    """In order."""
    player: Square


class Sokoban(Searched[State]):
    name = "sokoban"
    harder = "solution"
    rules = """\
A room has walls (#), boxes (o) and marked squares (x); the worker is @. A box on a marked square
is shown as *, the worker on one as +, an empty square as a dot. What lies outside of the board is
wall. A move is up, down, left or right: the worker steps to the next square there. Where a box is
on it, the box is pushed one square on in the same direction; the square behind the box must then
be empty (marked or not). Nobody enters a wall. The game ends when every box is on a marked
square; there are as many boxes as marked squares. The score is the share of the boxes that are on
marked squares."""
    examples = (
        Example(
            State(3, 4, ((0, 0),), ((1, 3),), ((1, 2),), (1, 1)),
            ("right",),
            """
  a b c d
1 # . . .
2 . . @ *
3 . . . .""",
            ("right right",),
        ),
        Example(
            State(2, 3, (), ((1, 0),), ((0, 2),), (0, 1)),
            ("down",),
            """
  a b c
1 . . o
2 x @ .""",
            ("right", "up"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        height, width, count, fewest, most = _SIZES[level]
        while True:
            squares = [(row, column) for row in range(height) for column in range(width)]
            rng.shuffle(squares)
            walls, rest = squares[:2], squares[2:]
            goals = tuple(sorted(rest[:count]))
            state = State(height, width, tuple(sorted(walls)), goals, goals, rest[count])
            state = self._pulled(state, rng, 30 * level)
            solution = self.solve(state)
            if solution is not None and len(solution) >= fewest:  # where too long, go on along it
                return self.replay(state, solution[: max(0, len(solution) - most)])

    def _pulled(self, state: State, rng: random.Random, steps: int) -> State:
        """Walks backwards from a state, and pulls boxes along where there is one behind."""
        for _ in range(steps):
            down, right = rng.choice(list(WAYS.values()))
            row, column = state.player
            to, box = (row + down, column + right), (row - down, column - right)
            if self._is_wall(state, to) or to in state.boxes:
                continue
            boxes = state.boxes
            if box in boxes and rng.random() < 0.8:
                boxes = tuple(sorted({*boxes, state.player} - {box}))
            state = state._replace(boxes=boxes, player=to)
        return state

    def _is_wall(self, state: State, at: Square) -> bool:
        inside = 0 <= at[0] < state.height and 0 <= at[1] < state.width
        return not inside or at in state.walls

    def moves(self, state: State) -> Iterator[str]:
        for way, (down, right) in WAYS.items():
            to = (state.player[0] + down, state.player[1] + right)
            behind = (to[0] + down, to[1] + right)
            stuck = to in state.boxes and (self._is_wall(state, behind) or behind in state.boxes)
            if not stuck and not self._is_wall(state, to):
                yield way

    def after(self, state: State, move: str) -> State:
        down, right = WAYS[move]
        to = (state.player[0] + down, state.player[1] + right)
        boxes = set(state.boxes)
        if to in boxes:
            boxes = boxes - {to} | {(to[0] + down, to[1] + right)}
        return state._replace(boxes=tuple(sorted(boxes)), player=to)

    def over(self, state: State) -> bool:
        return set(state.boxes) <= set(state.goals)

    def score(self, state: State) -> float:
        return len({*state.boxes} & {*state.goals}) / len(state.boxes)

    def render(self, state: State) -> str:
        def shown(at: Square) -> str:
            if at in state.walls:
                return "#"
            signs = "+*x" if at in state.goals else "@o."
            return signs[0 if at == state.player else 1 if at in state.boxes else 2]

        return board([[shown((r, c)) for c in range(state.width)] for r in range(state.height)])

    def why(self, state: State, move: str) -> str:
        down, right = WAYS[move]
        to = (state.player[0] + down, state.player[1] + right)
        behind = (to[0] + down, to[1] + right)
        if self._is_wall(state, to):
            return "there is a wall"
        stuck = "there is a wall behind it" if self._is_wall(state, behind) else ""
        stuck = f"so is one on {square(*behind)}" if behind in state.boxes else stuck
        return f"a box is on {square(*to)}, and {stuck}" if to in state.boxes and stuck else ""

    def facts(self, state: State) -> Mapping[str, Any]:
        facts: dict[str, Any] = {"the worker's square": square(*state.player)}
        for what, squares in (("box", state.boxes), ("marked square", state.goals)):
            for n, at in enumerate(sorted(squares), 1):
                facts[f"the square of {what} {n} (counted row by row)"] = square(*at)
        there = Fact.counted(square(*box) for box in state.boxes if box in state.goals)
        return facts | {"the number of boxes on marked squares": there}


WORLD = Sokoban()
