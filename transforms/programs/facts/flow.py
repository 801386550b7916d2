"""The way that control took: lines, branches and loops."""

from __future__ import annotations

import ast
from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

from transforms.programs.facts.events import Event, Kind, Trace
from transforms.programs.form import nodes_of

END = -1
"""In place of a next line: the frame is left."""

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def coverage(trace: Trace) -> frozenset[int]:
    """Returns the lines that ran. Raises CutTrace where the trace is not whole."""
    return frozenset(event.line for event in trace.events if event.kind is Kind.LINE)


def steps(trace: Trace) -> int:
    """Returns how many times a line ran. Raises CutTrace where the trace is not whole."""
    return sum(event.kind is Kind.LINE for event in trace.events)


def next_lines(trace: Trace, line: int) -> tuple[int, ...]:
    """Returns the lines that ran next in the same frame, each once, in the order first seen.

    `END` stands for the end of the frame; a line that never ran has none. What a generator's
    frame does next it does once it is resumed.

    Raises:
        CutTrace: the trace is not whole.
    """
    after: dict[int, None] = {}
    for events in _by_frame(trace).values():
        events = [event for event in events if event.kind is not Kind.EXCEPTION]
        for event, then in pairwise(events):
            if event.kind is Kind.LINE and event.line == line:
                after[then.line if then.kind is Kind.LINE else END] = None
    return tuple(after)


class Branch(NamedTuple):
    """One evaluation of the condition of an `if` or `while`."""

    line: int
    frame: int
    taken: bool


def branches(trace: Trace, tree: ast.Module) -> list[Branch]:
    """Returns how the conditions of the program came out, in the order of evaluation by frame.

    Left out are conditions that are constant, share a line with their body, take several lines or
    hold a comprehension, and evaluations that raised an exception.

    Raises:
        CutTrace: the trace is not whole.
    """
    headers = {
        node.lineno: _Header.of(node)
        for node in nodes_of(tree)
        if isinstance(node, (ast.If, ast.While))
        and not isinstance(node.test, ast.Constant)
        and _has_own_line(node, node.test)
    }
    outcomes = []
    for frame, events in _by_frame(trace).items():
        for event, then in pairwise(events):
            header = headers.get(event.line)
            if header is None or event.kind is not Kind.LINE:
                continue
            if then.kind in (Kind.LINE, Kind.RETURN):
                taken = then.kind is Kind.LINE and then.line in header.body
                outcomes.append(Branch(event.line, frame, taken))
    return outcomes


class Loop(NamedTuple):
    """One run of a loop, from its beginning until it is left."""

    line: int
    frame: int
    iterations: int
    """Times that its body was begun."""


def loops(trace: Trace, tree: ast.Module) -> list[Loop]:
    """Returns the runs of the program's loops, frame by frame and line by line.

    Left out are loops whose header shares a line with the body, takes several lines or holds a
    comprehension, and runs that ended in the header with an exception.

    Raises:
        CutTrace: the trace is not whole.
    """
    headers = [
        _Header.of(node)
        for node in nodes_of(tree)
        if (isinstance(node, ast.While) and _has_own_line(node, node.test))
        or (isinstance(node, ast.For) and _has_own_line(node, node.iter))
    ]
    headers.sort()
    runs = []
    for frame, events in _by_frame(trace).items():
        for header in headers:
            runs += [Loop(header.line, frame, count) for count in _iterations(events, header)]
    return runs


def _iterations(events: list[Event], header: _Header) -> list[int]:
    """Returns how often the body was begun in each run of a loop."""
    counts: list[int] = []
    before = (Kind.LINE, 0)  # of the event before
    for event in events:
        line = before[1]
        if event.line == header.line:
            if event.kind is Kind.LINE and line not in header.body:
                counts.append(0)
            elif event.kind is Kind.EXCEPTION and before == (Kind.LINE, header.line):
                counts.pop()
        elif event.kind is Kind.LINE and event.line in header.body and line == header.line:
            counts[-1] += 1
        before = event.kind, event.line
    return counts


class _Header(NamedTuple):
    """Where the condition of a statement stands, and the lines that run while it holds."""

    line: int
    body: range

    @classmethod
    def of(cls, node: ast.If | ast.While | ast.For) -> _Header:
        return cls(node.lineno, range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1))


def _has_own_line(node: ast.If | ast.While | ast.For, condition: ast.expr) -> bool:
    one_line = condition.end_lineno == node.lineno < node.body[0].lineno
    return one_line and not any(isinstance(part, _COMPREHENSIONS) for part in nodes_of(condition))


def _by_frame(trace: Trace) -> dict[int, list[Event]]:
    """The lines and ends of each frame that runs statements, and the exceptions between them."""
    frames: defaultdict[int, list[Event]] = defaultdict(list)
    for event in trace.events:
        if event.kind not in (Kind.CALL, Kind.YIELD, Kind.RESUME) and not event.of_expression:
            frames[event.frame].append(event)
    return frames
