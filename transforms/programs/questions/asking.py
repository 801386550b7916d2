"""Questions about what a program does, with answers from its trace; no model is needed.

Each function takes the program and its trace and returns every question of its kind that has a
definite answer; which of them are asked is the recipe's choice.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.programs.facts import Trace, coverage, final_values, next_lines, values_after
from transforms.programs.form import assigned, literal_input
from transforms.programs.questions.answers import strict
from transforms.programs.questions.lines import is_literal, literals, statements, stored, tree_of


@dataclass(frozen=True)
class Question:
    """What is asked about one run of a program, and the answers that are right."""

    kind: str
    """`covered` (does the line run: True or False), `next_line` (number of the line that runs next
    in the same frame, -1 where none does), `state` (value of the variable after the line),
    `final_value` (of the variable at the end), `output`, or one of another module's."""
    golds: tuple[str, ...]
    """Python literals. A line that ran several times has an answer for each; any of them counts."""
    line: int | None = None
    """The line asked about; None where the question is about the whole run."""
    variable: str | None = None
    """The variable asked for; None where it is about none."""
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What else the question states, by name, as JSON values. `item` joins questions that are asked
    together."""
    grader: str = "strict"
    """How an answer is graded (`transforms.stages.graders`). For graders other than `strict` and
    `tolerant` the golds are examples of right answers."""
    alone: str | None = None
    """A program whose `output`, the repr of a value, is the gold, made from what the question
    states; None where the question needs the whole run."""

    def is_right(self, answer: str) -> bool:
        """Whether an answer is one of the golds, as `strict` compares."""
        return any(strict(answer, gold) for gold in self.golds)


def asked_of_coverage(code: str, trace: Trace) -> list[Question]:
    """Asks of each line that holds one whole statement whether it runs.

    Raises:
        CutTrace: the trace is not whole. Unparsable: the code is no program.
    """
    covered = coverage(trace)
    lines = statements(code)
    return [Question("covered", (repr(line in covered),), line) for line in lines]


def asked_of_next_line(code: str, trace: Trace) -> list[Question]:
    """Asks of each line that ran which runs next. Raises as `asked_of_coverage` does."""
    questions = []
    for line in statements(code):
        if golds := next_lines(trace, line):
            questions.append(Question("next_line", tuple(map(repr, golds)), line))
    return questions


def asked_of_state(code: str, trace: Trace) -> list[Question]:
    """Asks for what a variable holds after the line that assigns it; raises as the above.

    Left out are lines that assign a literal, which shows, and those of which a value is no
    literal or too long.
    """
    questions = []
    for line, statement in statements(code).items():
        if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            continue
        for name, expression in stored(statement):
            golds = literals(values_after(trace, line, name))
            if golds and not is_literal(expression):
                questions.append(Question("state", golds, line, name))
    return questions


def asked_of_final_values(code: str, trace: Trace) -> list[Question]:
    """Asks for what the program's variables hold at the end; raises as the above.

    Left out are variables that hold the one literal that they ever get, and values that are no
    literal or too long; so are `input`, which shows, and `output`, which is asked for apart.
    """
    stores: defaultdict[str, list[ast.expr | None]] = defaultdict(list)
    for name, expression in stored(tree_of(code)):
        stores[name].append(expression)
    questions = []
    for name, value in final_values(trace).items():
        golds = literals([value])
        if not golds or name not in stores or name in ("input", "output"):
            continue
        if len(stores[name]) > 1 or not is_literal(stores[name][0], golds[0]):
            questions.append(Question("final_value", golds, variable=name))
    return questions


def asked_of_output(code: str, trace: Trace) -> list[Question]:
    """Asks for the program's `output`; nothing where that is no literal or too long.

    The code is not looked at. Raises CutTrace where the trace is not whole.
    """
    values = final_values(trace)
    golds = literals([values["output"]]) if "output" in values else ()
    return [Question("output", golds)] if golds else []


def asked_of_input(code: str, trace: Trace) -> list[Question]:
    """Asks for an input that makes the program give its output; the run's own is one.

    Nothing where either is no literal or too long. Raises CutTrace where the trace is not whole.
    """
    golds, output = literals([literal_input(tree_of(code))]), asked_of_output(code, trace)
    if not golds or not output:
        return []
    line = assigned(tree_of(code), "input")[0].lineno
    params = {"output": output[0].golds[0]}
    return [Question("input", golds, line, params=params, grader="witness")]
