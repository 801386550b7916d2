"""Questions with options about positions of worlds, answered by the engine, step by step.

After Code2Logic (arXiv 2505.13886). Of the options of a question exactly one is true.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import LEVELS, World, manual
from transforms.worlds.players import by_chance, play_out, values


class Choice(NamedTuple):
    """A question about a position, with options."""

    kind: str
    """One of `KINDS`."""
    text: str
    options: tuple[str, ...]
    right: int
    """The place of the true one, from 0."""
    steps: tuple[str, ...]
    """The analysis: how the answer follows from the position, as the engine has it."""


MOST_MOVES = 40
"""Legal moves of a position whose moves are listed or counted, at most."""


def _chosen(
    kind: str, text: str, true: str, false: Iterable[str], steps: Iterable[str],
    rng: random.Random,
) -> Choice | None:  # fmt: skip
    """Returns a question of four options in an order drawn at random; of three where there are no
    more, None where there are fewer."""
    others = [each for each in dict.fromkeys(false) if each != true]
    options = [true, *rng.sample(others, min(3, len(others)))]
    if len(options) < 3:
        return None
    rng.shuffle(options)
    return Choice(kind, text, tuple(options), options.index(true), tuple(steps))


def _reading(world: World[Any], state: Any, rng: random.Random) -> Choice | None:
    """Asks for something that the position shows."""
    facts = world.facts(state)
    if not facts:
        return None
    what, answer = rng.choice(list(facts.items()))
    alike = {name: each for name, each in facts.items() if type(each) is type(answer)}
    false = list(map(str, alike.values()))
    if isinstance(answer, int):
        false += [str(answer + by) for by in (1, 2, 3, -1, -2) if answer + by >= 0]
    steps = [f"{name[0].upper()}{name[1:]} is {each}." for name, each in alike.items()]
    return _chosen("reading", f"What is {what}?", str(answer), false, steps, rng)


def _later(world: World[Any], at: Any, rng: random.Random) -> set[str]:
    """The moves that are legal in the course of some random moves."""
    found: set[str] = set()
    for _ in range(6):
        if legal := world.legal(at):
            found |= {*legal}
            at = world.after(at, rng.choice(legal))
    return found


def _elsewhere(world: World[Any], state: Any, rng: random.Random) -> list[str]:
    """Moves that are not legal here but later in the game. Where there are fewer than three, also
    those of other instances, and at last such as are legal nowhere: these show it by their form.
    """
    here, found = {*world.legal(state)}, set[str]()
    for _ in "abc":
        found |= _later(world, state, rng) - here
    if len(found) < 3:
        for _ in "ab":
            other = world.generate(rng.randrange(10**6), rng.choice(LEVELS))
            found |= _later(world, other, rng) - here
    if len(found) < 3:
        found |= {move for example in world.examples for move in example.refused} - here
    return sorted(found)


def _listed(legal: tuple[str, ...]) -> str:
    return ", ".join(f"`{move}`" for move in legal)


def _legal(world: World[Any], state: Any, rng: random.Random) -> Choice | None:
    """Asks which move is legal."""
    legal = world.legal(state)
    if not 0 < len(legal) <= MOST_MOVES:
        return None
    move = rng.choice(legal)
    steps = [
        f"The legal moves here are {_listed(legal)}.",
        f"Of the options `{move}` alone is among them.",
    ]
    false = _elsewhere(world, state, rng)
    return _chosen("legal", "Which of these moves is legal here?", move, false, steps, rng)


def _illegal(world: World[Any], state: Any, rng: random.Random) -> Choice | None:
    """Asks which move is not legal."""
    legal, refused = world.legal(state), _elsewhere(world, state, rng)
    if not refused or len(legal) > MOST_MOVES:
        return None
    move = rng.choice(refused)
    steps = [
        f"The legal moves here are {_listed(legal)}.",
        f"Of the options `{move}` alone is not among them.",
    ]
    return _chosen("illegal", "Which of these moves is illegal here?", move, legal, steps, rng)


def _count(world: World[Any], state: Any, rng: random.Random) -> Choice | None:
    """Asks how many moves are legal."""
    legal = world.legal(state)
    if not 0 < len(legal) <= MOST_MOVES:
        return None
    steps = [f"Legal move {n}: `{move}`." for n, move in enumerate(legal, 1)]
    false = [str(len(legal) + by) for by in (-2, -1, 1, 2, 3) if len(legal) + by >= 0]
    text = "How many different moves are legal here?"
    return _chosen("count", text, str(len(legal)), false, steps, rng)


def _after(world: World[Any], state: Any, rng: random.Random) -> Choice | None:
    """Asks for the position after some moves; nothing where chance, or what is hidden, decides."""
    if world.chance or world.hidden or not world.legal(state):
        return None
    count = rng.randint(1, 3)
    played = play_out(world, state, (by_chance,) * 2, rng, count)
    end, at, steps = world.render(played.state), state, []
    for move in played.moves:
        at = world.step(at, move)
        steps.append(f"After `{move}`:\n{world.render(at)}")
    false = [world.render(state)]
    for _ in range(8):
        other = play_out(world, state, (by_chance,) * 2, rng, count)
        false.append(world.render(other.state))
    named = ", then ".join(f"`{move}`" for move in played.moves)
    text = f"Which position do these moves lead to, one after another: {named}?"
    return _chosen("after", text, end, false, steps, rng)


def _best(world: World[Any], state: Any, rng: random.Random) -> Choice | None:
    """Asks for the best of some moves, where the exact solver can tell and one is better than all
    others."""
    legal = world.legal(state)
    moves = rng.sample(legal, min(4, len(legal)))
    worth = values(world, state, moves)
    if not worth or list(worth.values()).count(best := max(worth.values())) != 1:
        return None
    right = max(worth, key=lambda move: worth[move])
    if world.players == 2:
        text = "Which of these moves is best for who makes it, if both play as well as can be then?"
        steps = [f"After `{m}` and best play by both, who made it scores {v:g}." for m, v in
                 worth.items()]  # fmt: skip
    elif best == float("-inf"):
        return None
    elif world.fewest:
        text = "After which of these moves can a score of 1 be reached in the fewest further moves?"
        steps = [
            f"After `{move}` {-left:g} more are needed."
            if left > float("-inf")
            else f"After `{move}` a score of 1 cannot be reached any more."
            for move, left in worth.items()
        ]
    else:
        text = "After which of these moves can a score of 1 still be reached?"
        steps = [f"After `{move}` it {'can' if left == best else 'cannot'}." for move, left in
                 worth.items()]  # fmt: skip
    return _chosen("best", text, right, moves, steps, rng)


KINDS: Mapping[str, Callable[[World[Any], Any, random.Random], Choice | None]] = {
    "reading": _reading,
    "legal": _legal,
    "illegal": _illegal,
    "count": _count,
    "after": _after,
    "best": _best,
}
"""What is asked: the position itself, a move that is legal or illegal, how many are legal, the
position after some moves, and the best of some moves."""


def ask(world: World[Any], state: Any, kind: str, rng: random.Random) -> Choice | None:
    """Returns a question of a kind about a state that is not over.

    None where the state has none of that kind, or its solution would take too long.
    """
    return KINDS[kind](world, state, rng)


def midgame(
    world: World[Any], start: Any, rng: random.Random, most: int
) -> tuple[tuple[str, ...], Any]:
    """Returns some random moves from an instance, at most so many, that do not end the game, and
    the state after them."""
    played = play_out(world, start, (by_chance,) * 2, rng, rng.randint(0, most))
    if world.legal(played.state):
        return played.moves, played.state
    return played.moves[:-1], world.replay(start, played.moves[:-1])


def asked(world: World[Any], state: Any, choice: Choice) -> str:
    """Returns a question as text: rules, position, what is asked, and the options."""
    options = [
        f"Option {number}:{chr(10) if chr(10) in option else ' '}{option}"
        for number, option in enumerate(choice.options, 1)
    ]
    position = f"The position is\n\n{world.render(state)}"
    return "\n\n".join([manual(world), position, choice.text, "\n".join(options)])


def analysis(choice: Choice) -> str:
    """Returns a question's analysis as text, which ends in the option that is true."""
    return "\n\n".join([*choice.steps, f"So option {choice.right + 1} is right."])
