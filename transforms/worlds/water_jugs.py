"""Water jugs: measure an amount with jugs that have no marks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact
from transforms.worlds.search import Searched


class State(NamedTuple):
    sizes: tuple[int, ...]
    """Of jugs a, b, c."""
    filled: tuple[int, ...]
    target: int


class WaterJugs(Searched[State]):
    name = "water_jugs"
    harder = "solution"
    rules = """\
Jugs with letters hold some litres each, and have no marks. A move is one of: `fill a` fills jug a
to the brim from the tap (legal where it is not full); `empty a` pours all of it away (legal where
it is not empty); `pour a into b` pours from a into b until a is empty or b is full (legal where a
is not empty and b not full). The game ends when a jug holds exactly the target. The score is 1
then, else 0."""
    examples = (
        Example(
            State((3, 5), (0, 5), 2),
            ("pour b into a",),
            """
a: 3 of 3 litres
b: 2 of 5 litres
target: 2 litres""",
            ("fill b", "pour a into b"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        while True:
            sizes = tuple(sorted(rng.sample(range(2, 8 + 3 * level), 2 + (rng.random() < 0.5))))
            state = State(sizes, (0,) * len(sizes), rng.randint(1, sizes[-1] - 1))
            solution = self.solve(state)
            if solution is not None and 2 * level <= len(solution) <= 2 * level + 1:
                return state

    def moves(self, state: State) -> Iterator[str]:
        jugs = range(len(state.sizes))
        for one in jugs:
            if state.filled[one] < state.sizes[one]:
                yield f"fill {chr(97 + one)}"
            if state.filled[one]:
                yield f"empty {chr(97 + one)}"
                for other in jugs:
                    if other != one and state.filled[other] < state.sizes[other]:
                        yield f"pour {chr(97 + one)} into {chr(97 + other)}"

    def after(self, state: State, move: str) -> State:
        verb, name, *into = move.split()
        filled, one = list(state.filled), ord(name) - 97
        if into:
            other = ord(into[1]) - 97
            poured = min(filled[one], state.sizes[other] - filled[other])
            filled[one] -= poured
            filled[other] += poured
        else:
            filled[one] = state.sizes[one] if verb == "fill" else 0
        return state._replace(filled=tuple(filled))

    def over(self, state: State) -> bool:
        return state.target in state.filled

    def score(self, state: State) -> float:
        return float(self.over(state))

    def render(self, state: State) -> str:
        pairs = enumerate(zip(state.filled, state.sizes, strict=True))
        jugs = [f"{chr(97 + n)}: {full} of {size} litres" for n, (full, size) in pairs]
        return "\n".join([*jugs, f"target: {state.target} litres"])

    def why(self, state: State, move: str) -> str:
        verb, name, *into = move.split()
        filled, size = (each[ord(name) - 97] for each in (state.filled, state.sizes))
        if verb == "fill":
            return f"jug {name} is full" * (filled == size)
        if not filled:
            return f"jug {name} is empty"
        if into and into[1] == name:
            return "a jug is not poured into itself"
        other = ord(into[1]) - 97 if into else -1
        full = bool(into) and state.filled[other] == state.sizes[other]
        return f"jug {into[1]} is full" if full else ""

    def facts(self, state: State) -> Mapping[str, Any]:
        pairs = enumerate(zip(state.filled, state.sizes, strict=True))
        room = {
            f"the number of litres that jug {chr(97 + n)} still takes": Fact(
                size - full, f"{size} - {full}"
            )
            for n, (full, size) in pairs
        }
        return room | {"the number of litres in all jugs": Fact.added(state.filled)}


WORLD = WaterJugs()
