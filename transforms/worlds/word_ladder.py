"""Word ladder: from one word to another, a letter at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact
from transforms.worlds.search import Searched

_LISTED = """
ant arm art ash ask bad bag bar bat bay bed bee big bin bit box boy bud bug bun bus but cab
can cap car cat cod cog cop cot cow cry cub cup cut day den dig dim dip dog dot dry ear eat
egg end fan far fat fed fig fin fit fix fly fog fox fun fur gap gas get god got gum gun hat
hay hem hen hid hit hog hop hot hug hut ice ink jam jar jet job jug key kid kit lap law lay
leg let lid lip lit log lot low mad man map mat men met mix mob mop mud mug nap net nod not
now nut oak oar oil old one out owl own pad pan pat pay pea peg pen pet pie pig pin pit pod
pot put rag ram ran rat raw ray red rib rid rig rim rob rod rot row rub rug run sad sat saw
say sea set sew sit six sky son sun tab tag tan tap tar tea ten tie tin tip toe ton top toy
tub tug two van vet war wax way web wet wig win yes zip
"""
WORDS = tuple(_LISTED.split())


class State(NamedTuple):
    word: str
    target: str


@cache
def _near(word: str) -> tuple[str, ...]:
    return tuple(w for w in WORDS if sum(a != b for a, b in zip(w, word, strict=True)) == 1)


class WordLadder(Searched[State]):
    name = "word_ladder"
    harder = "solution"
    rules = f"""\
Two words of three letters are given, a present one and a target. A move replaces the present word
by another that differs from it in exactly one letter, at its place, and is written as the new
word. The new word must be one of these:
{" ".join(WORDS)}
The game ends when the present word is the target. The score is the share of its letters that are
those of the target."""
    examples = (
        Example(
            State("cat", "dog"), ("cot", "cog"), "present word: cog\ntarget: dog", ("dog", "caz")
        ),
    )

    def start(self, rng: random.Random, level: int) -> State | None:
        word, steps = rng.choice(WORDS), level + 1
        reached, edge = {word}, {word}
        for _ in range(steps):
            edge = {new for old in edge for new in _near(old)} - reached
            reached |= edge
        return State(word, rng.choice(sorted(edge))) if edge else None

    def moves(self, state: State) -> Iterator[str]:
        yield from _near(state.word)

    def after(self, state: State, move: str) -> State:
        return state._replace(word=move)

    def over(self, state: State) -> bool:
        return state.word == state.target

    def score(self, state: State) -> float:
        return sum(a == b for a, b in zip(state.word, state.target, strict=True)) / 3

    def render(self, state: State) -> str:
        return f"present word: {state.word}\ntarget: {state.target}"

    def why(self, state: State, move: str) -> str:
        count = sum(a != b for a, b in zip(state.word, move, strict=True))
        differ = f"it differs from {state.word} in {count} letters"
        return "it is the present word" if not count else differ * (count > 1)

    def facts(self, state: State) -> Mapping[str, Any]:
        pairs = zip(state.word, state.target, strict=True)
        return {
            "the number of letters that differ": Fact.counted(
                f"{one} and {other}" for one, other in pairs if one != other
            ),
            "the number of listed words one letter from the present word": Fact.counted(
                _near(state.word)
            ),
            "the number of listed words one letter from the target": Fact.counted(
                _near(state.target)
            ),
        }


WORLD = WordLadder()
