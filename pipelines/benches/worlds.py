"""cotmill bench worlds: every world over many seeds and moves, a line each."""

from __future__ import annotations

import json
import math
import random
import time
from collections import deque
from itertools import pairwise
from typing import Any

from pydantic import Field
from rich.console import Console

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
    moves: int = Field(ge=1, description="legal moves, and as many illegal ones")
    games: int = Field(
        ge=2, description="of these, played at each level for its measure and scores"
    )


SETTINGS = BenchWorldsSettings


def bench(settings: BenchWorldsSettings) -> None:
    """Generates, solves, moves in and measures every world; a fault ends it with an error."""
    console = Console()
    console.print(
        f"{settings.seeds:,} seeds, {settings.moves:,} moves, {settings.games} games a level, "
        f"{machine_line()}",
        highlight=False,
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
            f"{row['random']:.2f}, greedy {row['greedy']:.2f}; {row['seconds']:.1f} s",
            highlight=False,
            soft_wrap=True,
        )
    print(json.dumps({"bench": "worlds", "worlds": found}))


def measure(name: str, settings: BenchWorldsSettings) -> dict[str, Any]:
    """Tries a world.

    Returns:
        world, different (instances), by_chance (as many draws of one generator that goes on),
        solved, moves (legal ones made), refused (illegal ones), measure, measured (by level),
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
    """Makes random legal moves, and tries one that is not legal after each; returns how many."""
    rng, count, refused = random.Random(0), 0, 0
    never = [move for example in made.examples for move in example.refused]
    known = deque(never, 1000)
    while count < most:
        state = rng.choice(starts)
        while count < most and (legal := made.legal(state)):
            before, other = hash(state), rng.choice((rng.choice(known), rng.choice(never)))
            if other not in legal:
                refused += _is_refused(made, state, other) and hash(state) == before
            known.append(rng.choice(legal))
            state = made.step(state, known[-1])
            if not 0 <= made.score(state) <= 1:
                raise AssertionError(f"{made.name}: score {made.score(state)} of {state}")
            count += 1
    return count, refused


def _is_refused(made: World[Any], state: Any, move: str) -> bool:
    try:
        made.step(state, move)
    except IllegalMove:
        return True
    raise AssertionError(f"{made.name}: {move} is made in {state}, where it is not legal")
