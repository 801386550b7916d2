"""Questions about the run of a program: their answers, and the tasks made of them. All pure."""

from transforms.programs.questions.answers import (
    NotLiteral,
    is_close,
    read_literal,
    read_value,
    strict,
    tolerant,
)
from transforms.programs.questions.asking import (
    Question,
    asked_of_coverage,
    asked_of_final_values,
    asked_of_input,
    asked_of_next_line,
    asked_of_output,
    asked_of_state,
)
from transforms.programs.questions.claims import Claim, false_claim, retelling, stated
from transforms.programs.questions.tasks import Attempted, Task, task_about

__all__ = [
    "Attempted",
    "Claim",
    "NotLiteral",
    "Question",
    "Task",
    "asked_of_coverage",
    "asked_of_final_values",
    "asked_of_input",
    "asked_of_next_line",
    "asked_of_output",
    "asked_of_state",
    "false_claim",
    "is_close",
    "read_literal",
    "read_value",
    "retelling",
    "stated",
    "strict",
    "task_about",
    "tolerant",
]
