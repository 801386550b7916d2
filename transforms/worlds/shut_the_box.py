"""Shut the box: shut tiles whose sum the dice show."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World


class State(NamedTuple):
    open: tuple[int, ...]
    tiles: int
    """Tiles at the start, numbered from 1."""
    roll: int
    seed: int


class ShutTheBox(World[State]):
    name = "shut_the_box"
    chance = True
    harder = "random"
    rules = """\
Tiles with the numbers from 1 on are open. Two dice are rolled; a move shuts one or more open
tiles whose numbers add up to the roll, and is written `shut 2 5`, the numbers from the smallest.
Tiles stay shut, and the dice are rolled again. The game ends when no move is legal, or all tiles
are shut. The score is the sum of the shut tiles over the sum of all."""
    examples = (
        Example(
            State((1, 2, 5, 6), 6, 7, 4),
            ("shut 2 5",),
            "open tiles: 1 6 (of 1 to 6)\nroll: 5",
            ("shut 7", "shut 5 2"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        tiles = 5 + 2 * level
        state = State(tuple(range(1, tiles + 1)), tiles, rng.randint(1, 6) + rng.randint(1, 6), 0)
        return state._replace(seed=rng.getrandbits(32))

    def moves(self, state: State) -> Iterator[str]:
        for count in range(1, 5):
            for tiles in combinations(state.open, count):
                if sum(tiles) == state.roll:
                    yield f"shut {' '.join(map(str, tiles))}"

    def after(self, state: State, move: str) -> State:
        rng = random.Random(state.seed)
        shut = set(map(int, move.split()[1:]))
        rest = tuple(tile for tile in state.open if tile not in shut)
        roll = rng.randint(1, 6) + rng.randint(1, 6)
        return State(rest, state.tiles, roll, rng.getrandbits(32))

    def score(self, state: State) -> float:
        return 1 - sum(state.open) / (state.tiles * (state.tiles + 1) // 2)

    def render(self, state: State) -> str:
        tiles = " ".join(map(str, state.open)) or "none"
        return f"open tiles: {tiles} (of 1 to {state.tiles})\nroll: {state.roll}"

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Shuts few tiles, and so large ones."""
        return -len(move.split())

    def why(self, state: State, move: str) -> str:
        tiles = list(map(int, move.split()[1:]))
        for tile in tiles:
            if tile not in state.open:
                return f"tile {tile} is not open"
        if tiles != sorted(set(tiles)):
            return "tiles are named once, from the smallest"
        terms = " + ".join(map(str, tiles))
        total = f"{terms} = {sum(tiles)}" if len(tiles) > 1 else terms
        return f"{total}, and the roll is {state.roll}" * (sum(tiles) != state.roll)

    def facts(self, state: State) -> Mapping[str, Any]:
        return {
            "the number of open tiles": Fact.counted(map(str, state.open)),
            "the sum of the open tiles": Fact.added(state.open),
            "the largest open tile": max(state.open, default=0),
            "the roll": state.roll,
        }


WORLD = ShutTheBox()
