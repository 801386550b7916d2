"""A world: a puzzle or a game as pure functions of plain states. Nothing here imports Beam."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

S = TypeVar("S", bound=tuple[Any, ...])
D = TypeVar("D")

LEVELS = range(1, 6)
"""The levels of every world and scene, from the easiest."""

Measure = Literal["solution", "length", "greedy", "random"]
"""What grows with the level, on average over instances: `solution`, the moves of the solution that
the exact solver finds; `length`, the moves of a random game; `greedy`, those of a greedy one;
`random`, 1 - the score of random play."""


def drawn(name: str, seed: int, level: int, start: Callable[[random.Random, int], D | None]) -> D:
    """Returns what `start` gives for a seed: always the same, whatever else was drawn. Where it
    gives None it is called again, with the same generator.

    Raises:
        ValueError: there is no such level.
    """
    if level not in LEVELS:
        raise ValueError(f"level={level}: use {LEVELS[0]} to {LEVELS[-1]}")
    rng = random.Random(f"{name} {level} {seed}")
    while (made := start(rng, level)) is None:
        pass
    return made


class IllegalMove(ValueError):
    """A move that the rules do not allow in a state."""


class Example(NamedTuple):
    """An example of the rules. Players read it; tests hold the engine to it."""

    state: Any
    moves: tuple[str, ...]
    """Legal moves, one after another."""
    text: str
    """The position after them, as `World.render` shows it."""
    refused: tuple[str, ...]
    """Moves that are illegal in the first position."""


class Fact(NamedTuple):
    """What a position shows, and how that follows from it."""

    answer: int | str
    how: str = ""
    """Such as the numbers that are added; empty where it can be seen."""

    @classmethod
    def added(cls, numbers: Iterable[int]) -> Fact:
        """The sum of numbers.

        >>> Fact.added([4, 3])
        Fact(answer=7, how='4 + 3')
        """
        several = list(numbers)
        return cls(sum(several), " + ".join(map(str, several)) if len(several) > 1 else "")

    @classmethod
    def counted(cls, names: Iterable[str]) -> Fact:
        """How many there are.

        >>> Fact.counted(["cot", "cut"])
        Fact(answer=2, how='cot, cut')
        """
        several = list(names)
        return cls(len(several), ", ".join(several))

    @classmethod
    def of(cls, value: Fact | int | str) -> Fact:
        """Returns one of `World.facts`, whose derivation need not be said."""
        return value if isinstance(value, Fact) else cls(value)


class World(Generic[S]):
    """One puzzle or game. States are NamedTuples of plain values; a move is a text.

    A subclass writes `start`, `moves`, `after`, `score` and `render`, and `over` where a game can
    end with moves left. A state of a world of `chance` has a field `seed` that decides what comes
    next and is drawn anew by each move.
    """

    name: ClassVar[str]
    rules: ClassVar[str]
    """For a player: what a position shows, how a move is written, what ends and what scores."""
    examples: ClassVar[tuple[Example, ...]]
    players: ClassVar[int] = 1
    """1, or 2 who play against each other."""
    chance: ClassVar[bool] = False
    hidden: ClassVar[tuple[str, ...]] = ()
    """Fields of a state that players do not see."""
    harder: ClassVar[Measure]
    """What grows with the level."""
    solvable: ClassVar[bool] = False
    """Whether every instance has a solution of score 1, which `solve` finds."""
    fewest: ClassVar[bool] = True
    """Whether no solution has fewer moves than that of `solve`."""

    def generate(self, seed: int, level: int) -> S:
        """Returns the instance of a seed: always the same, whatever else was drawn.

        Raises:
            ValueError: there is no such level.
        """
        return drawn(self.name, seed, level, self.start)

    def legal(self, state: S) -> tuple[str, ...]:
        """Returns the legal moves, each once, in a fixed order; none where the game is over."""
        return () if self.over(state) else tuple(self.moves(state))

    def step(self, state: S, move: str) -> S:
        """Returns the state after a legal move.

        Raises:
            IllegalMove: the rules do not allow it.
        """
        if move not in self.legal(state):
            raise IllegalMove(f"{self.name}: {move!r} is not legal here")
        return self.after(state, move)

    def replay(self, state: S, moves: Iterable[str]) -> S:
        """Returns the state after legal moves; raises as `step` does."""
        for move in moves:
            state = self.step(state, move)
        return state

    def read(self, state: S, text: str) -> str | None:
        """Returns the legal move that a text writes; case, blanks and a full stop do not count.

        None where it writes none.
        """
        move = " ".join(text.lower().split()).strip(" .`'\"")
        return move if move in self.legal(state) else None

    def view(self, state: S) -> dict[str, Any]:
        """Returns what a player sees of a state, by field, as plain values."""
        values: dict[str, Any] = state._asdict()  # type: ignore[attr-defined]
        unseen = {*self.hidden, "seed"}
        return {name: _plain(value) for name, value in values.items() if name not in unseen}

    def redrawn(self, state: S, rng: random.Random) -> S:
        """Returns a state with other chances ahead: for a player that looks ahead."""
        return state._replace(seed=rng.getrandbits(32)) if self.chance else state  # type: ignore

    def hint(self, state: S, move: str, rng: random.Random) -> float:
        """Returns how good a move looks to the one who makes it, from what players see: larger is
        better. The score after it, where a world knows no better."""
        score = self.score(self.after(self.redrawn(state, rng), move))
        return score if self.turn(state) == 0 else 1 - score

    def turn(self, state: S) -> int:
        """Returns whose move it is: 0, or 1 for the second of two players. A state's field `mover`
        says it; without one it is 0."""
        return getattr(state, "mover", 0)

    def solve(self, state: S) -> tuple[str, ...] | None:
        """Returns moves that reach score 1; of two players, the moves of best play by both, where a
        world knows them without a search.

        None where there are none, or no solver that could find them.
        """
        return None

    def why(self, state: S, move: str) -> str:
        """Returns the rule that a move of the form of a legal one breaks, as what follows a colon:
        `a1 is not empty`; empty where it is legal, or the world gives no reasons."""
        return ""

    def facts(self, state: S) -> Mapping[str, Fact | int | str]:
        """Returns what can be read off the position: the end of a question `What is …?` -> its
        answer. Those whose answers are of one type stand for each other as wrong options."""
        return {}

    def start(self, rng: random.Random, level: int) -> S | None:
        """Draws an instance; None where what was drawn is none, so that it is drawn again."""
        raise NotImplementedError

    def opened(self, state: S, rng: random.Random, count: int) -> S | None:
        """Returns a state after some random moves; None where these end the game."""
        for _ in range(count):
            if self.over(state):
                return None
            state = self.after(state, rng.choice(self.legal(state)))
        return None if self.over(state) else state

    def moves(self, state: S) -> Iterable[str]:
        """Yields the legal moves of a state that is not over."""
        raise NotImplementedError

    def after(self, state: S, move: str) -> S:
        """Returns the state after a move that is known to be legal."""
        raise NotImplementedError

    def over(self, state: S) -> bool:
        """Returns whether the game has ended: where a world says nothing else, when no move is
        left."""
        return not any(True for _ in self.moves(state))

    def score(self, state: S) -> float:
        """Returns the first player's score, 0 to 1: the final one where the game is over, else what
        the position is worth so far."""
        raise NotImplementedError

    def render(self, state: S) -> str:
        """Returns what players see, as text."""
        raise NotImplementedError


def _plain(value: Any) -> Any:
    """A value with plain tuples in place of named ones, so that its repr is a literal."""
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def square(row: int, column: int) -> str:
    """Returns the name of a square: its column's letter and its row's number.

    >>> square(2, 0)
    'a3'
    """
    return f"{chr(97 + column)}{row + 1}"


def place(name: str) -> tuple[int, int]:
    """Returns the row and column of a square's name.

    >>> place("a3")
    (2, 0)
    """
    return int(name[1:]) - 1, ord(name[0]) - 97


def cell(rows: Sequence[Sequence[Any]], at: tuple[int, int]) -> Any:
    """Returns what a square shows; None outside of the board.

    >>> cell(["#.", ".o"], (1, 1)), cell(["#.", ".o"], (2, 0))
    ('o', None)
    """
    row, column = at
    return rows[row][column] if 0 <= row < len(rows) and 0 <= column < len(rows[0]) else None


def marked(
    rows: Sequence[Sequence[object]], marks: Iterable[object], row: int | None = None
) -> list[str]:
    """Returns the names of the squares that show one of some marks, row by row; those of one row,
    from 0, where it is given.

    >>> marked(["#.", ".o"], "#o"), marked(["#.", ".o"], "#o", 1)
    (['a1', 'b2'], ['b2'])
    """
    return [
        square(r, c)
        for r, cells in enumerate(rows)
        for c, cell in enumerate(cells)
        if cell in marks and row in (None, r)
    ]


def board(rows: Sequence[Sequence[object]]) -> str:
    """Returns rows of squares as text, under the letters of columns and beside row numbers.

    >>> print(board(["#.", ".o"]))
      a b
    1 # .
    2 . o
    """
    width = max(len(str(cell)) for row in rows for cell in row)
    digits = len(str(len(rows)))
    letters = " ".join(chr(97 + n).rjust(width) for n in range(len(rows[0])))
    lines = [f"{' ' * digits} {letters}"]
    for number, row in enumerate(rows, 1):
        cells = " ".join(str(cell).rjust(width) for cell in row)
        lines.append(f"{number:>{digits}} {cells}")
    return "\n".join(lines)


def beside(row: int, column: int, height: int, width: int) -> list[tuple[int, int]]:
    """Returns the squares that share a side with one, on a board of that size.

    >>> beside(0, 0, 2, 2)
    [(1, 0), (0, 1)]
    """
    near = [(row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)]
    return [(r, c) for r, c in near if 0 <= r < height and 0 <= c < width]


def manual(world: World[Any]) -> str:
    """Returns the rules of a world with its examples, as a player reads them."""
    parts = [world.rules.strip()]
    for example in world.examples:
        said = ", then ".join(f"`{move}`" for move in example.moves)
        led = "the moves {} lead to" if len(example.moves) > 1 else "the move {} leads to"
        not_allowed = " or ".join(f"`{move}`" for move in example.refused)
        parts.append(
            f"Example. In the position\n\n{world.render(example.state)}\n\n"
            f"{led.format(said)}\n\n{example.text.strip(chr(10))}\n\n"
            f"while {not_allowed} would be illegal."
        )
    return "\n\n".join(parts)
