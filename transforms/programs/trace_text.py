"""A trace as text, and back: frames of observation and action, after CWM (arXiv 2510.02387).

A frame is one line of text: what happens, the variables of its function as a JSON object of Python
literals, and the source line that runs next. A variable that has not changed since the function's
last frame is shown as `..`:

    @line {"n": "..", "total": "3"} |     total += n

CWM separates the parts by special tokens of its own tokenizer; here they are plain text, since what
looks like a special token is taken out of a model's answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.programs.facts import Event, Instance, Kind, Trace
from transforms.programs.questions.lines import literal_of

SAME = ".."
"""In place of the value of a variable that has not changed."""


@dataclass(frozen=True)
class Frame:
    """One event of a trace, as its text shows it."""

    kind: str
    """`call`, `line`, `return` or `exception`.

    A generator that waits returns, and is called when it goes on; a function that an exception
    leaves returns None."""
    variables: Mapping[str, str]
    """Literals by name; `SAME` where unchanged."""
    action: str
    """The line of the program that is about to run, or that the event is in."""
    value: str | None = None
    """What is returned, or class and arguments of the exception; None at other frames."""


_KINDS = {
    Kind.CALL: "call", Kind.RESUME: "call", Kind.LINE: "line", Kind.EXCEPTION: "exception",
    Kind.RETURN: "return", Kind.YIELD: "return", Kind.UNWIND: "return",
}  # fmt: skip


def frames_of(code: str, trace: Trace, function: str) -> Iterator[Frame]:
    """Yields the frames of the first call of a function and of all calls within it.

    None where the function is never called.

    Raises:
        CutTrace: the trace is not whole.
    """
    lines = ["", *re.split(r"\r\n|\r|\n", code)]
    variables: dict[int, dict[str, str]] = {}
    for event in _within(trace, function):
        shown = variables.setdefault(event.frame, {})
        changed = {name: literal(value) for name, value in event.changed.items()}
        for name in event.gone:
            shown.pop(name, None)
        shown |= changed
        full = event.kind is Kind.RESUME
        told = {name: text if full or name in changed else SAME for name, text in shown.items()}
        yield Frame(_KINDS[event.kind], told, lines[event.line], _value(event))


def _within(trace: Trace, function: str) -> Iterator[Event]:
    """Yields the events from the first call of a function to its end."""
    first: int | None = None
    for event in trace.events:
        if first is None and event.kind is Kind.CALL and event.function == function:
            first = event.frame
        if first is not None:
            yield event
            if event.frame == first and event.kind in (Kind.RETURN, Kind.UNWIND):
                return


def _value(event: Event) -> str | None:
    if event.kind is Kind.EXCEPTION:
        return f"{event.error}{literal(event.value)}"
    return literal(event.value) if _KINDS[event.kind] == "return" else None


def literal(value: Any) -> str:
    """Returns a value as its literal; that of an object is its class, with its value as one of a
    built-in type and its attributes in brackets, or the name of an enumeration's member. A value
    that holds itself, or has too many parts, is its class in angle brackets.

    >>> literal([(1, float("nan")), Instance("float64", 0.5), Instance("Node", None, {"n": {1}})])
    '[(1, nan), float64(0.5), Node(n={1})]'
    """
    left = _MOST_PARTS

    def leaf(part: Any) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise RecursionError
        if not isinstance(part, Instance):
            return repr(part)
        if "_name_" in part.fields:
            return f"{part.type}.{part.fields['_name_']}"
        told = [] if part.base is None else [literal_of(part.base, leaf)]
        told += [f"{name}={literal_of(field, leaf)}" for name, field in part.fields.items()]
        return f"{part.type}({', '.join(told)})"

    try:
        return literal_of(value, leaf)
    except RecursionError:
        return f"<{value.type if isinstance(value, Instance) else type(value).__name__}>"


_MOST_PARTS = 10_000
"""Objects that several others hold count once for each way to them: there may be any number."""


def render(frames: Iterable[Frame]) -> str:
    """Returns frames as text, a line each.

    >>> print(render([Frame("return", {"n": "2"}, "    return n", "2")]))
    @return {"n": "2"} "2" |     return n
    """
    return "\n".join(map(_line, frames))


def _line(frame: Frame) -> str:
    value = "" if frame.value is None else f" {_json(frame.value)}"
    return f"@{frame.kind} {_json(dict(frame.variables))}{value} | {frame.action}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_BEGINNING = re.compile("@(call|line|return|exception) ")


def parse_trace(text: str) -> list[Frame]:
    """Returns the frames that a text shows.

    Raises:
        ValueError: a line of the text is no frame.
    """
    return [_frame(line) for line in text.strip("\n").split("\n")]


def _frame(line: str) -> Frame:
    begins = _BEGINNING.match(line)
    if begins is None:
        raise ValueError(f"not a frame: {line[:80]!r}")
    variables, end = _DECODER.raw_decode(line, begins.end())
    value = None
    if line.startswith(' "', end):
        value, end = _DECODER.raw_decode(line, end + 1)
    strings = isinstance(variables, dict) and all(isinstance(v, str) for v in variables.values())
    if not strings:
        raise ValueError(f"a frame's values are texts: {line[:80]!r}")
    if not line.startswith(" | ", end):
        raise ValueError(f"a frame without an action: {line[:80]!r}")
    return Frame(begins[1], variables, line[end + len(" | ") :], value)


_DECODER = json.JSONDecoder()


def folded(frames: Iterable[Frame]) -> dict[str, str]:
    """Returns the variables of the outermost function at its end, by folding all changes.

    Raises:
        ValueError: a frame leaves unchanged what was not there, or a function ends that never
            began.
    """
    stack: list[dict[str, str]] = []
    last: dict[str, str] = {}
    for frame in frames:
        if frame.kind == "call":
            stack.append({})
        try:
            before = stack[-1]
            stack[-1] = last = {
                name: before[name] if value == SAME else value
                for name, value in frame.variables.items()
            }
        except (KeyError, IndexError) as error:
            raise ValueError(f"nothing goes before {frame}") from error
        if frame.kind == "return":
            stack.pop()
    return last
