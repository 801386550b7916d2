"""Draughts on small boards: jump over the other's pieces."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World, board, cell, marked, place, square

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
        marks = "o" * filled + "." * (side - 2 * filled) + "x" * filled
        rows = [
            "".join(m if (n + c) % 2 else "." for c in range(side)) for n, m in enumerate(marks)
        ]
        return self.opened(State(tuple(rows), 0, None, 0), rng, 4)

    def _ways(self, state: State, at: Square, jumps: bool) -> Iterator[Square]:
        """Yields the squares to which a piece moves, or jumps."""
        piece = state.rows[at[0]][at[1]]
        forward = -1 if piece in "xX" else 1
        for down in (forward, -forward) if piece.isupper() else (forward,):
            for right in (-1, 1):
                step = (at[0] + down, at[1] + right)
                to = (at[0] + 2 * down, at[1] + 2 * right) if jumps else step
                over = cell(state.rows, step) or ""
                may = not jumps or over.lower() == "ox"[state.mover]
                if may and cell(state.rows, to) == ".":
                    yield to

    def _found(self, state: State, jumps: bool) -> list[tuple[Square, Square]]:
        """The ways of the one who moves, or the jumps, each with the square of its piece."""
        own = marked(state.rows, "xX" if state.mover == 0 else "oO")
        pieces = map(place, own) if state.jumping is None else [state.jumping]
        return [(at, to) for at in pieces for to in self._ways(state, at, jumps)]

    def moves(self, state: State) -> Iterator[str]:
        found = self._found(state, True) or self._found(state, False)
        yield from (f"{square(*at)} to {square(*to)}" for at, to in found)

    def after(self, state: State, move: str) -> State:
        at, to = map(place, move.split(" to "))
        grid = [list(row) for row in state.rows]
        piece, jumped = grid[at[0]][at[1]], abs(at[0] - to[0]) == 2
        crowned = piece.islower() and to[0] in (0, len(grid) - 1)
        grid[to[0]][to[1]], grid[at[0]][at[1]] = piece.upper() if crowned else piece, "."
        if jumped:
            grid[(at[0] + to[0]) // 2][(at[1] + to[1]) // 2] = "."
        new = State(tuple(map("".join, grid)), state.mover, to, 0 if jumped else state.quiet + 1)
        if jumped and not crowned and any(True for _ in self._ways(new, to, True)):
            return new
        return new._replace(mover=1 - state.mover, jumping=None)

    def over(self, state: State) -> bool:
        return state.quiet >= LONGEST or not any(True for _ in self.moves(state))

    def score(self, state: State) -> float:
        if self.over(state):
            return 0.5 if state.quiet >= LONGEST else float(state.mover)
        pieces = "".join(state.rows).lower()
        return pieces.count("x") / (len(pieces) - pieces.count("."))

    def render(self, state: State) -> str:
        mover = "the game is over" if self.over(state) else f"{'xo'[state.mover]} moves"
        on = f", goes on with {square(*state.jumping)}" if state.jumping else ""
        quiet = f", moves without a jump: {state.quiet}" if state.quiet else ""
        return f"{board(state.rows)}\n{mover}{on}{quiet}"

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Leaves no piece where the other can jump over it."""
        new = self.after(state, move)
        return -float(new.mover != state.mover and bool(self._found(new, True)))

    def why(self, state: State, move: str) -> str:
        at, to = map(place, move.split(" to "))
        jumps, own = self._found(state, True), "xo"[state.mover]
        if (at, to) in (jumps or self._found(state, False)):
            return ""
        if state.rows[at[0]][at[1]].lower() != own:
            return f"{square(*at)} has no piece of {own}"
        if state.jumping not in (None, at):
            return "the piece that has just jumped can go on, and has to"
        if jumps:
            return f"{own} can jump, as by `{next(self.moves(state))}`, and has to"
        return f"the piece on {square(*at)} does not move to {square(*to)}"

    def facts(self, state: State) -> Mapping[str, Any]:
        rows = [row.lower() for row in state.rows]
        pieces = {f"the number of pieces of {m}": Fact.counted(marked(rows, m)) for m in "xo"}
        return pieces | {
            f"the number of pieces in row {n + 1}": Fact.counted(marked(rows, "xo", n))
            for n in range(len(rows))
        }


WORLD = Draughts()
