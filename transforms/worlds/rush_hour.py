"""Rush hour: move cars out of the way until one can leave."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from transforms.worlds.base import Example, Fact, board, square
from transforms.worlds.search import Searched, shortest

SIDE = 5
EXIT = 2
"""The row of car a and of the exit, from 0."""


class Car(NamedTuple):
    row: int
    column: int
    length: int
    across: bool

    def squares(self) -> set[tuple[int, int]]:
        return {
            (self.row + n * (not self.across), self.column + n * self.across)
            for n in range(self.length)
        }


class State(NamedTuple):
    cars: tuple[Car, ...]
    """Cars a, b, c, …; a is the one that has to leave."""


class RushHour(Searched[State]):
    name = "rush_hour"
    harder = "solution"
    rules = """\
Cars of two or three squares, each with a letter, stand on a board of five rows and columns. A car
that stands in a row moves left and right in it, one that stands in a column up and down. A move
takes a car one square on, where the next square is empty, and is written `b left`, `b right`, `b
up` or `b down`. The game ends when car a stands at the right edge of row 3. The score is 1 then,
else the share of the squares of row 3 to the right of car a that are empty, halved."""
    examples = (
        Example(
            State((Car(2, 0, 2, True), Car(1, 2, 2, False))),
            ("b up", "a right"),
            """
  a b c d e
1 . . b . .
2 . . b . .
3 . a a . .
4 . . . . .
5 . . . . .""",
            ("a right", "b left"),
        ),
    )

    def start(self, rng: random.Random, level: int) -> State:
        fewest, most = ((2, 2), (3, 3), (4, 4), (5, 5), (6, 12))[level - 1]
        while True:
            cars, full = [Car(EXIT, rng.randrange(2), 2, True)], set[tuple[int, int]]()
            full |= cars[0].squares()
            for _ in range(40):
                if len(cars) == 4 + level:
                    break
                across, length = rng.random() < 0.4, rng.choice((2, 2, 3))
                one, other = rng.randrange(SIDE), rng.randrange(SIDE + 1 - length)
                car = Car(*((one, other) if across else (other, one)), length, across)
                if not full & car.squares() and not (across and car.row == EXIT):
                    cars.append(car)
                    full |= car.squares()
            solution = shortest(self, state := State(tuple(cars)), 500)
            if solution is not None and len(solution) >= fewest:  # where too long, go on along it
                return self.replay(state, solution[: max(0, len(solution) - most)])

    def moves(self, state: State) -> Iterator[str]:
        full = {at for car in state.cars for at in car.squares()}
        for n, car in enumerate(state.cars):
            for way, by in (
                (("left", -1), ("right", 1)) if car.across else (("up", -1), ("down", 1))
            ):
                [new] = _moved(car, by).squares() - car.squares()
                if new not in full and 0 <= new[0] < SIDE and 0 <= new[1] < SIDE:
                    yield f"{chr(97 + n)} {way}"

    def after(self, state: State, move: str) -> State:
        name, way = move.split()
        at = ord(name) - 97
        car = _moved(state.cars[at], 1 if way in ("right", "down") else -1)
        return State((*state.cars[:at], car, *state.cars[at + 1 :]))

    def over(self, state: State) -> bool:
        return state.cars[0].column == SIDE - 2

    def score(self, state: State) -> float:
        if self.over(state):
            return 1.0
        full = {at for car in state.cars for at in car.squares()}
        ahead = range(state.cars[0].column + 2, SIDE)
        return sum((EXIT, column) not in full for column in ahead) / len(ahead) / 2

    def render(self, state: State) -> str:
        names = {at: chr(97 + n) for n, car in enumerate(state.cars) for at in car.squares()}
        side = range(SIDE)
        return board([[names.get((row, column), ".") for column in side] for row in side])

    def why(self, state: State, move: str) -> str:
        name, way = move.split()
        car = state.cars[ord(name) - 97]
        if car.across != (way in ("left", "right")):
            return f"car {name} stands in a {'row' if car.across else 'column'}"
        [new] = _moved(car, 1 if way in ("right", "down") else -1).squares() - car.squares()
        if not (0 <= new[0] < SIDE and 0 <= new[1] < SIDE):
            return f"car {name} stands at the edge"
        full = any(new in each.squares() for each in state.cars)
        return f"{square(*new)} is not empty" * full

    def facts(self, state: State) -> Mapping[str, Any]:
        cars = [(chr(97 + n), car) for n, car in enumerate(state.cars)]
        tops = {f"the top left square of car {name}": square(*car[:2]) for name, car in cars}
        lengths = {
            f"the length of car {name}": Fact.counted(square(*at) for at in sorted(car.squares()))
            for name, car in cars
        }
        return tops | lengths | {"the number of cars": Fact.counted(name for name, _ in cars)}


def _moved(car: Car, by: int) -> Car:
    return car._replace(row=car.row + by * (not car.across), column=car.column + by * car.across)


WORLD = RushHour()
