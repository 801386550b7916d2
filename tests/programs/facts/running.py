"""Traces programs of the tests' own in this process, where no wall is needed."""

from __future__ import annotations

import contextlib
import textwrap
from typing import Any

from transforms.programs.facts import Trace, read_trace
from transforms.sandbox.tracer import Tracer

_FILE = "<program>"


def traced(code: str, events: int = 10_000, size: int = 1 << 20, **given: Any) -> Trace:
    """Returns the trace of a program, which may end by an exception; `given` are its variables."""
    compiled = compile(textwrap.dedent(code).strip("\n"), _FILE, "exec")
    tracer = Tracer(_FILE, events, size)
    variables = {"__name__": "__main__", **given}
    tracer.start()
    try:
        with contextlib.suppress(Exception, SystemExit):
            exec(compiled, variables)
    finally:
        tracer.stop()
    return read_trace(tracer.report())


def told(trace: Trace, function: str = "<module>") -> list[str]:
    """Returns the events of a function's frames as `kind line`, without the frame's beginning."""
    return [
        f"{event.kind} {event.line}"
        for event in trace.events
        if event.function == function and event.kind != "call"
    ]
