"""Pig: roll for more, or hold what there is, before a 1 takes it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, World


class State(NamedTuple):
    target: int
    points: tuple[int, int]
    gained: int
    """Points of the present turn, which a 1 would take."""
    mover: int
    last: int
    """The last roll; 0 before the first, and after a hold."""
    seed: int


class Pig(World[State]):
    name = "pig"
    players = 2
    chance = True
    harder = "length"
    rules = """\
Two players take turns. A move is `roll` or `hold`. A roll of a die from 1 to 6 adds what it shows
to the points of the turn, and the same player goes on; a 1 takes all points of the turn, and the
turn goes to the other. A hold adds the points of the turn to one's own, and the turn goes to the
other; it is illegal where the turn has no points. Who holds and then has the target or more wins,
and the game ends. The score is 1 where the first player wins, 0 where the second does; before the
end 0.5, and more by half of what the first player is ahead, as a share of the target, points of
the turn counted half."""
    examples = (
        Example(
            State(20, (5, 9), 6, 0, 4, 1),
            ("hold",),
            """
target: 20
first player: 11, second player: 9
the second player moves; points of the turn: 0""",
            ("pass", "roll 2"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        target = 10 + 10 * level
        points = (rng.randrange(target // 3), rng.randrange(target // 3))
        return State(target, points, 0, 0, 0, rng.getrandbits(32))

    def moves(self, state: State) -> Iterator[str]:
        yield from ("roll", "hold") if state.gained else ("roll",)

    def after(self, state: State, move: str) -> State:
        rng = random.Random(state.seed)
        rolled = rng.randint(1, 6) if move == "roll" else 0
        state = state._replace(last=rolled, seed=rng.getrandbits(32))
        if rolled > 1:
            return state._replace(gained=state.gained + rolled)
        points = list(state.points)
        points[state.mover] += state.gained if move == "hold" else 0
        return state._replace(points=(points[0], points[1]), gained=0, mover=1 - state.mover)

    def over(self, state: State) -> bool:
        return max(state.points) >= state.target

    def score(self, state: State) -> float:
        if self.over(state):
            return float(state.points[0] >= state.target)
        ahead = state.points[0] - state.points[1] + (0.5 - state.mover) * state.gained
        return max(0.0, min(1.0, 0.5 + ahead / state.target / 2))

    def render(self, state: State) -> str:
        who = ("first", "second")
        first, second = state.points
        rolled = f"; last roll: {state.last}" if state.last else ""
        mover = f"the {who[state.mover]} player moves; points of the turn: {state.gained}{rolled}"
        end = f"the {who[1 - state.mover]} player has won"
        return (
            f"target: {state.target}\nfirst player: {first}, second player: {second}\n"
            f"{end if self.over(state) else mover}"
        )

    def hint(self, state: State, move: str, rng: random.Random) -> float:
        """Holds at 20 points of the turn, or where they win."""
        enough = min(20, state.target - state.points[state.mover])
        return float((move == "hold") == (state.gained >= enough))

    def why(self, state: State, move: str) -> str:
        return "the turn has no points" * (move == "hold" and not state.gained)

    def facts(self, state: State) -> Mapping[str, Any]:
        short = {
            f"the number of points that the {name} player is short of the target": Fact(
                state.target - points, f"{state.target} - {points}"
            )
            for name, points in zip(("first", "second"), state.points, strict=True)
        }
        return short | {"the number of points of the turn": state.gained}


WORLD = Pig()
