"""Questions about the run of a program: made from its facts, and graded by equality. All pure."""

from transforms.programs.questions.answers import NotLiteral, read_literal, strict, tolerant
from transforms.programs.questions.asking import (
    Question,
    asked_of_coverage,
    asked_of_final_values,
    asked_of_next_line,
    asked_of_output,
    asked_of_state,
)

__all__ = [
    "NotLiteral",
    "Question",
    "asked_of_coverage",
    "asked_of_final_values",
    "asked_of_next_line",
    "asked_of_output",
    "asked_of_state",
    "read_literal",
    "strict",
    "tolerant",
]
