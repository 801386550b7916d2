"""Mastermind: guess a code from how near the guesses before came."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World

_SIZES = {1: (2, 3), 2: (2, 5), 3: (3, 5), 4: (4, 5), 5: (4, 7)}
"""Level -> letters of a code, and letters that there are."""
GUESSES = 6
_FEW = 25
"""Codes that can be gone through, at most."""


class State(NamedTuple):
    letters: str
    code: str
    guesses: tuple[tuple[str, int, int], ...]
    """Each with its letters that are right at their place, and those that are right elsewhere."""


def compared(code: str, guess: str) -> tuple[int, int]:
    """Returns how many letters of a guess are right at their place, and right elsewhere.

    >>> compared("aabc", "abad")
    (1, 2)
    """
    exact = sum(a == b for a, b in zip(code, guess, strict=True))
    common = sum(min(code.count(letter), guess.count(letter)) for letter in set(guess))
    return exact, common - exact


def _fits(code: str, told: tuple[tuple[str, int, int], ...]) -> bool:
    """Whether a code may be the secret one, by what was told of guesses."""
    return all(compared(code, guess) == (exact, near) for guess, exact, near in told)


@cache
def _codes(letters: str, length: int) -> tuple[str, ...]:
    return tuple(map("".join, product(letters, repeat=length)))


class Mastermind(World[State]):
    name = "mastermind"
    hidden = ("code",)
    harder = "random"
    rules = f"""\
There is a secret code: some letters in a row, each of a stated list; a letter may come several
times. A move is a guess of the same length from the same letters, such as `abca`; a guess that
was made before is illegal. For each guess you are told how many of its letters are right at their
place, and how many of the others are right at another place (of equal letters of the guess no
more count than the code has). The game ends when the code is guessed, or after {GUESSES} guesses.
The score is 1 where it was guessed, else half the largest share of letters that a guess had right
at their place."""
    examples = (
        Example(
            State("abcd", "aabc", ()),
            ("abad",),
            """
letters: abcd, code: 4 letters
abad: 1 at their place, 2 elsewhere
guesses left: 5""",
            ("abc", "abxa"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        length, count = _SIZES[level]
        letters = "".join(sorted(rng.sample("abcdefghijkl", count)))
        return State(letters, "".join(rng.choices(letters, k=length)), ())

    def moves(self, state: State) -> Iterator[str]:
        made = {guess for guess, _, _ in state.guesses}
        yield from (code for code in _codes(state.letters, len(state.code)) if code not in made)

    def after(self, state: State, move: str) -> State:
        return state._replace(guesses=(*state.guesses, (move, *compared(state.code, move))))

    def over(self, state: State) -> bool:
        return len(state.guesses) == GUESSES or self.score(state) == 1

    def score(self, state: State) -> float:
        best = max((exact for _, exact, _ in state.guesses), default=0) / len(state.code)
        return best if best == 1 else best / 2

    def view(self, state: State) -> dict[str, Any]:
        return {**super().view(state), "length": len(state.code)}

    def render(self, state: State) -> str:
        lines = [f"letters: {state.letters}, code: {len(state.code)} letters"]
        lines += [
            f"{guess}: {exact} at their place, {near} elsewhere"
            for guess, exact, near in state.guesses
        ]
        return "\n".join([*lines, f"guesses left: {GUESSES - len(state.guesses)}"])

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Guesses what could be the code."""
        return float(_fits(move, state.guesses))

    def why(self, state: State, move: str) -> str:
        return "it was guessed before" * any(move == guess for guess, _, _ in state.guesses)

    def facts(self, state: State) -> Mapping[str, Any]:
        letters, length = len(state.letters), len(state.code)
        facts: dict[str, Any] = {
            "the number of codes that are possible before the first guess": Fact(
                letters**length, " x ".join([str(letters)] * length)
            ),
            "the number of guesses that were made": Fact.counted(g for g, *_ in state.guesses),
        }
        if letters**length <= _FEW:
            leaves = [
                f"`{guess}` leaves {', '.join(self._left(state, number))}"
                for number, (guess, _, _) in enumerate(state.guesses, 1)
            ]
            facts["the number of codes that fit all that was told"] = Fact(
                len(self._left(state, GUESSES)), "; ".join(leaves) or "no guess was made"
            )
        return facts

    def _left(self, state: State, guesses: int) -> list[str]:
        """The codes that fit what was told of the first guesses."""
        told = state.guesses[:guesses]
        return [code for code in _codes(state.letters, len(state.code)) if _fits(code, told)]


WORLD = Mastermind()
