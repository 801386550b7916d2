"""Boards: positions of the puzzles and games that are played on a grid, as pictures."""

from __future__ import annotations

import random
import re
from typing import Any, ClassVar, Self

from transforms.scenes.base import Box, Scene, SceneQuestion
from transforms.scenes.pen import COLOURS, GREY, INK, Colour, Pen, text_size
from transforms.worlds import Fact, world
from transforms.worlds.questions import midgame

WORLDS = (
    "battleship", "breakthrough", "connect_four", "draughts", "hitori", "lights_out", "maze",
    "minesweeper", "peg_solitaire", "reversi", "rush_hour", "same_game", "sliding_tiles", "snake",
    "sokoban", "sudoku", "tic_tac_toe", "twenty_forty_eight",
)  # fmt: skip
"""Worlds whose positions are a grid of symbols, with lines of text below."""
_CELL, _EDGE, _LINE = 44, 36, 26
_EMPTY: Colour = (240, 240, 244)
_TILES: dict[str, Colour] = {
    "#": (70, 74, 84),
    "*": (250, 205, 60),
    "?": (168, 178, 196),
    "a": (250, 205, 200),
    "b": (200, 222, 250),
    "c": (205, 240, 205),
    "d": (250, 236, 180),
    "e": (228, 208, 246),
    "f": (250, 220, 180),
    "g": (190, 236, 236),
    "h": (246, 206, 230),
}
"""Symbol -> the colour of its square; on those of signs nothing is written."""
_SIGNS = {
    "x": "the blue cross", "o": "the red circle", "X": "the framed blue cross",
    "O": "the framed red circle",
}  # fmt: skip
"""Symbol -> what is drawn for it."""
_LEGENDS: dict[str, tuple[str, ...]] = {
    "battleship": ("yellow: a hit; circle: a miss",),
    "connect_four": ("cross, circle: discs",),
    "hitori": ("dark: shaded",),
    "lights_out": ("yellow: lit",),
    "maze": ("dark: wall; @: you; cross: exit",),
    "minesweeper": ("grey-blue: closed",),
    "peg_solitaire": ("circle: a peg",),
    "rush_hour": ("one letter: one car",),
    "same_game": ("letter: colour of a stone",),
    "snake": ("@: head; circle: body; cross: food",),
    "sokoban": (
        "dark: wall; circle: box; cross: marked square",
        "yellow: box on a marked square",
        "@: worker; +: worker on a marked square",
    ),
}
"""World -> lines below its board that say what is drawn, where a picture alone does not."""
_BLUE, _RED = COLOURS["blue"], COLOURS["red"]
_LINES = re.compile(r" +([a-z](?: +[a-z])*)")


class Board(Scene):
    """A position of a world, square by square as its players see it."""

    name: ClassVar[str] = "board"

    world: str
    level: int
    seed: int
    """Of the instance."""
    made: tuple[str, ...]
    """Moves made since."""
    squares: tuple[tuple[str, ...], ...]
    """The symbols of the rows."""
    below: tuple[str, ...]
    """Lines of text below the board."""

    @classmethod
    def start(cls, rng: random.Random, level: int) -> Self:
        name, seed = rng.choice(WORLDS), rng.randrange(10**6)
        made, state = midgame(world(name), world(name).generate(seed, level), rng, 6)
        return cls.of(name, level, seed, made, state)

    @classmethod
    def of(cls, name: str, level: int, seed: int, made: tuple[str, ...], state: Any) -> Self:
        """Returns the picture of a state of a world.

        Raises:
            ValueError: the world is not played on a grid.
        """
        head, *lines = world(name).render(state).strip("\n").split("\n")
        columns = len(head.split())
        rows = [line.split()[1:] for line in lines if re.match(r" *\d+ ", line)]
        if not _LINES.fullmatch(head) or not rows or any(len(row) != columns for row in rows):
            raise ValueError(f"{name} is not played on a grid: use one of {', '.join(WORLDS)}")
        return cls(
            world=name, level=level, seed=seed, made=made, squares=tuple(map(tuple, rows)),
            below=tuple(lines[len(rows) :]),
        )  # fmt: skip

    def square(self, row: int, column: int) -> Box:
        """Returns the box of a square."""
        left, top = _EDGE + column * _CELL, _EDGE + row * _CELL
        return (left, top, left + _CELL, top + _CELL)

    def draw(self) -> bytes:
        high, wide = len(self.squares), len(self.squares[0])
        below = [*self.below, *_LEGENDS.get(self.world, ())]
        if any(symbol in "XO" for row in self.squares for symbol in row):
            below.append("a frame marks a king")
        wider = max((text_size(line, 15)[0] for line in below), default=0)
        width = 2 * _EDGE + max(wide * _CELL, wider)
        pen = Pen(width, 2 * _EDGE + high * _CELL + _LINE * len(below))
        for row, cells in enumerate(self.squares):
            _, top, _, bottom = self.square(row, 0)
            pen.text((_EDGE / 2, (top + bottom) / 2), str(row + 1), 15)
            for column, symbol in enumerate(cells):
                _tile(pen, self.square(row, column), symbol)
        for column in range(wide):
            left, _, right, _ = self.square(0, column)
            pen.text(((left + right) / 2, _EDGE / 2), chr(97 + column), 15)
        for number, line in enumerate(below):
            pen.text((_EDGE, _EDGE * 1.5 + high * _CELL + _LINE * number), line, 15, anchor="lm")
        return pen.png()

    def questions(self) -> list[SceneQuestion]:
        state = world(self.world).replay(
            world(self.world).generate(self.seed, self.level), self.made
        )
        found = [
            SceneQuestion("reading", f"What is {what}?", Fact.of(fact).answer)
            for what, fact in world(self.world).facts(state).items()
        ]
        cells = [cell for row in self.squares for cell in row]
        for row, squares in enumerate(self.squares):
            for column, symbol in enumerate(squares):
                is_named = re.fullmatch(r"\d+|[A-Za-z]", symbol)
                if is_named and [cell.lower() for cell in cells].count(symbol.lower()) == 1:
                    text = f"On which square is {_SIGNS.get(symbol, symbol)}?"
                    name = f"{chr(97 + column)}{row + 1}"
                    found.append(SceneQuestion("find", text, name, self.square(row, column)))
        return found


def _tile(pen: Pen, box: Box, symbol: str) -> None:
    """Draws a square: a colour alone, a piece, or what is written on it."""
    left, top, right, bottom = box
    middle = ((left + right) / 2, (top + bottom) / 2)
    pen.rectangle(box, _TILES.get(symbol, _EMPTY), GREY)
    if symbol in ("x", "X"):
        for sign in (1, -1):
            x, y = 11, 11 * sign
            pen.line([(middle[0] - x, middle[1] - y), (middle[0] + x, middle[1] + y)], _BLUE, 5)
    elif symbol in ("o", "O"):
        pen.ellipse((left + 10, top + 10, right - 10, bottom - 10), None, _RED, 5)
    elif symbol != "." and symbol not in "#*?":
        pen.text(middle, symbol, 22 if len(symbol) < 3 else 17, INK)
    if symbol in ("X", "O"):
        pen.rectangle((left + 4, top + 4, right - 4, bottom - 4), None, INK, 2)
