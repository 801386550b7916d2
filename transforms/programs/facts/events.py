"""What a program did, as events: the trace that the sandbox's tracer claims, read and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from transforms.programs.facts.literals import decode


class Kind(StrEnum):
    """What happens at an event."""

    CALL = "call"
    """A frame begins: of a function, class body, comprehension, generator, or the program."""
    LINE = "line"
    """A line is about to run."""
    RETURN = "return"
    EXCEPTION = "exception"
    """An exception is raised in the frame, or arrives there from a call."""
    YIELD = "yield"
    """A generator or coroutine hands out a value and waits."""
    RESUME = "resume"
    UNWIND = "unwind"
    """An exception leaves the frame."""


LEAVES = frozenset({Kind.RETURN, Kind.YIELD, Kind.UNWIND})
"""Events after which the caller goes on."""


class InvalidTrace(ValueError):
    """What should be a trace is none; the program has a hand in it, or the tracer a fault."""


class CutTrace(ValueError):
    """The facts of a trace were asked for that ends before its program; the message says why."""


class Event(NamedTuple):
    """One event of one frame."""

    kind: Kind
    frame: int
    """Number of the frame, in the order in which frames begin; the program's is 0."""
    depth: int
    """Frames that this one runs inside of."""
    line: int
    """The line about to run, or the one that the event is in; 0 where the compiler states none."""
    function: str
    """Qualified name of what the frame runs; `<module>` is the program itself."""
    changed: Mapping[str, Any]
    """Variables of the frame that are new or changed since its last event, with their values.

    At a line that is what the frame's line before has done; at a call, the arguments."""
    gone: tuple[str, ...]
    """Variables of the frame that were there at its last event."""
    aliases: tuple[tuple[str, ...], ...]
    """The groups of variables of the frame that are one mutable object now."""
    error: str | None
    """Class of the exception; None but for an exception."""
    value: Any
    """What is returned or yielded; the arguments of an exception; None at other events."""

    @property
    def of_expression(self) -> bool:
        """Whether the frame is that of a lambda or a comprehension, which runs no statements."""
        name = self.function.rpartition(".")[2]
        return name.startswith("<") and name != "<module>"


@dataclass(frozen=True)
class Trace:
    """The events of one run."""

    recorded: tuple[Event, ...]
    cut: str | None
    """Why the trace ends before the program, or leaves something out; None where it is whole.

    `events`, `bytes`: a budget ran out; `depth`: a value is nested too deeply; `recursion` and
    `memory`: there was none left to record with; `threads`: the program started one; `tracing`: it
    interfered."""

    @property
    def events(self) -> tuple[Event, ...]:
        """All events of the program.

        Raises:
            CutTrace: they are not all there. No fact is derived from a part.
        """
        if self.cut is not None:
            raise CutTrace(f"the trace was cut ({self.cut}): no fact follows from a part")
        return self.recorded


def read_trace(claim: str) -> Trace:
    """Returns the trace that a program claims (`Result.trace`).

    The program could have written the claim itself, so its form is checked: types, literals, and
    that frames begin, wait, go on and end as frames do.

    Raises:
        InvalidTrace: the claim is no trace.
    """
    reader = _Reader()
    try:
        report = json.loads(claim, parse_int=_integer if _MANY_DIGITS.search(claim) else None)
        cut = None if report["cut"] is None else _name(report["cut"])
        recorded = tuple(map(reader.event, report["events"]))
        _require(cut is not None or not reader.running, "a frame never ends")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidTrace(f"no valid trace: {type(error).__name__}: {error}") from None
    return Trace(recorded, cut)


@dataclass
class _Open:
    """A frame that has begun and not ended."""

    number: int
    function: str
    aliases: tuple[tuple[str, ...], ...] = ()


class _Reader:
    """Reads events in order, and keeps the frames that they belong to."""

    def __init__(self) -> None:
        self.running: list[_Open] = []
        self._waiting: dict[int, _Open] = {}
        self._frames = 0

    def event(self, said: Any) -> Event:
        kind, number = _KINDS[said["e"]], _count(said["f"])
        if kind is Kind.CALL:
            self.running.append(_Open(number, _name(said["n"])))
            _require(number == self._frames, "frames are numbered as they begin")
            self._frames += 1
        elif kind is Kind.RESUME:
            _require(number in self._waiting, "a frame goes on that does not wait")
            self.running.append(self._waiting.pop(number))
        _require(bool(self.running), "an event of no frame")
        frame = self.running[-1]
        _require(frame.number == number, "an event of a frame that is not the innermost")
        depth = _count(said["d"])
        _require(depth == len(self.running) - 1, "the depth is not that of the frame")
        if "a" in said:
            frame.aliases = tuple(tuple(map(_name, group)) for group in said["a"])
        error = _name(said["t"]) if kind is Kind.EXCEPTION else None
        if kind in LEAVES:
            self.running.pop()
            if kind is Kind.YIELD:
                self._waiting[number] = frame
        return Event(
            kind,
            number,
            depth,
            _count(said["l"]),
            frame.function,
            {name: decode(literal) for name, literal in said["c"].items()} if "c" in said else {},
            tuple(map(_name, said["x"])) if "x" in said else (),
            frame.aliases,
            error,
            decode(said["v"]) if "v" in said else None,
        )


_KINDS = {kind.value: kind for kind in Kind}
_MOST_DIGITS = 1300
"""Longer integers are written in hexadecimal; reading decimals takes quadratic time."""
_MANY_DIGITS = re.compile(rf"(?<!\d)\d{{{_MOST_DIGITS}}}")


def _integer(text: str) -> int:
    _require(len(text) <= _MOST_DIGITS, "a number has too many digits")
    return int(text)


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise ValueError(fault)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a number is not one")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a name is not text")
    return value
