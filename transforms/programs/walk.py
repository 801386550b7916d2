"""A run told line by line, with what each line did: reasoning that needs no model."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from transforms.programs.facts import Event, Kind, Trace, is_plain, states
from transforms.programs.facts.events import LEAVES
from transforms.programs.form import nodes_of
from transforms.programs.names import parameters
from transforms.programs.questions.lines import literal_of, stored, tree_of

_MOST_CHARS = 200
"""Longest value that is told."""
UNTOLD = "is not told"
"""In place of a value that is no literal, or too long."""


def walk(code: str, trace: Trace, counts: Collection[int] = ()) -> list[str]:
    """Returns what a run did, a text for each line that ran: its number, source and effect.

    An effect is the values that a line sets, how its condition came out, what it calls or returns.
    A line that calls functions of the program is told of before and after them. What the program
    defines and imports is left out, and its `input`.

    Args:
        counts: lines that are not told of but counted, at the line after each.

    Raises:
        CutTrace: the trace is not whole. Unparsable: the code is no program.

    >>> from transforms.programs.facts.events import read_trace
    >>> trace = '''{"cut": null, "events": [
    ...     {"e": "call", "f": 0, "d": 0, "n": "<module>", "l": 0},
    ...     {"e": "line", "f": 0, "d": 0, "l": 1},
    ...     {"e": "return", "f": 0, "d": 0, "l": 1, "c": {"x": {"tuple": [1, 2]}}}]}'''
    >>> walk("x = 1, 2", read_trace(trace))
    ['[L1] x = 1, 2: `x = (1, 2)`']
    """
    return list(_Walk(code, counts).told(trace))


class _Walk:
    def __init__(self, code: str, counts: Collection[int]) -> None:
        self._lines = code.split("\n")
        self._statements = _by_line(tree_of(code))
        self._counts = counts
        self._count = 0
        self._at: dict[int, int] = {}
        self._counted: dict[int, int] = {}
        self._running: list[int] = []
        self._classes: set[int] = set()

    def told(self, trace: Trace) -> Iterator[str]:
        for event, variables in states(trace):
            frame = event.frame
            if event.of_expression:
                continue
            if event.kind in (Kind.CALL, Kind.RESUME):
                caller = self._running[-1] if self._running else None
                if caller in self._classes or isinstance(self._statement(caller), ast.ClassDef):
                    self._classes.add(frame)
                elif event.kind is Kind.CALL and caller is not None:
                    given = self._arguments(event.line, variables)
                    texts = ((name, _text(variables[name])) for name in given)
                    known = ", ".join(f"{name}={text}" for name, text in texts if text)
                    name = event.function.rpartition(".")[2]
                    yield from self._line(caller, f"calls {name}({known})")
                self._running.append(frame)
                continue
            if event.kind is Kind.LINE and self._is_within(event):
                continue
            if frame not in self._classes and frame in self._at:
                yield from self._line(frame, self._effect(event, variables))
                del self._at[frame]
            if event.kind in LEAVES:
                self._running.pop()
            elif event.kind is Kind.LINE and event.line in self._counts:
                self._count += 1
                self._counted[frame] = self._count
            elif event.kind is Kind.LINE:
                self._at[frame] = event.line

    def _is_within(self, event: Event) -> bool:
        """Whether the line is a further one of the statement that its frame is at."""
        statement = self._statement(event.frame)
        own = self._statements.get(event.line)
        return own is statement and _has_lines(own)

    def _arguments(self, line: int, variables: Mapping[str, Any]) -> Iterable[str]:
        """The variables of a frame that begins at a line that its call gives it."""
        function = self._statements.get(line)
        if not isinstance(function, ast.FunctionDef):
            return variables
        return [each.arg for each in parameters(function.args) if each.arg in variables]

    def _statement(self, frame: int | None) -> ast.stmt | None:
        return self._statements.get(self._at.get(-1 if frame is None else frame, 0))

    def _line(self, frame: int, effect: str) -> Iterator[str]:
        """The line that a frame is at, with an effect; nothing for what defines and imports."""
        statement = self._statement(frame)
        if frame not in self._at or isinstance(statement, _DEFINING) or self._is_input(frame):
            return
        line = self._at[frame]
        source = self._lines[line - 1].strip().removesuffix(":")
        if statement is not None and _has_lines(statement):
            line, source = statement.lineno, ast.unparse(statement)
        count = self._counted.pop(frame, None)
        step = "" if count is None else f" (step {count})"
        yield f"[L{line}] {source}{': ' if effect else ''}{effect}{step}"

    def _is_input(self, frame: int) -> bool:
        statement = self._statement(frame)
        return frame == 0 and "input" in (name for name, _ in stored(statement or ast.Pass()))

    def _effect(self, event: Event, variables: Mapping[str, Any]) -> str:
        """What the line did that a frame was at before an event."""
        statement = self._statement(event.frame)
        if event.kind is Kind.EXCEPTION:
            return f"raises {event.error}"
        if event.kind is Kind.YIELD:
            return f"yields {_text(event.value) or f'what {UNTOLD}'}"
        if event.kind is Kind.RETURN and isinstance(statement, ast.Return):
            return f"returns {_text(event.value) or f'what {UNTOLD}'}"
        names = dict.fromkeys(event.changed)
        if isinstance(statement, (ast.If, ast.While, ast.For)):
            first, last = statement.body[0].lineno, statement.body[-1].end_lineno or 0
            goes_on = event.kind is Kind.LINE and first <= event.line <= last
            if not isinstance(statement, ast.For):
                return str(goes_on)
            if not goes_on:
                return "the loop ends"
            names |= dict.fromkeys(name for name, _ in stored(ast.Expr(statement.target)))
        elif statement is not None and not hasattr(statement, "body"):
            names |= dict.fromkeys(name for name, _ in stored(statement))
        texts = ((name, _text(variables[name])) for name in names if name in variables)
        return ", ".join(
            f"`{name} = {text}`" if text else f"{name} {UNTOLD}" for name, text in texts
        )


_DEFINING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def _has_lines(statement: ast.stmt | None) -> bool:
    """Whether a statement is simple and takes several lines."""
    if statement is None or hasattr(statement, "body") or hasattr(statement, "cases"):
        return False
    return statement.lineno != statement.end_lineno


def _by_line(tree: ast.Module) -> dict[int, ast.stmt]:
    """Returns the innermost statement of each line; a compound one has the lines of its header."""
    by_line: dict[int, ast.stmt] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.stmt):
            decorators = [each.lineno for each in getattr(node, "decorator_list", [])]
            body = getattr(node, "body", None) or getattr(node, "cases", None)
            last = node.lineno if body else node.end_lineno or node.lineno
            if isinstance(node, _DEFINING) and body:
                last = max(last, body[0].lineno - 1)
            by_line |= dict.fromkeys(range(min([node.lineno, *decorators]), last + 1), node)
    return by_line


def _text(value: Any) -> str:
    """A value as a literal; empty where that is not told."""
    text = literal_of(value) if is_plain(value) else ""
    return text if len(text) <= _MOST_CHARS else ""
