"""cwm: a function's trace as text, frame by frame. After CWM (arXiv 2510.02387)."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from transforms.engine.accounting import Verdict, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps
from transforms.programs.form import assigned, is_name, parse
from transforms.programs.questions import Question
from transforms.programs.questions.lines import computed_digits
from transforms.programs.trace_text import frames_of, render
from transforms.stages.exercises import UNTRACED, Exercise, MakeExercises, exercise, traced


@dataclass(kw_only=True)
class TraceText(MakeExercises):
    """PCollection[Seed] (verified, with code) -> Outcome of Exercise: the trace of `solution`."""

    name: str = "trace"
    frames: Annotated[int, Field(ge=2)] = 200
    """Frames of a trace, at most."""
    chars: Annotated[int, Field(ge=1)] = 20_000
    """Characters of a trace, at most."""
    events: Annotated[int, Field(ge=1)] = 1000
    """Events of a run, at most: those of the call and those before and after it."""

    reasons: ClassVar[Iterable[str]] = (*UNTRACED, "no_entry", "too_long", "many_digits")

    def episode(self, seed: Seed) -> Steps[Exercise | Verdict]:
        code = seed.code or ""
        calls = [n for n in assigned(parse(code), "output") if _is_entry(n)]
        trace = yield from traced(seed, self.events)
        if isinstance(trace, Verdict):
            return trace
        frames = frames_of(code, trace, "solution") if calls else []
        text = render(frames)
        if not frames:
            return reject("no_entry", "output is not what solution returns")
        if len(frames) > self.frames or len(text) > self.chars:
            return reject("too_long", f"{len(frames)} frames, {len(text)} characters")
        if digits := computed_digits(text, code):
            return reject("many_digits", digits)
        line, params = calls[-1].lineno, {"frames": len(frames)}
        question = Question("trace", (text,), line, params=params, grader="trace")
        return exercise(seed, question, self.prompt)


def _is_entry(output: ast.expr) -> bool:
    return isinstance(output, ast.Call) and is_name(output.func, "solution")
