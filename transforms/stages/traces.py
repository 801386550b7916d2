"""Runs as text for a prompt: what `solution` did, line by line."""

from transforms.programs.facts import CutTrace, InvalidTrace, read_trace
from transforms.programs.trace_text import frames_of, render
from transforms.sandbox.jobs import Result
from transforms.stages.trajectories.dialogues import cut


def trace_of(code: str, ran: Result, most: int) -> str:
    """Returns the trace of a run of a program, without its middle where it has more than `most`
    characters; empty where it is not whole."""
    try:
        text = render(frames_of(code, read_trace(ran.trace or ""), "solution"))
    except (InvalidTrace, CutTrace):
        return ""
    return cut(text, most, "middle", "\n...\n")
