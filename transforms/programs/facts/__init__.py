"""What a program did when it ran: events of a trace, and the facts that follow from them.

Everything here is pure. The sandbox makes the trace (`Job(..., trace=TraceLimits())`).
"""

from transforms.programs.facts.calls import Call, call_tree
from transforms.programs.facts.events import CutTrace, Event, InvalidTrace, Kind, Trace, read_trace
from transforms.programs.facts.flow import (
    END,
    Branch,
    Loop,
    branches,
    coverage,
    loops,
    next_lines,
    steps,
)
from transforms.programs.facts.literals import Instance, Opaque, Text, decode, is_plain
from transforms.programs.facts.variables import (
    are_aliases,
    final_values,
    returned_values,
    states,
    values_after,
)

__all__ = [
    "END",
    "Branch",
    "Call",
    "CutTrace",
    "Event",
    "Instance",
    "InvalidTrace",
    "Kind",
    "Loop",
    "Opaque",
    "Text",
    "Trace",
    "are_aliases",
    "branches",
    "call_tree",
    "coverage",
    "decode",
    "final_values",
    "is_plain",
    "loops",
    "next_lines",
    "read_trace",
    "returned_values",
    "states",
    "steps",
    "values_after",
]
