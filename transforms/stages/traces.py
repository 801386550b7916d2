"""Runs as text for a prompt: what `solution` did, line by line."""

from collections.abc import Iterable

from transforms.programs.facts import CutTrace, InvalidTrace, read_trace
from transforms.programs.trace_text import SAME, Frame, frames_of
from transforms.sandbox.jobs import Result
from transforms.stages.trajectories.dialogues import cut


def trace_of(code: str, ran: Result, most: int) -> str:
    """Returns the trace of a run of a program (`told`), without its middle where it has more than
    `most` characters; empty where it is not whole."""
    try:
        text = told(frames_of(code, read_trace(ran.trace or ""), "solution"))
    except (InvalidTrace, CutTrace):
        return ""
    return cut(text, most, "middle", "\n...\n")


def told(frames: Iterable[Frame]) -> str:
    """Returns frames as text for a reader, a line each: what happens, the variables that have
    changed, what is returned or raised, and the line of the program.

    >>> print(told([Frame("line", {"n": "..", "total": "3"}, "    total += n")]))
    line: total = 3 | total += n
    >>> print(told([Frame("return", {"n": ".."}, "    return n", "2")]))
    return 2 | return n
    """
    lines = []
    for frame in frames:
        changed = ", ".join(
            f"{n} = {value}" for n, value in frame.variables.items() if value != SAME
        )
        value = "" if frame.value is None else f" {frame.value}"
        lines.append(
            f"{frame.kind}{value}{f': {changed}' * bool(changed)} | {frame.action.strip()}"
        )
    return "\n".join(lines)
