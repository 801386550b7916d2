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
    events: Annotated[int, Field(ge=1)] = 100
    """Events of a run before and after the call, at most."""

    reasons: ClassVar[Iterable[str]] = (*UNTRACED, "no_entry", "too_long", "many_digits")

    def episode(self, seed: Seed) -> Steps[Exercise | Verdict]:
        code = seed.code or ""
        calls = [n for n in assigned(parse(code), "output") if _is_entry(n)]
        if seed.code and not calls:
            return reject("no_entry", "output is not what solution returns")
        trace = yield from traced(seed, self.frames + self.events)
        if isinstance(trace, Verdict):
            return trace
        lines: list[str] = []
        left = self.chars
        for frame in frames_of(code, trace, "solution"):
            lines.append(render([frame]))
            left -= len(lines[-1]) + 1
            if len(lines) > self.frames or left < 0:
                return reject("too_long", f"over {self.frames} frames or {self.chars} characters")
            if digits := computed_digits(lines[-1], code):
                return reject("many_digits", digits)
        if not lines:
            return reject("no_entry", "solution is not called")
        line, params = calls[-1].lineno, {"frames": len(lines)}
        question = Question("trace", ("\n".join(lines),), line, params=params, grader="trace")
        return exercise(seed, question, self.prompt)


def _is_entry(output: ast.expr) -> bool:
    return isinstance(output, ast.Call) and is_name(output.func, "solution")
