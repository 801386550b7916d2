"""Runs of a line or of a block of lines: what the variables of its frame were before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from transforms.programs.facts import Event, Kind, Trace, states

Moment = tuple[Event, Mapping[str, Any], int]
"""An event, all variables of its frame then, and the number of events before it in the trace."""
Frames = Sequence[Sequence[Moment]]
"""The events of each frame that runs statements."""


class Run(NamedTuple):
    """One time that lines were run, in one frame."""

    frame: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    aliases: tuple[tuple[str, ...], ...]
    """The groups of variables that are one mutable object afterwards."""
    events: int
    """Events of the run, those of what it calls included."""

    @property
    def is_short(self) -> bool:
        """Whether a reader can follow the run."""
        return self.events <= _MOST_EVENTS


_MOST_EVENTS = 100


class _Latest:
    """The moments of the trace that was asked about last: several questions look at each."""

    trace: Trace | None = None
    frames: Frames = ()


def moments(trace: Trace) -> Frames:
    """Returns the events of each frame that runs statements, with its variables.

    Raises:
        CutTrace: the trace is not whole.
    """
    if _Latest.trace is not trace:
        _Latest.frames = _moments(trace)
        _Latest.trace = trace
    return _Latest.frames


def _moments(trace: Trace) -> list[list[Moment]]:
    frames: defaultdict[int, list[Moment]] = defaultdict(list)
    for number, (event, variables) in enumerate(states(trace)):
        if not event.of_expression and event.kind is not Kind.CALL:
            frames[event.frame].append((event, variables, number))
    return list(frames.values())


def runs_of(frames: Frames, first: int, last: int, *, repeats: bool) -> list[Run]:
    """Returns the runs of the lines `first` to `last`, which are one or more whole statements
    without a return.

    Left out are runs in which an exception arose or a generator waited.

    Args:
        frames: what `moments` returned.
        repeats: whether the first statement is a loop, so that its line runs again within a run.
    """
    runs = []
    for frame in frames:
        if all(event.line != first for event, *_ in frame):
            continue
        before: Mapping[str, Any] | None = None
        begun = 0
        for event, variables, number in frame:
            if before is not None:
                if event.kind not in (Kind.LINE, Kind.RETURN):
                    before = None
                elif not first <= event.line <= last or (
                    event.kind is Kind.RETURN or (event.line == first and not repeats)
                ):
                    runs.append(Run(event.frame, before, variables, event.aliases, number - begun))
                    before = None
            if event.kind is Kind.LINE and event.line == first and before is None:
                before, begun = variables, number
    return runs
