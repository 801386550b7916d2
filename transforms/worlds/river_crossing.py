"""River crossing: bring all over in a small boat, never leaving together what must not be."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact
from transforms.worlds.search import Searched

THINGS = ("cat", "dog", "fox", "hen", "owl", "pig", "ram")


class State(NamedTuple):
    seats: int
    """Things that the boat carries beside you."""
    enemies: tuple[tuple[str, str], ...]
    here: tuple[str, ...]
    """Things on the first bank, in order of the alphabet."""
    there: tuple[str, ...]
    boat: str
    """`here` or `there`."""


class RiverCrossing(Searched[State]):
    name = "river_crossing"
    harder = "solution"
    rules = """\
You bring animals from the first bank of a river to the second. Your boat has a number of seats
for animals beside your own. A move crosses the river from the bank where the boat is: `go with
cat and dog` takes these along, `go alone` none. Animals are named in order of the alphabet, at
most as many as there are seats. Some pairs are enemies: a move is illegal where it leaves both of
a pair on the bank that you leave. In the boat, and on the bank where you are, they get along. The
game ends when all animals are on the second bank. The score is the share of the animals that are
there."""
    examples = (
        Example(
            State(1, (("cat", "hen"), ("dog", "cat")), ("cat", "dog", "hen"), (), "here"),
            ("go with cat", "go alone"),
            """
first bank (boat): dog, hen
second bank: cat
seats: 1
enemies: cat and hen, dog and cat""",
            ("go with dog", "go with cat and dog"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        things = sorted(rng.sample(THINGS, 2 + level))
        while True:
            pairs = list(combinations(things, 2))
            enemies = tuple(sorted(rng.sample(pairs, rng.randint(1, min(len(pairs), 3 + level)))))
            state = State(rng.randint(1, 1 + level // 4), enemies, tuple(things), (), "here")
            solution = self.solve(state)
            if solution is not None and len(solution) >= 2 * level + 3 - 2 * (level == 1):
                return state

    def moves(self, state: State) -> Iterator[str]:
        bank = state.here if state.boat == "here" else state.there
        for count in range(min(state.seats, len(bank)) + 1):
            for taken in combinations(bank, count):
                left = set(bank) - set(taken)
                if not any(left.issuperset(pair) for pair in state.enemies):
                    yield f"go with {' and '.join(taken)}" if taken else "go alone"

    def after(self, state: State, move: str) -> State:
        taken = set() if move == "go alone" else set(move.removeprefix("go with ").split(" and "))
        here, there = set(state.here), set(state.there)
        if state.boat == "here":
            here, there, boat = here - taken, there | taken, "there"
        else:
            here, there, boat = here | taken, there - taken, "here"
        return state._replace(here=tuple(sorted(here)), there=tuple(sorted(there)), boat=boat)

    def over(self, state: State) -> bool:
        return not state.here

    def score(self, state: State) -> float:
        return len(state.there) / (len(state.here) + len(state.there))

    def render(self, state: State) -> str:
        def bank(name: str, things: tuple[str, ...], with_boat: bool) -> str:
            return f"{name}{' (boat)' * with_boat}: {', '.join(things) or 'nobody'}"

        enemies = ", ".join(f"{one} and {other}" for one, other in state.enemies)
        return (
            f"{bank('first bank', state.here, state.boat == 'here')}\n"
            f"{bank('second bank', state.there, state.boat == 'there')}\n"
            f"seats: {state.seats}\nenemies: {enemies}"
        )

    def why(self, state: State, move: str) -> str:
        taken = [] if move == "go alone" else move.removeprefix("go with ").split(" and ")
        bank = state.here if state.boat == "here" else state.there
        for animal in taken:
            if animal not in bank:
                return f"the {animal} is not where the boat is"
        if len(taken) > state.seats:
            return f"the boat has seats for {state.seats}"
        if taken != sorted(set(taken)):
            return "animals are named once, in order of the alphabet"
        for one, other in state.enemies:
            if {one, other} <= {*bank} - {*taken}:
                return f"the {one} and the {other} are enemies and would be left together"
        return ""

    def facts(self, state: State) -> Mapping[str, Any]:
        foes = {
            f"the number of enemies of the {thing}": Fact.counted(
                pair[pair[0] == thing] for pair in state.enemies if thing in pair
            )
            for thing in sorted({*state.here, *state.there})
        }
        return foes | {"the number of animals on the first bank": Fact.counted(state.here)}


WORLD = RiverCrossing()
