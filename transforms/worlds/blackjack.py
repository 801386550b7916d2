"""Blackjack: come nearer to 21 than the dealer, over several rounds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World

CARDS = (*range(1, 10), 10, 10, 10, 10)
"""Equally likely; a face counts 10, an ace is 1."""


class State(NamedTuple):
    hand: tuple[int, ...]
    dealer: tuple[int, ...]
    """One card; all that he drew once the last round is over."""
    left: int
    """Rounds to play, this one included."""
    rounds: int
    points: float
    seed: int


def total(cards: Sequence[int]) -> int:
    """Returns what cards count: an ace 11 where that is not above 21.

    >>> total((1, 10)), total((1, 10, 5))
    (21, 16)
    """
    return sum(cards) + (10 if 1 in cards and sum(cards) <= 11 else 0)


class Blackjack(World[State]):
    name = "blackjack"
    chance = True
    harder = "length"
    rules = """\
You play rounds against a dealer. Cards count 1 to 10, and are drawn as if from endlessly many
packs (10 comes four times as often as any other). A 1 is an ace, and counts 11 where the hand
then counts at most 21. You begin with two cards, and see one of the dealer's. A move is `hit`,
which draws a card, or `stand`. With more than 21 you lose the round at once. After `stand` the
dealer draws until he has 17 or more; with more than 21 he loses, else the higher hand wins the
round. A round won gives one point, equal hands half a point. The game ends after the last round.
The score is the points over the number of rounds."""
    examples = (
        Example(
            State((10, 4), (6,), 2, 2, 0.0, 0),
            ("hit",),
            """
your hand: 10 4 7 (21)
dealer: 6 (6)
rounds left: 2 of 2; points: 0""",
            ("double", "hit 3"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        rounds = 2 * level
        return self._dealt(State((), (), rounds, rounds, 0.0, 0), rng)

    def _dealt(self, state: State, rng: random.Random) -> State:
        one, two, other = rng.choices(CARDS, k=3)
        return state._replace(hand=(one, two), dealer=(other,), seed=rng.getrandbits(32))

    def moves(self, state: State) -> Iterator[str]:
        yield from ("hit", "stand")

    def after(self, state: State, move: str) -> State:
        rng = random.Random(state.seed)
        if move == "hit":
            state = state._replace(hand=(*state.hand, rng.choice(CARDS)))
            if total(state.hand) <= 21:
                return state._replace(seed=rng.getrandbits(32))
        else:
            while total(state.dealer) < 17:
                state = state._replace(dealer=(*state.dealer, rng.choice(CARDS)))
        own, his = total(state.hand), total(state.dealer)
        won = 0.0 if own > 21 else 1.0 if his > 21 or own > his else 0.5 if own == his else 0.0
        state = state._replace(points=state.points + won, left=state.left - 1)
        return self._dealt(state, rng) if state.left else state._replace(seed=0)

    def over(self, state: State) -> bool:
        return state.left == 0

    def score(self, state: State) -> float:
        return state.points / state.rounds

    def render(self, state: State) -> str:
        hand, dealer = (" ".join(map(str, cards)) for cards in (state.hand, state.dealer))
        return (
            f"your hand: {hand} ({total(state.hand)})\ndealer: {dealer} ({total(state.dealer)})\n"
            f"rounds left: {state.left} of {state.rounds}; points: {state.points:g}"
        )

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Stands at 17, and at 12 where the dealer is likely to lose by himself."""
        enough = 12 if 2 <= state.dealer[0] <= 6 else 17
        return float((move == "stand") == (total(state.hand) >= enough))

    def facts(self, state: State) -> Mapping[str, Any]:
        return {
            "the number of cards in your hand": Fact.counted(map(str, state.hand)),
            "the number of points that your hand is below 21": Fact(
                21 - total(state.hand), f"21 - {total(state.hand)}"
            ),
            "the number of points of the dealer's cards": total(state.dealer),
            "the number of rounds left": state.left,
        }


WORLD = Blackjack()
