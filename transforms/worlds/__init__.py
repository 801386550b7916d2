"""Puzzles and games as data: worlds by name, each in a module of that name."""

from __future__ import annotations

import pkgutil
from typing import Any

from transforms.worlds.base import LEVELS, Example, Fact, IllegalMove, World, manual

PUZZLES = (
    "freecell", "graph_colouring", "hanoi", "hitori", "knights_and_knaves", "lights_out", "maze",
    "nonogram", "packing", "peg_solitaire", "river_crossing", "rush_hour", "sliding_tiles",
    "sokoban", "sudoku", "water_jugs", "word_ladder",
)  # fmt: skip
"""One player, no chance, nothing hidden, and a solution that an exact solver finds."""
GAMES = (
    "battleship", "blackjack", "breakthrough", "connect_four", "dots_and_boxes", "draughts",
    "mancala", "mastermind", "minesweeper", "nim", "pig", "reversi", "same_game", "shut_the_box",
    "snake", "tic_tac_toe", "twenty_forty_eight",
)  # fmt: skip
"""Two players, chance, something hidden, or no solution that is known."""
NAMES = (*PUZZLES, *GAMES)

__all__ = [
    "GAMES", "LEVELS", "NAMES", "PUZZLES", "Example", "Fact", "IllegalMove", "World", "manual",
    "world",
]  # fmt: skip


def world(name: str) -> World[Any]:
    """Returns a world by its name, or one's own by its import path, such as `my_package.CHESS`.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        path = f"transforms.worlds.{name}:WORLD" if name in NAMES else name
        found = pkgutil.resolve_name(path)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not isinstance(found, World):
        raise ValueError(
            f"there is no world {name}: use one of {', '.join(NAMES)}, or an import path"
        )
    return found
