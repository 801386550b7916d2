"""The towers of Hanoi, from any position: bring all discs to the last peg."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact
from transforms.worlds.search import Searched

PEGS = "abc"


class State(NamedTuple):
    pegs: tuple[int, ...]
    """The peg of each disc, 0 to 2, from the smallest disc."""


class Hanoi(Searched[State]):
    name = "hanoi"
    harder = "solution"
    rules = """\
Discs of different sizes, 1 the smallest, lie on three pegs a, b and c, on each peg the smaller
above the larger. A move takes the top disc of a peg to another and is written `a to c`. It is
legal where the peg has a disc, and the other peg is empty or its top disc is larger. The game
ends when all discs are on peg c. Discs count from the largest down, as long as each is on peg c;
the score is the share of the discs that count."""
    examples = (
        Example(
            State((0, 0, 2)),
            ("a to b", "a to c"),
            """
a: -
b: 1
c: 3 2
(from the bottom up)""",
            ("c to a", "b to c"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        state = State(tuple(rng.randrange(3) for _ in range(2 + level)))
        return state if state.pegs[-1] != 2 else None

    def _tops(self, state: State) -> list[int]:
        """The top disc of each peg, from 0; one past the largest where it is empty."""
        pegs = state.pegs
        return [pegs.index(peg) if peg in pegs else len(pegs) for peg in range(3)]

    def moves(self, state: State) -> Iterator[str]:
        tops = self._tops(state)
        for one in range(3):
            for other in range(3):
                if tops[one] < tops[other]:
                    yield f"{PEGS[one]} to {PEGS[other]}"

    def after(self, state: State, move: str) -> State:
        one, other = (PEGS.index(peg) for peg in move.split(" to "))
        disc = state.pegs.index(one)
        return State((*state.pegs[:disc], other, *state.pegs[disc + 1 :]))

    def over(self, state: State) -> bool:
        return set(state.pegs) == {2}

    def score(self, state: State) -> float:
        placed = next((n for n, peg in enumerate(reversed(state.pegs)) if peg != 2), None)
        return 1.0 if placed is None else placed / len(state.pegs)

    def render(self, state: State) -> str:
        lines = []
        for peg in range(3):
            discs = [str(n) for n, at in enumerate(state.pegs, 1) if at == peg]
            lines.append(f"{PEGS[peg]}: {' '.join(reversed(discs)) or '-'}")
        return "\n".join([*lines, "(from the bottom up)"])

    def why(self, state: State, move: str) -> str:
        one, other = (PEGS.index(peg) for peg in move.split(" to "))
        tops = self._tops(state)
        if one == other:
            return "it goes to the peg on which it is"
        if tops[one] == len(state.pegs):
            return f"peg {PEGS[one]} has no disc"
        larger = tops[one] > tops[other]
        return f"disc {tops[one] + 1} is larger than disc {tops[other] + 1}" * larger

    def facts(self, state: State) -> Mapping[str, Any]:
        discs = {
            f"the number of discs on peg {name}": Fact.counted(
                str(disc) for disc, peg in enumerate(state.pegs, 1) if peg == n
            )
            for n, name in enumerate(PEGS)
        }
        where = {f"the peg of disc {n}": PEGS[peg] for n, peg in enumerate(state.pegs, 1)}
        total = Fact.added(state.pegs.count(peg) for peg in range(3))
        return discs | where | {"the number of discs": total}


WORLD = Hanoi()
