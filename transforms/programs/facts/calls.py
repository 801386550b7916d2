"""Who called whom, with what, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.programs.facts.events import Kind, Trace


@dataclass
class Call:
    """One frame, from its beginning to its end."""

    function: str
    frame: int
    arguments: Mapping[str, Any]
    line: int
    """The line of the caller; 0 for the program itself."""
    calls: list[Call] = field(default_factory=list)
    """The frames that began while this one was the innermost, in order."""
    yielded: list[Any] = field(default_factory=list)
    returned: Any = None
    """None also where it ended by an exception, or never."""
    error: str | None = None
    """Class of the exception that left it; None where none did."""


def call_tree(trace: Trace) -> Call | None:
    """Returns the call of the program itself, with all calls inside; None for an empty trace.

    A generator stands where it first ran, whoever resumed it later.

    Raises:
        CutTrace: the trace is not whole.
    """
    calls: dict[int, Call] = {}
    running: list[Call] = []
    at: dict[int, int] = {}
    for event in trace.events:
        if event.kind is Kind.CALL:
            line = at.get(running[-1].frame, 0) if running else 0
            call = calls[event.frame] = Call(event.function, event.frame, event.changed, line)
            if running:
                running[-1].calls.append(call)
            running.append(call)
            continue
        call = calls[event.frame]
        if event.kind is Kind.LINE:
            at[event.frame], call.error = event.line, None
        elif event.kind is Kind.RESUME:
            running.append(call)
        elif event.kind is Kind.EXCEPTION:
            call.error = event.error
        else:
            running.pop()
            if event.kind is Kind.RETURN:
                call.returned, call.error = event.value, None
            elif event.kind is Kind.YIELD:
                call.yielded.append(event.value)
    return calls.get(0)
