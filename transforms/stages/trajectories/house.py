"""A text game as a tool: a house with rooms and things, in which one thing has to be put somewhere.

A recipe binds it so, and `games` yields its games as seeds:

    tools: {game: transforms.stages.trajectories.house.House}
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_FURNITURE = {
    "hall": ("bench", "shoe box"),
    "kitchen": ("counter", "fridge", "cupboard", "sink"),
    "bathroom": ("shelf", "cabinet", "basin"),
    "bedroom": ("bed", "wardrobe", "drawer"),
    "study": ("desk", "chest", "bookcase"),
}
"""Room -> the places in it."""
_CLOSED = {"shoe box", "fridge", "cupboard", "cabinet", "wardrobe", "drawer", "chest"}
"""Places that are closed in the beginning."""
_INSIDE = _CLOSED | {"sink", "basin"}
"""Places that things are put in, not on."""
_WATER = {"kitchen": "sink", "bathroom": "basin"}
_THINGS = ("mug", "plate", "spoon", "towel", "book", "pen", "candle", "ball", "pear", "key")
_ROOM = {place: room for room, places in _FURNITURE.items() for place in places}


class Goal(NamedTuple):
    """What has to be done."""

    thing: str
    place: str
    washed: bool

    def __str__(self) -> str:
        return f"put the {'washed ' * self.washed}{self.thing} {_at(self.place)}"


def _at(place: str) -> str:
    return f"{'in' if place in _INSIDE else 'on'} the {place}"


@dataclass
class _Game:
    """A game under way."""

    goal: Goal
    where: dict[str, str]
    """Thing -> the place that it is in; one that is carried is in none."""
    room: str = "hall"
    carried: str | None = None
    open: set[str] = field(default_factory=set)
    washed: set[str] = field(default_factory=set)
    visited: list[str] = field(default_factory=lambda: ["hall"])

    @property
    def is_won(self) -> bool:
        goal = self.goal
        in_place = self.where.get(goal.thing) == goal.place
        return in_place and (goal.thing in self.washed or not goal.washed)

    def look(self) -> str:
        rooms = ", ".join(room for room in _FURNITURE if room != self.room)
        seen = " ".join(map(self._described, _FURNITURE[self.room]))
        return f"You are in the {self.room}. {seen} You can go to: {rooms}."

    def _described(self, place: str) -> str:
        if place in _CLOSED - self.open:
            return f"The {place} is closed."
        things = " and ".join(f"a {thing}" for thing, at in self.where.items() if at == place)
        return f"{_at(place).capitalize()} is {things or 'nothing'}."

    def do(self, action: str) -> str:
        """Makes an action, and returns what is seen of it; an impossible one changes nothing."""
        match re.sub(r"\b(?:the|an?)\b", "", action.lower()).strip(" .").split():
            case ["look"]:
                return self.look()
            case ["go", "to", room] if room in _FURNITURE:
                self.room = room
                self.visited += [room] * (room not in self.visited)
                return self.look()
            case ["open", *words] if (place := " ".join(words)) in _CLOSED - self.open:
                if _ROOM[place] == self.room:
                    self.open.add(place)
                    return f"You open the {place}. {self._described(place)}"
            case ["take", thing, *_] if self.carried is None and self._reaches(
                self.where.get(thing)
            ):
                self.carried = thing
                del self.where[thing]
                return f"You take the {thing}."
            case ["put", thing, "in" | "on", *words] if thing == self.carried:
                if self._reaches(place := " ".join(words)):
                    self.carried, self.where[thing] = None, place
                    return f"You put the {thing} {_at(place)}."
            case ["wash", thing] if thing == self.carried and self.room in _WATER:
                self.washed.add(thing)
                return f"You wash the {thing} in the {_WATER[self.room]}."
        return "Nothing happens."

    def _reaches(self, place: str | None) -> bool:
        return _ROOM.get(place or "") == self.room and place not in _CLOSED - self.open

    @property
    def state(self) -> dict[str, str]:
        """What a player can restate, by StateAct's keys."""
        return {
            "goal": str(self.goal),
            "locations_visited": ", ".join(self.visited),
            "current_location": self.room,
            "current_inventory": self.carried or "nothing",
        }


def _begun(game: str) -> _Game:
    drawn = random.Random(f"house {game}")
    things = drawn.sample(_THINGS, 5)
    where = {thing: drawn.choice([*_ROOM]) for thing in things}
    thing = drawn.choice(things)
    place = drawn.choice([place for place in _ROOM if place != where[thing]])
    return _Game(Goal(thing, place, washed=drawn.random() < 0.5), where)


class House:
    """The game, as a tool (see `transforms.models.tools`): the same actions give the same text."""

    version = 1

    def __call__(self, game: str, actions: list[str]) -> dict[str, Any]:
        """Plays a game from its beginning, and returns what is seen of the last action.

        Args:
            game: which game: any text
            actions: all actions so far, one after another

        Returns:
            `text`, what is seen, of no action the beginning; whether it is `over`; its `score`, 0
            or 1; and `state`, what a player can restate after it.
        """
        made = _begun(game)
        text = f"House {game}. {made.look()} Your task: {made.goal}."
        for action in actions:
            text = made.do(action) if not made.is_won else "The game is over."
        if made.is_won:
            text += " You have done it."
        return {"text": text, "over": made.is_won, "score": int(made.is_won), "state": made.state}


def solution(game: str) -> list[str]:
    """Returns actions that win a game."""
    made = _begun(game)
    goal, steps = made.goal, []

    def reach(place: str) -> None:
        steps.append(f"go to {_ROOM[place]}")
        if place in _CLOSED and f"open {place}" not in steps:
            steps.append(f"open {place}")

    reach(made.where[goal.thing])
    steps.append(f"take {goal.thing} from {made.where[goal.thing]}")
    if goal.washed:
        steps += ["go to kitchen", f"wash {goal.thing}"]
    reach(goal.place)
    return [*steps, f"put {goal.thing} {_at(goal.place)}"]


def games(count: int = 100, first: int = 0) -> Iterator[dict[str, str]]:
    """Yields games as seeds' columns, for `source=function`."""
    for number in map(str, range(first, first + count)):
        opening = House()(number, [])["text"]
        yield {"problem": opening, "game": number, "license": "Apache-2.0"}
