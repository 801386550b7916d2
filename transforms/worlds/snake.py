"""Snake: eat, grow, and do not bite yourself."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, square

WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
Square = tuple[int, int]


class State(NamedTuple):
    side: int
    body: tuple[Square, ...]
    """From the head."""
    food: Square | None
    """None where all is eaten."""
    left: int
    """Pieces of food still to be eaten, this one included."""
    pieces: int
    """Pieces of food at the start."""
    steps: int
    """Steps since the last piece."""
    dead: bool
    seed: int


class Snake(World[State]):
    name = "snake"
    chance = True
    harder = "greedy"
    rules = """\
A snake lies on a square board: its head is @, the rest of its body o; food is x, an empty square
a dot. A move is up, down, left or right: the head goes one square that way, and the body follows,
so that its last square becomes empty. Where the head comes to the food, the snake grows instead:
its last square stays, and new food appears on a random empty square. Turning right back, to the
square where the body's first piece behind the head is, is illegal. A snake that leaves the board
or bites its body dies; the square that its tail leaves in the same move does not count. So does
one that does not eat in as many moves as the board has squares. The game ends when the snake is
dead, or all pieces of food are eaten. The score is the share of the pieces that are eaten."""
    examples = (
        Example(
            State(3, ((1, 1), (1, 0)), (0, 2), 2, 2, 0, False, 5),
            ("right",),
            """
  a b c
1 . . x
2 . o @
3 . . .
pieces of food left: 2; moves since it ate: 1""",
            ("left",),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        side = 4 + (level + 1) // 2
        row, column = rng.randrange(1, side - 1), rng.randrange(1, side - 1)
        body = ((row, column), (row, column - 1))
        state = State(side, body, None, 2 * level, 2 * level, 0, False, 0)
        return self._fed(state, rng)

    def _fed(self, state: State, rng: random.Random) -> State:
        side = range(state.side)
        empty = sorted({(row, column) for row in side for column in side} - {*state.body})
        food = rng.choice(empty) if empty and state.left else None
        return state._replace(food=food, seed=rng.getrandbits(32))

    def moves(self, state: State) -> Iterator[str]:
        for way in WAYS:
            if self._ahead(state, way) != state.body[1]:
                yield way

    def _ahead(self, state: State, way: str) -> Square:
        (row, column), (down, right) = state.body[0], WAYS[way]
        return row + down, column + right

    def after(self, state: State, move: str) -> State:
        head = self._ahead(state, move)
        if head == state.food:
            eaten = state._replace(body=(head, *state.body), left=state.left - 1, steps=0)
            return self._fed(eaten, random.Random(state.seed))
        body = (head, *state.body[:-1])
        inside = 0 <= head[0] < state.side and 0 <= head[1] < state.side
        steps = state.steps + 1
        if not inside or head in body[1:] or steps >= state.side**2:
            return state._replace(steps=steps, dead=True)
        return state._replace(body=body, steps=steps)

    def over(self, state: State) -> bool:
        return state.dead or state.food is None

    def score(self, state: State) -> float:
        return 1 - state.left / state.pieces

    def render(self, state: State) -> str:
        rows = [["."] * state.side for _ in range(state.side)]
        for row, column in state.body:
            rows[row][column] = "o"
        rows[state.body[0][0]][state.body[0][1]] = "@"
        if state.food:
            rows[state.food[0]][state.food[1]] = "x"
        dead = "the snake is dead; " * state.dead
        return (
            f"{board(rows)}\n{dead}pieces of food left: {state.left}; "
            f"moves since it ate: {state.steps}"
        )

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Lives, then eats, then comes nearer to the food."""
        new = self.after(state, move)
        if new.dead or new.left < state.left or state.food is None:
            return -1000.0 if new.dead else 1000.0
        return -abs(new.body[0][0] - state.food[0]) - abs(new.body[0][1] - state.food[1])

    def why(self, state: State, move: str) -> str:
        back = self._ahead(state, move) == state.body[1]
        return f"the snake's own body is behind its head, on {square(*state.body[1])}" * back

    def facts(self, state: State) -> Mapping[str, Any]:
        head = {"the square of the head": square(*state.body[0])}
        is_clear = not any(  # its order cannot be seen where it touches itself
            abs(row - r) + abs(column - c) == 1
            for n, (row, column) in enumerate(state.body)
            for r, c in state.body[: max(0, n - 1)]
        )
        tail = {"the square of the last piece of the body": square(*state.body[-1])}
        where = head | tail if is_clear else head
        squares = Fact.counted(square(*at) for at in sorted(state.body))
        food = {"the square of the food": square(*state.food)} if state.food else {}
        left = {"the number of pieces of food left": state.left}
        return where | {"the number of squares of the snake": squares} | food | left


WORLD = Snake()
