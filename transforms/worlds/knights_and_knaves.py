"""Knights and knaves: find who tells the truth and who lies."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World

NAMES = ("ada", "ben", "cid", "dora", "eli", "fay")


class Claim(NamedTuple):
    kind: str
    """`knave`, `knight` (of `one`); `same`, `different`, `either` (of both)."""
    one: int
    other: int


WORDS = {
    "knave": "{one} is a knave",
    "knight": "{one} is a knight",
    "same": "{one} and {other} are of the same kind",
    "different": "{one} and {other} are of different kinds",
    "either": "at least one of {one} and {other} is a knight",
}


class State(NamedTuple):
    claims: tuple[Claim, ...]
    """What each says, in order of the people."""
    kinds: tuple[str, ...]
    """`knight`, `knave`, or empty where it is not said yet."""


class KnightsAndKnaves(World[State]):
    name = "knights_and_knaves"
    harder = "solution"
    solvable = True
    rules = """\
Each of some people is a knight, who always tells the truth, or a knave, who always lies; each
makes a statement. A move says what one of them is: `ada=knight` or `ada=knave`. It is legal where
nothing was said of that person yet; what was said stays. The game ends when it is said of all of
them. The score is the share of the statements that fit: a knight's is true, and a knave's false,
if all are what was said of them. Before the end, statements that speak of somebody of whom
nothing was said do not fit. Exactly one answer makes all fit."""
    examples = (
        Example(
            State((Claim("different", 0, 1), Claim("knave", 0, 1)), ("", "")),
            ("ada=knave", "ben=knight"),
            """
ada (knave) says: ada and ben are of different kinds.
ben (knight) says: ada is a knave.""",
            ("cid=knave", "ada=liar"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        people = range(level + 1)
        while True:
            claims = []
            for speaker in people:
                one, other = sorted(rng.sample(people, 2))
                kind = rng.choice([*WORDS])
                if kind in ("knave", "knight"):  # nobody can call himself a knave
                    one, other = rng.choice([n for n in people if n != speaker]), speaker
                claims.append(Claim(kind, one, other))
            state = State(tuple(claims), ("",) * len(claims))
            if len(_answers(state)) == 1:
                return state

    def moves(self, state: State) -> Iterator[str]:
        for name, kind in zip(NAMES, state.kinds, strict=False):
            if not kind:
                yield from (f"{name}=knight", f"{name}=knave")

    def after(self, state: State, move: str) -> State:
        name, kind = move.split("=")
        at = NAMES.index(name)
        return state._replace(kinds=(*state.kinds[:at], kind, *state.kinds[at + 1 :]))

    def over(self, state: State) -> bool:
        return all(state.kinds)

    def score(self, state: State) -> float:
        return sum(_fits(state.claims, state.kinds)) / len(state.claims)

    def render(self, state: State) -> str:
        lines = []
        for name, kind, claim in zip(NAMES, state.kinds, state.claims, strict=False):
            said = WORDS[claim.kind].format(one=NAMES[claim.one], other=NAMES[claim.other])
            lines.append(f"{name} ({kind or '?'}) says: {said}.")
        return "\n".join(lines)

    def solve(self, state: State) -> tuple[str, ...] | None:
        for answer in _answers(state):
            pairs = zip(NAMES, answer, state.kinds, strict=False)
            return tuple(f"{name}={kind}" for name, kind, known in pairs if not known)
        return None

    def why(self, state: State, move: str) -> str:
        name = move.split("=")[0]
        kind = state.kinds[NAMES.index(name)]
        return f"it was said already that {name} is a {kind}" if kind else ""

    def facts(self, state: State) -> Mapping[str, Any]:
        pairs = list(zip(NAMES, state.claims, strict=False))
        one = [f"that of {name}" for name, claim in pairs if claim.kind in ("knave", "knight")]
        called = {NAMES[claim.one] for _, claim in pairs if claim.kind == "knave"}
        return {
            "the number of people": Fact.counted(name for name, _ in pairs),
            "the number of statements about one person": Fact.counted(one),
            "the number of people who are called a knave": Fact.counted(sorted(called)),
        }


def _fits(claims: tuple[Claim, ...], kinds: tuple[str, ...]) -> list[bool]:
    """Whether each statement is true of a knight, or false of a knave, of known kinds."""
    fits = []
    for claim, kind in zip(claims, kinds, strict=True):
        one, other = kinds[claim.one], kinds[claim.other]
        about = (one,) if claim.kind in ("knave", "knight") else (one, other)
        true = {
            "knave": one == "knave",
            "knight": one == "knight",
            "same": one == other,
            "different": one != other,
            "either": "knight" in (one, other),
        }[claim.kind]
        fits.append(all((kind, *about)) and true is (kind == "knight"))
    return fits


def _answers(state: State) -> list[tuple[str, ...]]:
    kinds = [(kind,) if kind else ("knight", "knave") for kind in state.kinds]
    return [answer for answer in product(*kinds) if all(_fits(state.claims, answer))]


WORLD = KnightsAndKnaves()
