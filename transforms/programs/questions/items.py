"""Questions about a line and the variable that it sets, which belong together."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from transforms.programs.facts import Trace, coverage, next_lines, values_after
from transforms.programs.form import nodes_of
from transforms.programs.questions.asking import Question
from transforms.programs.questions.lines import is_literal, literals, statements, stored, tree_of


def asked_of_items(code: str, trace: Trace) -> list[Question]:
    """Asks three questions about the last line of each basic block that assigns, returns or changes
    a variable, and that variable. The fourth, for the output, is the same for all items of a run.

    Left out are lines that run in any case, assignments of literals, which show, and variables of
    which a value is no literal.

    Raises:
        CutTrace: the trace is not whole. Unparsable: the code is no program.
    """
    covered = coverage(trace)
    whole = statements(code)
    questions = []
    for block in _blocks(tree_of(code).body):
        told = [(n.lineno, name) for n in block if n.lineno in whole for name in _asked(n)]
        for line, name in told[-1:]:
            ran = line in covered
            values = literals(values_after(trace, line, name)) if ran else ("'Nil'",)
            if not values:
                continue
            after = tuple(map(repr, next_lines(trace, line))) if ran else ("-1",)
            params = {"item": f"{line}:{name}"}
            questions += [
                Question("covered", (repr(ran),), line, name, params),
                Question("state", values, line, name, params),
                Question("next_line", after, line, name, params),
            ]
    return questions


def _blocks(body: list[ast.stmt], in_any_case: bool = True) -> Iterator[list[ast.stmt]]:
    """Yields the runs of simple statements that control may leave out: those inside of or after an
    `if`, loop, `try` or `match`."""
    block: list[ast.stmt] = []
    for statement in body:
        inner = [*getattr(statement, "handlers", []), *getattr(statement, "cases", []), statement]
        bodies = [getattr(each, part, []) for each in inner for part in _BODIES]
        if not any(bodies):
            block += [] if in_any_case else [statement]
            continue
        yield block
        block = []
        is_scope = isinstance(statement, (ast.FunctionDef, ast.ClassDef))
        for each in bodies:
            yield from _blocks(each, is_scope)
        in_any_case = in_any_case and (is_scope or isinstance(statement, ast.With))
    yield block


_BODIES = ("body", "orelse", "finalbody")


def _asked(statement: ast.stmt) -> list[str]:
    """Returns the variables that a line assigns or returns, or whose method it calls."""
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        names = [name for name, expression in stored(statement) if not is_literal(expression)]
    elif isinstance(statement, ast.Return) and isinstance(statement.value, ast.Name):
        names = [statement.value.id]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        method = statement.value.func
        names = [n.id for n in nodes_of(method) if isinstance(n, ast.Name) and n is not method]
    else:
        names = []
    return [name for name in names if name not in ("input", "output")]
