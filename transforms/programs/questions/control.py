"""Questions about the way that control took and about loops, each at one moment of the run.

Only lines that ran in a single frame are asked about: there, "the third time" means one moment.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from typing import TypeVar

from transforms.programs.facts import Branch, Loop, Trace, branches, loops
from transforms.programs.form import nodes_of
from transforms.programs.questions.asking import Question
from transforms.programs.questions.lines import is_literal, literals, statements, stored, tree_of
from transforms.programs.questions.runs import moments, runs_of

_LATEST = 20
"""Time of a line's run that is asked about, at most: nobody follows a hundred."""


def asked_of_branches(code: str, trace: Trace) -> list[Question]:
    """Asks of a condition whether it held at one of its evaluations, for each of its outcomes.

    Left out are those that compare for equality where a variable holds a float of many digits: they
    hang on the last digit.

    Raises:
        CutTrace: the trace is not whole. Unparsable: the code is no program.
    """
    questions = []
    long = _names_of_long_floats(trace)
    fragile = {
        node.lineno
        for node in nodes_of(tree_of(code))
        if isinstance(node, ast.Compare)
        and any(isinstance(how, (ast.Eq, ast.NotEq)) for how in node.ops)
        and any(isinstance(name, ast.Name) and name.id in long for name in nodes_of(node))
    }
    for line, outcomes in _by_line(branches(trace, tree_of(code))).items():
        if line in fragile:
            continue
        taken = [branch.taken for branch in outcomes]
        for outcome in dict.fromkeys(taken):
            times = [n for n, each in enumerate(taken, start=1) if each is outcome]
            params = {"time": times[len(times) // 2], "times": len(taken)}
            questions.append(Question("branch", (repr(outcome),), line, params=params))
    return questions


def asked_of_iterations(code: str, trace: Trace) -> list[Question]:
    """Asks how often a loop's body is begun in one of its runs. Raises as `asked_of_branches`."""
    questions = []
    for line, runs in _by_line(loops(trace, tree_of(code))).items():
        time = 1 + len(runs) // 2
        params = {"time": time, "times": len(runs)}
        gold = repr(runs[time - 1].iterations)
        questions.append(Question("iterations", (gold,), line, params=params))
    return questions


def asked_of_loop_bodies(code: str, trace: Trace) -> list[Question]:
    """Asks what a line of a loop assigns, at one of the times that it runs, not the first.

    Raises as `asked_of_branches` does.
    """
    frames, whole = moments(trace), statements(code)
    questions = []
    for loop in _loops(code):
        for statement in loop.body:
            line = statement.lineno
            if line not in whole or not isinstance(statement, (ast.Assign, ast.AugAssign)):
                continue
            runs = runs_of(frames, line, line, repeats=False)
            if len(runs) < 2 or len({run.frame for run in runs}) > 1:
                continue
            time = min(2 + (len(runs) - 2) // 2, _LATEST)
            for name, expression in stored(statement):
                golds = literals([runs[time - 1].after.get(name, Ellipsis)])
                if golds and not is_literal(expression):
                    params = {"time": time, "times": len(runs)}
                    questions.append(Question("loop_body", golds, line, name, params))
    return questions


def asked_of_loop_ends(code: str, trace: Trace) -> list[Question]:
    """Asks what a variable that a loop's body assigns holds once the loop is left.

    Raises as `asked_of_branches` does.
    """
    frames, whole = moments(trace), statements(code)
    questions = []
    for loop in _loops(code):
        if loop.lineno not in whole or any(isinstance(n, ast.Return) for n in nodes_of(loop)):
            continue
        runs = runs_of(frames, loop.lineno, loop.end_lineno or 0, repeats=True)
        if not runs or len({run.frame for run in runs}) > 1:
            continue
        time = 1 + len(runs) // 2
        for name in dict.fromkeys(n for part in loop.body for n, _ in stored(part)):
            run = runs[time - 1]
            golds = literals([run.after.get(name, Ellipsis)]) if run.is_short else ()
            if golds and golds != literals([run.before.get(name, Ellipsis)]):
                params = {"time": time, "times": len(runs), "last_line": loop.end_lineno}
                questions.append(Question("loop_end", golds, loop.lineno, name, params))
    return questions


def asked_of_aliases(code: str, trace: Trace) -> list[Question]:
    """Asks after an assignment whether its variable and another one are the same object.

    Both are lists, dicts or sets of one type in one frame; where they are not the same object, the
    line computes the one from the other, if there is such a line. What counts is `is` in the run.
    Nothing is asked of a run in which none are the same: False would nearly always be right. Raises
    as `asked_of_branches` does.
    """
    frames = moments(trace)
    aliases, copies, others = [], [], []
    for line, statement in statements(code).items():
        names = {name for name, _ in stored(statement)} if _assigns(statement) else set()
        runs = runs_of(frames, line, line, repeats=False) if names else []
        if len({run.frame for run in runs}) != 1:
            continue
        run = runs[-1]
        shared = run.after.keys() - {"input", "output"}
        for name in sorted(names & shared):
            for other in sorted(shared - names):
                one, two = run.after[name], run.after[other]
                if type(one) is not type(two) or not isinstance(one, (list, dict, set)):
                    continue
                same = any(name in group and other in group for group in run.aliases)
                params = {"other": other, "time": len(runs), "times": len(runs)}
                question = Question("alias", (repr(same),), line, name, params)
                if same:
                    aliases.append(question)
                elif _mentions(statement, other):
                    copies.append(question)
                else:
                    others.append(question)
    return [*aliases, *(copies or others)] if aliases else []


def _names_of_long_floats(trace: Trace) -> set[str]:
    """Returns the variables that ever hold a float of many digits."""
    return {
        name
        for event in trace.events
        for name, value in event.changed.items()
        if isinstance(value, float) and not literals([value])
    }


def _assigns(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign))


def _mentions(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in nodes_of(statement))


def _loops(code: str) -> list[ast.For | ast.While]:
    return [node for node in nodes_of(tree_of(code)) if isinstance(node, (ast.For, ast.While))]


_Fact = TypeVar("_Fact", Branch, Loop)


def _by_line(facts: list[_Fact]) -> dict[int, list[_Fact]]:
    """Returns facts by line, without lines that ran in several frames."""
    lines: defaultdict[int, list[_Fact]] = defaultdict(list)
    for fact in facts:
        lines[fact.line].append(fact)
    return {line: each for line, each in lines.items() if len({fact.frame for fact in each}) == 1}
