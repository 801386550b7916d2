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
from transforms.worlds.search import best_play


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
MOST_STEPS = 20
"""Moves of a solution, or of best play, that an analysis names, at most."""


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
    alike = [each.answer for each in facts.values() if type(each.answer) is type(answer)]
    false = list(map(str, alike))
    if isinstance(answer, int):
        false += [str(answer + by) for by in (1, 2, 3, -1, -2) if answer + by >= 0]
    how = f": {facts[what].how}" * bool(facts[what].how)
    steps = [f"{what[0].upper()}{what[1:]} is {answer}{how}."]
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


def refused(at: Position, rng: random.Random) -> list[str]:
    """Returns moves that are not legal here, of the form of those that are: they were legal at the
    start or are later in the game; where these are fewer than three, mixtures of such moves too."""
    here = {*at.world.legal(at.state)}
    moves = here.union(at.world.legal(at.start), *(_later(at.world, at.state, rng) for _ in "abc"))
    other = moves - here
    return sorted(other if len(other) >= 3 else other | _mixed(moves, rng) - here)


def _judged(at: Position, choice: Choice | None) -> Choice | None:
    """Adds an analysis to a question about legal moves: of each option whether it is legal, and
    which rule it breaks; where the world does not say, which moves are legal."""
    if choice is None:
        return None
    legal, world = at.world.legal(at.state), at.world
    reasons = {each: world.why(at.state, each) for each in choice.options if each not in legal}
    if not all(reasons.values()):
        if len(legal) > MOST_MOVES:
            return None
        return choice._replace(steps=(f"Legal here: {_named(legal)}.",))
    steps = (
        f"`{option}` is illegal: {reasons[option]}."
        if option in reasons
        else f"`{option}` is legal."
        for option in choice.options
    )
    return choice._replace(steps=("\n".join(steps),))


def _named(moves: Iterable[str]) -> str:
    return ", ".join(f"`{move}`" for move in moves)


def _legal(at: Position, rng: random.Random) -> Choice | None:
    """Asks which move is legal."""
    legal = at.world.legal(at.state)
    if not legal:
        return None
    text = "Which of these moves is legal here?"
    choice = _chosen("legal", text, rng.choice(legal), refused(at, rng), (), rng)
    return _judged(at, choice)


def _illegal(at: Position, rng: random.Random) -> Choice | None:
    """Asks which move is not legal."""
    legal, illegal = at.world.legal(at.state), refused(at, rng)
    if not illegal:
        return None
    text = "Which of these moves is illegal here?"
    return _judged(at, _chosen("illegal", text, rng.choice(illegal), legal, (), rng))


def _counts(at: Position, rng: random.Random) -> set[int]:
    """How many moves are legal in the first states of a random game."""
    state, counts = at.start, set[int]()
    for _ in range(6):
        if legal := at.world.legal(state):
            counts.add(len(legal))
            state = at.world.after(state, rng.choice(legal))
    return counts


_NAMED = re.compile(r"`[^`]*`|[a-z]?\d+[a-z]?|\b[a-z]\b")
"""What differs between two moves that break the same rule."""


def _contrasts(at: Position, rng: random.Random) -> list[str]:
    """Says of some moves which rule they break: three at most, each another rule."""
    broken: dict[str, str] = {}
    illegal = refused(at, rng)
    for move in rng.sample(illegal, len(illegal)):
        if reason := at.world.why(at.state, move):
            broken.setdefault(_NAMED.sub("", reason), f"`{move}`: {reason}")
    return list(broken.values())[:3]


def _count(at: Position, rng: random.Random) -> Choice | None:
    """Asks how many moves are legal; nothing where the rules alone say it, as in blackjack."""
    legal = at.world.legal(at.state)
    if not 0 < len(legal) <= MOST_MOVES or _counts(at, rng) == {len(legal)}:
        return None
    tens = range(0, len(legal), 10)
    listed = [f"{n + 1} to {n + len(legal[n : n + 10])}: {_named(legal[n : n + 10])}" for n in tens]
    if len(legal) <= 10:
        listed = [_named(legal)]
    steps = ["\n".join(["Legal here:", *listed]), f"That makes {len(legal)}."]
    if contrasts := _contrasts(at, rng):
        steps.insert(1, "\n".join(["Not legal are, for instance:", *contrasts]))
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
    if best == float("-inf"):
        return None
    if world.players == 2:
        text = (
            "Which of these moves is best for the player who makes it, if both play as well as "
            "possible afterwards? The first player wants a high score, the second a low one."
        )
    elif world.fewest:
        text = "After which of these moves can a score of 1 be reached in the fewest further moves?"
    else:
        text = "After which of these moves can a score of 1 still be reached?"
    lines = {move: _line(world, world.after(state, move)) for move in moves}
    if any(len(line or ()) > MOST_STEPS for line in lines.values()):
        return None
    first = world.turn(state) == 0
    scores = {move: own if first else 1 - own for move, own in worth.items()}
    steps = [_worth(world, move, lines[move], scores[move]) for move in moves]
    return _chosen("best", text, right, moves, steps, rng)


def _worth(world: World[Any], move: str, line: tuple[str, ...] | None, score: float) -> str:
    """Says what a move is worth, and the moves after it (`_line`) that show it."""
    if line is None:
        return f"After `{move}`, no moves lead to a score of 1."
    if world.players == 2:
        after = f" ({_named(line)})" * bool(line)
        return f"After `{move}` and best play by both{after}, the score is {score:.3g}."
    if not line:
        return f"`{move}` itself leads to a score of 1."
    if not world.fewest:
        return f"After `{move}`, a score of 1 can be reached: {_named(line)}."
    more = f"{len(line)} more moves are" if len(line) > 1 else "1 more move is"
    return f"After `{move}`, {more} needed: {_named(line)}."


def _line(world: World[Any], state: Any) -> tuple[str, ...] | None:
    """Returns the moves of a solution, or of best play by both; None where there is no solution."""
    if not world.legal(state):
        return () if world.players == 2 or world.score(state) == 1 else None
    return best_play(world, state) if world.players == 2 else world.solve(state)


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
