"""cotmill bench worlds: every world over many seeds and moves, a line each."""

from __future__ import annotations

import json
import math
import random
import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pydantic import Field

from pipelines.benches.measures.referees import REFEREES
from pipelines.benches.shown import plain
from transforms.engine.machine import machine_line
from transforms.engine.settings import Group
from transforms.worlds import LEVELS, NAMES, IllegalMove, World, world
from transforms.worlds.players import difficulty, mean_score


class BenchWorldsSettings(Group):
    """Everything `cotmill bench worlds` can be told."""

    worlds: list[str] | None = Field(
        description="worlds by name or import path (null: all that ship)"
    )
    seeds: int = Field(ge=10, description="instances, shared by the levels")
    moves: int = Field(ge=1, description="illegal moves, and at least as many legal ones")
    games: int = Field(
        ge=2, description="of these, played at each level for its measure and scores"
    )


SETTINGS = BenchWorldsSettings

MOVES_OF_A_GAME = 50
"""Random moves before another instance is begun, at most: some games never end."""


def bench(settings: BenchWorldsSettings) -> None:
    """Generates, solves, moves in and measures every world; a fault ends it with an error."""
    console = plain()
    console.print(
        f"{settings.seeds:,} seeds, {settings.moves:,} moves, {settings.games} games a level, "
        f"{machine_line()}"
    )
    found = []
    for name in settings.worlds or NAMES:
        row = measure(name, settings)
        found.append(row)
        grows = " < ".join(f"{value:.3g}" for value in row["measured"])
        console.print(
            f"{name}: {row['different']:,} different instances ({row['by_chance']:,} by chance), "
            f"{row['solved']:,} solved, "
            f"{row['moves']:,} legal and {row['refused']:,} illegal moves, {row['measure']} "
            f"{grows}{'' if row['grows'] else ' (does not grow)'}, scores at level 3: random "
            f"{row['random']:.2f}, greedy {row['greedy']:.2f}; {row['seconds']:.1f} s"
        )
    print(json.dumps({"bench": "worlds", "worlds": found}))


def measure(name: str, settings: BenchWorldsSettings) -> dict[str, Any]:
    """Tries a world.

    Returns:
        world, different (instances), by_chance (as many draws of one generator that goes on),
        solved, moves (legal ones made), refused (illegal ones; a referee, where the world has one,
        agreed on both), measure, measured (by level),
        grows, random and greedy (mean scores), seconds of CPU.

    Raises:
        AssertionError: it breaks a promise of `World`.
    """
    started, made = time.process_time(), world(name)
    seeds = range(settings.seeds // len(LEVELS))
    levels = [[made.generate(seed, level) for seed in seeds] for level in LEVELS]
    starts = [start for level in levels for start in level]
    solved = 0
    for start in starts if made.solvable else ():
        solution = made.solve(start)
        if solution is None or made.score(made.replay(start, solution)) != 1:
            raise AssertionError(f"{name}: {start} is not solved")
        solved += 1
    different = sum(len(set(level)) for level in levels)
    by_chance = sum(_by_chance(made, level, len(seeds)) for level in LEVELS)
    repeats, expected = (len(starts) - each for each in (different, by_chance))
    if repeats > expected + 4 * math.sqrt(expected + 1):
        raise AssertionError(f"{name}: {repeats} instances come again, by chance {expected}")
    moves, refused = _moves(made, starts, settings.moves)
    games = [level[: settings.games] for level in levels]
    measured = [difficulty(made, each) for each in games]
    return {
        "world": name,
        "different": different,
        "by_chance": by_chance,
        "solved": solved,
        "moves": moves,
        "refused": refused,
        "measure": made.harder,
        "measured": measured,
        "grows": all(one < other for one, other in pairwise(measured)),
        "random": mean_score(made, "random", games[2]),
        "greedy": mean_score(made, "greedy", games[2]),
        "seconds": round(time.process_time() - started, 1),
    }


def _by_chance(made: World[Any], level: int, count: int) -> int:
    """Draws instances from one generator that goes on; returns how many are different."""
    rng, drawn = random.Random(f"{made.name} {level}"), list[Any]()
    while len(drawn) < count:
        start = made.start(rng, level)
        drawn += [] if start is None else [start]
    return len(set(drawn))


def _moves(made: World[Any], starts: list[Any], most: int) -> tuple[int, int]:
    """Makes a random legal move in each state of random games, and tries one that is not legal;
    the referee who has read the rules has to agree. Goes on until `most` were refused, or five
    times as many were made; returns how many moves were made and refused."""
    rng, count, refused = random.Random(0), 0, 0
    never = [move for example in made.examples for move in example.refused]
    known = deque(never, 1000)
    while refused < most and count < 5 * most:
        state = rng.choice(starts)
        for _ in range(MOVES_OF_A_GAME):
            if refused == most or not (legal := made.legal(state)):
                break
            move, illegal = rng.choice(legal), _illegal(legal, known, never, rng)
            _agree(made, state, move, is_legal=True)
            if illegal is not None:
                _agree(made, state, illegal, is_legal=False)
                refused += 1
            known.append(move)
            state = made.step(state, move)
            if not 0 <= made.score(state) <= 1:
                raise AssertionError(f"{made.name}: score {made.score(state)} of {state}")
            count += 1
    return count, refused


def _illegal(
    legal: Sequence[str], known: Sequence[str], never: Sequence[str], rng: random.Random
) -> str | None:
    """Draws a move that is not legal from those made in other states, and from those that the
    rules' examples refuse; None where 20 draws give none."""
    for _ in range(20):
        move = rng.choice(rng.choice((known, never)))
        if move not in legal:
            return move
    return None


def _agree(made: World[Any], state: Any, move: str, is_legal: bool) -> None:
    """Raises AssertionError where engine or referee do not take a move for what it is."""
    allows = REFEREES.get(made.name)
    if allows is not None and allows(made.view(state), move) is not is_legal:
        raise AssertionError(f"{made.name}: the rules do not agree on {move} in {state}")
    before = hash(state)
    try:
        made.step(state, move)
        is_made = True
    except IllegalMove:
        is_made = False
    if is_made is not is_legal or hash(state) != before:
        raise AssertionError(f"{made.name}: {move} is not treated as the rules say in {state}")
