"""Packing: choose parcels that fill a crate exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World


class State(NamedTuple):
    room: int
    """What the crate holds."""
    weights: tuple[int, ...]
    """Of the parcels that are left, in order; all differ."""
    packed: tuple[int, ...]
    """In order."""


class Packing(World[State]):
    name = "packing"
    harder = "solution"
    solvable = True
    fewest = False
    rules = """\
A crate holds a number of kilograms, and parcels of different weights lie beside it. A move packs
a parcel and is written as `pack 7`, with its weight. It is legal where the parcel is still there,
and all that is packed then weighs no more than the crate holds. What is packed stays. The game
ends when no move is legal. The score is the weight that is packed over what the crate holds. At
first, every crate can be filled exactly."""
    examples = (
        Example(
            State(12, (3, 5, 7, 9), ()),
            ("pack 5", "pack 7"),
            """
crate: 12 kg, packed: 5 + 7 = 12 kg
parcels: 3, 9""",
            ("pack 4", "pack 12"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        weights = sorted(rng.sample(range(5, 12 + 10 * level), 2 + 2 * level))
        return State(sum(rng.sample(weights, 1 + level)), tuple(weights), ())

    def moves(self, state: State) -> Iterator[str]:
        left = state.room - sum(state.packed)
        yield from (f"pack {weight}" for weight in state.weights if weight <= left)

    def after(self, state: State, move: str) -> State:
        weight = int(move.split()[1])
        rest = tuple(each for each in state.weights if each != weight)
        return State(state.room, rest, tuple(sorted((*state.packed, weight))))

    def score(self, state: State) -> float:
        return sum(state.packed) / state.room

    def render(self, state: State) -> str:
        terms = " + ".join(map(str, state.packed))
        total = f"{terms} = {sum(state.packed)}" if len(state.packed) > 1 else terms or "0"
        parcels = ", ".join(map(str, state.weights)) or "none"
        return f"crate: {state.room} kg, packed: {total} kg\nparcels: {parcels}"

    def solve(self, state: State) -> tuple[str, ...] | None:
        ways: dict[int, tuple[int, ...]] = {sum(state.packed): ()}
        for weight in state.weights:
            more = {total + weight: (*way, weight) for total, way in ways.items()}
            ways = {total: way for total, way in more.items() if total <= state.room} | ways
        way = ways.get(state.room)
        return None if way is None else tuple(f"pack {weight}" for weight in way)

    def why(self, state: State, move: str) -> str:
        weight, packed = int(move.split()[1]), sum(state.packed)
        if weight not in state.weights:
            return f"no parcel of {weight} kg lies beside the crate"
        heavy = packed + weight > state.room
        return f"{packed} + {weight} = {packed + weight} kg are more than {state.room} kg" * heavy

    def facts(self, state: State) -> Mapping[str, Any]:
        packed = sum(state.packed)
        return {
            "the weight in kg that still fits in": Fact(
                state.room - packed, f"{state.room} - {packed}"
            ),
            "the number of parcels beside the crate": Fact.counted(map(str, state.weights)),
            "the weight in kg of all parcels beside the crate": Fact.added(state.weights),
            "the weight in kg of the heaviest parcel beside the crate": max(
                state.weights, default=0
            ),
        }


WORLD = Packing()
