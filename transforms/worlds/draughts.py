"""Draughts on small boards: jump over the other's pieces."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, World, board, place, square

_SIZES = {1: (6, 1), 2: (6, 2), 3: (8, 2), 4: (8, 3), 5: (10, 3)}
"""Level -> the side of the board, and each player's rows of pieces."""
Square = tuple[int, int]


class State(NamedTuple):
    rows: tuple[str, ...]
    """From the top; `x` and `o` are men, `X` and `O` kings."""
    mover: int
    """0 for x, 1 for o."""
    jumping: Square | None
    """The piece that has just jumped and has to go on."""
    quiet: int
    """Moves since the last jump."""


LONGEST = 20
"""Moves without a jump after which the game is a draw."""


class Draughts(World[State]):
    name = "draughts"
    players = 2
    harder = "length"
    rules = f"""\
Two players, x (the first) and o, take turns. Men are x and o, kings X and O; an empty square is a
dot. A move is written `b3 to c2`. A man moves one square diagonally forward to an empty square: x
towards row 1, o away from it. A king moves one square diagonally in any direction. A jump goes
over one of the other's pieces that is next to the piece diagonally, in a direction in which it
moves, to the empty square right behind it; the piece that was jumped over is taken off. Who can
jump has to. Where a piece that has just jumped can jump again, the same player has to go on with
that piece. A man that comes to the farthest row becomes a king and does not go on in that turn.
Who has no legal move when it is his turn loses. After {LONGEST} moves in a row without a jump the
game is a draw. The score is 1 where x wins, 0.5 for a draw, 0 where o wins; before the end the
share of the pieces that are x's."""
    examples = (
        Example(
            State(("....", "..o.", ".x..", "...."), 0, None, 0),
            ("b3 to d1",),
            """
  a b c d
1 . . . X
2 . . . .
3 . . . .
4 . . . .
the game is over""",
            ("b3 to a2", "b3 to a4"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        side, filled = _SIZES[level]

        def row(n: int) -> str:
            mark = "o" if n < filled else "x" if n >= side - filled else "."
            return "".join(mark if (n + c) % 2 else "." for c in range(side))

        state = State(tuple(map(row, range(side))), 0, None, 0)
        for _ in range(4):
            if not self.over(state):
                state = self.after(state, rng.choice(self.legal(state)))
        return state if not self.over(state) else None

    def turn(self, state: State) -> int:
        return state.mover

    def _ways(self, state: State, at: Square, jumps: bool) -> Iterator[Square]:
        """Yields the squares to which a piece moves, or jumps."""
        piece, side = state.rows[at[0]][at[1]], len(state.rows)
        forward = -1 if piece in "xX" else 1
        for down in (forward, -forward) if piece.isupper() else (forward,):
            for right in (-1, 1):
                step = (at[0] + down, at[1] + right)
                to = (at[0] + 2 * down, at[1] + 2 * right) if jumps else step
                if not (0 <= to[0] < side and 0 <= to[1] < side):
                    continue
                over = state.rows[step[0]][step[1]].lower()
                if state.rows[to[0]][to[1]] == "." and (not jumps or over == "ox"[state.mover]):
                    yield to

    def moves(self, state: State) -> Iterator[str]:
        own = [
            (row, column)
            for row, line in enumerate(state.rows)
            for column, cell in enumerate(line)
            if cell.lower() == "xo"[state.mover]
        ]
        pieces = own if state.jumping is None else [state.jumping]
        found = [(at, to) for at in pieces for to in self._ways(state, at, True)]
        found = found or [(at, to) for at in own for to in self._ways(state, at, False)]
        yield from (f"{square(*at)} to {square(*to)}" for at, to in found)

    def after(self, state: State, move: str) -> State:
        at, to = map(place, move.split(" to "))
        grid = [list(row) for row in state.rows]
        piece, jumped = grid[at[0]][at[1]], abs(at[0] - to[0]) == 2
        crowned = piece.islower() and to[0] in (0, len(grid) - 1)
        grid[to[0]][to[1]] = piece.upper() if crowned else piece
        grid[at[0]][at[1]] = "."
        if jumped:
            grid[(at[0] + to[0]) // 2][(at[1] + to[1]) // 2] = "."
        new = State(tuple(map("".join, grid)), state.mover, to, 0 if jumped else state.quiet + 1)
        if jumped and not crowned and any(True for _ in self._ways(new, to, True)):
            return new
        return new._replace(mover=1 - state.mover, jumping=None)

    def over(self, state: State) -> bool:
        return state.quiet >= LONGEST or not any(True for _ in self.moves(state))

    def score(self, state: State) -> float:
        if state.quiet >= LONGEST:
            return 0.5
        pieces = "".join(state.rows).lower()
        share = pieces.count("x") / (len(pieces) - pieces.count("."))
        return float(state.mover) if self.over(state) else share

    def render(self, state: State) -> str:
        mover = "the game is over" if self.over(state) else f"{'xo'[state.mover]} moves"
        on = f", goes on with {square(*state.jumping)}" if state.jumping else ""
        quiet = f", moves without a jump: {state.quiet}" if state.quiet else ""
        return f"{board(state.rows)}\n{mover}{on}{quiet}"

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Takes pieces, and leaves none where the other can jump over it."""
        new = self.after(state, move)
        jumps = any(
            abs(int(m[1:].split()[0]) - int(m.split()[2][1:])) == 2 for m in self.legal(new)
        )
        taken = "".join(state.rows).count(".") < "".join(new.rows).count(".")
        return taken - 2 * (jumps and new.mover != state.mover)

    def facts(self, state: State) -> Mapping[str, Any]:
        pieces = "".join(state.rows).lower()
        return {f"the number of pieces of {mark}": pieces.count(mark) for mark in "xo"} | {
            f"the number of pieces in row {n}": len(row) - row.count(".")
            for n, row in enumerate(state.rows, 1)
        }


WORLD = Draughts()
