"""What variables held: at each event, after a line, and at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from transforms.programs.facts.events import LEAVES, Event, Kind, Trace


def states(trace: Trace) -> Iterator[tuple[Event, dict[str, Any]]]:
    """Yields each event with all variables of its frame at that moment.

    Raises:
        CutTrace: the trace is not whole.
    """
    frames: dict[int, dict[str, Any]] = {}
    for event in trace.events:
        frame = frames.setdefault(event.frame, {})
        frame.update(event.changed)
        for name in event.gone:
            frame.pop(name, None)
        yield event, dict(frame)


def final_values(trace: Trace) -> dict[str, Any]:
    """Returns the variables of the program when it ended; empty for an empty trace.

    Raises:
        CutTrace: the trace is not whole.

    >>> from transforms.programs.facts.events import read_trace
    >>> final_values(read_trace('''{"cut": null, "events": [
    ...     {"e": "call", "f": 0, "d": 0, "n": "<module>", "l": 0},
    ...     {"e": "line", "f": 0, "d": 0, "l": 1},
    ...     {"e": "return", "f": 0, "d": 0, "l": 1, "c": {"x": {"tuple": [1, 2]}}}]}'''))
    {'x': (1, 2)}
    """
    last: dict[str, Any] = {}
    for event, variables in states(trace):
        if event.frame == 0:
            last = variables
    return last


def returned_values(trace: Trace, function: str) -> dict[str, Any]:
    """Returns the variables of a function's first frame as it returns, in the order of their first
    values; empty where it never returns.

    Raises:
        CutTrace: the trace is not whole.
    """
    for event, variables in states(trace):
        if event.function == function and event.kind is Kind.RETURN:
            return variables
    return {}


def values_after(trace: Trace, line: int, name: str) -> list[Any]:
    """Returns the values of a variable after each run of a line, where the frame then has it.

    A line has run at the next line of its frame, or where the frame is left. A run that an
    exception ended counts nothing.

    Raises:
        CutTrace: the trace is not whole.
    """
    values: list[Any] = []
    at: dict[int, int | None] = {}
    for event, variables in states(trace):
        if event.of_expression:
            continue
        if event.kind is Kind.EXCEPTION:
            at[event.frame] = None
        elif event.kind is Kind.LINE or event.kind in LEAVES:
            if at.get(event.frame) == line and name in variables:
                values.append(variables[name])
            at[event.frame] = event.line if event.kind is Kind.LINE else None
    return values


def are_aliases(event: Event, one: str, other: str) -> bool:
    """Whether two variables of the event's frame are one mutable object at that moment."""
    return any(one in group and other in group for group in event.aliases)
