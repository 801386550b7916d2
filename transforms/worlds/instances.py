"""Instances of worlds as seeds: `positions` draws them, `Instance.of` reads one back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

from transforms.engine.records import Seed
from transforms.worlds import LEVELS, NAMES, World, manual, world


def positions(
    worlds: Sequence[str] = NAMES, levels: Sequence[int] = LEVELS, count: int = 10, seed: int = 0
) -> Iterator[dict[str, Any]]:
    """Yields instances as seeds' columns, for `source=function`, of all worlds in turn; an instance
    comes once.

    Args:
        worlds: names, or import paths of one's own.
        count: seeds of each world and level, from `seed` on.

    Raises:
        ValueError: there is no such world or level.
    """
    found = {name: world(name) for name in worlds}
    seen: dict[tuple[str, int], set[Any]] = {(n, level): set() for n in found for level in levels}
    for number, level, (name, made) in product(range(seed, seed + count), levels, found.items()):
        state = made.generate(number, level)
        if state in seen[name, level]:
            continue
        seen[name, level].add(state)
        # where something is hidden, instances differ that look the same
        which = f"{name}, level {level}, instance {number}."
        position = f"The position is\n\n{made.render(state)}"
        yield {
            "problem": f"{which}\n\n{manual(made)}\n\n{position}",
            "kind": name,
            "license": "Apache-2.0",
            "level": level,
            "seed": number,
        }


class Instance(NamedTuple):
    """One instance of a world."""

    world: World[Any]
    name: str
    level: int
    seed: int
    state: Any

    @classmethod
    def of(cls, seed: Seed) -> Instance | None:
        """Returns the instance that a seed of `positions` is about; None where it is another."""
        said = json.loads(seed.metadata)
        try:
            made = world(seed.kind or "")
            state = made.generate(said["seed"], said["level"])
        except (KeyError, TypeError, ValueError):
            return None
        return cls(made, seed.kind or "", said["level"], said["seed"], state)
