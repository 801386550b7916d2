"""Questions with options about positions of worlds, answered by the engine, step by step.

After Code2Logic (arXiv 2505.13886). Of the options of a question exactly one is true.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Fact, World, manual
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


class Position(NamedTuple):
    """A state of a game under way."""

    world: World[Any]
    start: Any
    """The first state of the game."""
    state: Any


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


def _reading(at: Position, rng: random.Random) -> Choice | None:
    """Asks for something that the position shows."""
    facts = {name: Fact.of(each) for name, each in at.world.facts(at.state).items()}
    if not facts:
        return None
    what = rng.choice(list(facts))
    answer = facts[what].answer
    alike = {name: each for name, each in facts.items() if type(each.answer) is type(answer)}
    false = [str(each.answer) for each in alike.values()]
    if isinstance(answer, int):
        false += [str(answer + by) for by in (1, 2, 3, -1, -2) if answer + by >= 0]
    alike[what] = alike.pop(what)  # what is asked for comes last
    steps = [
        f"{name[0].upper()}{name[1:]} is {each.answer}{f': {each.how}' * bool(each.how)}."
        for name, each in alike.items()
    ]
    return _chosen("reading", f"What is {what}?", str(answer), false, steps, rng)


_PIECE = re.compile(r"\d+|[a-z]+|[^a-z\d]+")
"""A number, a word or what stands between them in a move."""


def _later(world: World[Any], at: Any, rng: random.Random) -> set[str]:
    """The moves that are legal in the course of some random moves."""
    found: set[str] = set()
    for _ in range(6):
        if legal := world.legal(at):
            found |= {*legal}
            at = world.after(at, rng.choice(legal))
    return found


def _mixed(moves: set[str], rng: random.Random) -> set[str]:
    """Moves whose pieces stand at the same places of moves that there are."""
    forms: dict[tuple[bool, ...], list[list[str]]] = {}
    for move in sorted(moves):
        pieces = _PIECE.findall(move)
        forms.setdefault(tuple(each.isalnum() for each in pieces), []).append(pieces)
    choices = [[sorted({*place}) for place in zip(*each, strict=True)] for each in forms.values()]
    return {"".join(map(rng.choice, rng.choice(choices))) for _ in range(30)}


def _refused(at: Position, rng: random.Random) -> list[str]:
    """Moves that are not legal here, of the form of those that are: they were legal at the start or
    are later in the game, or their pieces are."""
    here = {*at.world.legal(at.state)}
    moves = here.union(at.world.legal(at.start), *(_later(at.world, at.state, rng) for _ in "abc"))
    return sorted(moves.union(_mixed(moves, rng)) - here)


def _listed(legal: tuple[str, ...]) -> str:
    moves = ", ".join(f"`{move}`" for move in legal)
    return (
        f"The legal moves here are {moves}." if len(legal) > 1 else f"Only {moves} is legal here."
    )


def _legal(at: Position, rng: random.Random) -> Choice | None:
    """Asks which move is legal."""
    legal = at.world.legal(at.state)
    if not 0 < len(legal) <= MOST_MOVES:
        return None
    move = rng.choice(legal)
    steps = [
        _listed(legal),
        f"Of the options `{move}` alone is among them.",
    ]
    text = "Which of these moves is legal here?"
    return _chosen("legal", text, move, _refused(at, rng), steps, rng)


def _illegal(at: Position, rng: random.Random) -> Choice | None:
    """Asks which move is not legal."""
    legal, refused = at.world.legal(at.state), _refused(at, rng)
    if not refused or len(legal) > MOST_MOVES:
        return None
    move = rng.choice(refused)
    steps = [
        _listed(legal),
        f"Of the options `{move}` alone is not among them.",
    ]
    return _chosen("illegal", "Which of these moves is illegal here?", move, legal, steps, rng)


def _counts(at: Position, rng: random.Random) -> set[int]:
    """How many moves are legal in the first states of a random game."""
    state, counts = at.start, set[int]()
    for _ in range(6):
        if legal := at.world.legal(state):
            counts.add(len(legal))
            state = at.world.after(state, rng.choice(legal))
    return counts


def _count(at: Position, rng: random.Random) -> Choice | None:
    """Asks how many moves are legal; nothing where the rules alone say it, as in blackjack."""
    legal = at.world.legal(at.state)
    if not 0 < len(legal) <= MOST_MOVES or _counts(at, rng) == {len(legal)}:
        return None
    steps = [f"Legal move {n}: `{move}`." for n, move in enumerate(legal, 1)]
    steps.append(f"That makes {len(legal)}.")
    false = [str(len(legal) + by) for by in (-2, -1, 1, 2, 3) if len(legal) + by >= 0]
    text = "How many different moves are legal here?"
    return _chosen("count", text, str(len(legal)), false, steps, rng)


def _after(at: Position, rng: random.Random) -> Choice | None:
    """Asks for the position after some moves; nothing where chance, or what is hidden, decides."""
    world, _, state = at
    if world.chance or world.hidden or not world.legal(state):
        return None
    both, count = (by_chance,) * 2, rng.randint(2, 4)
    played = play_out(world, state, both, rng, count)
    states, steps = [state], []
    for move in played.moves:
        states.append(world.step(states[-1], move))
        steps.append(f"After `{move}`:\n{world.render(states[-1])}")
    end, false = world.render(played.state), [world.render(each) for each in states]
    for _ in range(8):  # one of the moves, and those after it, are others
        same = rng.randrange(len(played.moves))
        other = play_out(world, states[same], both, rng, len(played.moves) - same)
        false.append(world.render(other.state))
    named = ", then ".join(f"`{move}`" for move in played.moves)
    several = len(played.moves) > 1
    what = "do these moves lead to, one after another" if several else "does this move lead to"
    text = f"Which position {what}: {named}?"
    return _chosen("after", text, end, false, steps, rng)


def _best(at: Position, rng: random.Random) -> Choice | None:
    """Asks for the best of some moves, where the exact solver can tell and one is better than all
    others."""
    world, _, state = at
    legal = world.legal(state)
    moves = rng.sample(legal, min(4, len(legal)))
    worth = values(world, state, moves)
    if not worth or list(worth.values()).count(best := max(worth.values())) != 1:
        return None
    right = max(worth, key=lambda move: worth[move])
    if world.players == 2:
        text = (
            "Which of these moves is best for the player who makes it, if both play as well as "
            "possible afterwards?"
        )
        steps = [f"After `{m}` and best play by both, the player who made it scores {v:g}."
                 for m, v in worth.items()]  # fmt: skip
    elif best == float("-inf"):
        return None
    elif world.fewest:
        text = "After which of these moves can a score of 1 be reached in the fewest further moves?"
        steps = [
            f"After `{move}`, {-left:g} more {'move is' if left == -1 else 'moves are'} needed."
            if left > float("-inf")
            else f"After `{move}`, a score of 1 cannot be reached any more."
            for move, left in worth.items()
        ]
    else:
        text = "After which of these moves can a score of 1 still be reached?"
        steps = [f"After `{move}`, a score of 1 {'can' if left == best else 'cannot'} be reached."
                 for move, left in worth.items()]  # fmt: skip
    return _chosen("best", text, right, moves, steps, rng)


KINDS: Mapping[str, Callable[[Position, random.Random], Choice | None]] = {
    "reading": _reading,
    "legal": _legal,
    "illegal": _illegal,
    "count": _count,
    "after": _after,
    "best": _best,
}
"""What is asked: the position itself, a move that is legal or illegal, how many are legal, the
position after some moves, and the best of some moves."""


def ask(at: Position, kind: str, rng: random.Random) -> Choice | None:
    """Returns a question of a kind about a position in which the game is not over.

    None where the state has none of that kind, or its solution would take too long.
    """
    return KINDS[kind](at, rng)


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
