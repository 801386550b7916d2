"""Dialogue forms: how a text calls for code or a tool, and how the result is shown in it.

`dialogue_forms.py` has those that recipes name. A form reads the calls in what a model wrote, and
writes calls and results as text; both directions round-trip. Sampled text is never edited.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from transforms.engine.records import ToolCall
from transforms.sandbox.jobs import CellResult, Status
from transforms.text.answers import final_answer


class Body(StrEnum):
    """What stands between the marks of a call."""

    CODE = "code"
    """Python, within a Markdown fence or without one."""
    JSON = "json"
    """A JSON object with the tool's name and its arguments."""
    QUERY = "query"
    """Text for the tool that the marks name."""
    LINE = "line"
    """The rest of the line, for the tool that the mark names."""
    NATIVE = "native"
    """Nothing: the chat API itself carries the calls."""


PYTHON = "python"
"""Name of the tool that code without a name is for."""


class Called(NamedTuple):
    """A call in what a model wrote."""

    name: str
    """The tool; `PYTHON` for code without a name."""
    text: str
    """The code, the query, or the arguments as JSON text."""
    start: int = 0
    """Its first character in the text, marks included."""
    end: int = 0
    """The character behind its last."""
    fault: str | None = None
    """Why it cannot be read; None where it can."""
    id: str | None = None
    """The API's id of a native call."""
    is_code: bool = False
    """Whether `text` is the code itself, rather than arguments."""

    @property
    def code(self) -> str:
        """The code, or the argument `code`; arguments that hold none are taken to be the code."""
        if self.is_code:
            return self.text
        try:
            return str(json.loads(self.text)["code"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return self.text


class Part(NamedTuple):
    """A part of a text: prose, a call or a result."""

    kind: Literal["text", "call", "result"]
    raw: str
    """As it stands in the text, marks included: the parts of a text concatenate to it."""
    name: str = ""
    """The tool of a call."""
    body: str = ""
    """What stands between the marks."""


class Written(NamedTuple):
    """What a model wrote in one turn, read by its dialogue."""

    text: str
    """All that it wrote: the engine's text, then the mark that the engine cut off."""
    restored: str
    """That mark; empty where none is known to be missing."""
    calls: tuple[Called, ...]
    """The calls that wait for a result."""
    fault: str = ""
    """How the text leaves the form of the dialogue; empty where it does not."""
    is_open: bool = False
    """Whether the model is to write on at once: it closed a block that calls for nothing."""


Limit = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Dialogue:
    """One form of dialogue.

    In marks a line break at the inner end is optional where calls are read.
    """

    name: str
    """The form's name in `DIALOGUES`."""
    body: Body
    """What stands between the marks of a call."""
    open: str = ""
    """Mark before a call; `{name}` stands for the tool's name. Empty: the body alone is the call,
    code within its fence, JSON within its braces."""
    close: str = ""
    """Mark after a call."""
    fenced: bool = False
    """Whether code is written within a Markdown fence; it is read with or without one."""
    keys: tuple[str, str] = ("name", "arguments")
    """With body json: the keys of the tool's name and of its arguments."""
    line: str = "action"
    """With body line: the key of the line that calls."""
    frames: tuple[tuple[str, str], ...] = ()
    """Blocks that all text stands in, as (opening, closing mark). Text outside leaves the form."""
    goes_on: bool = False
    """Whether the model writes on after a block of `frames` without a call."""
    stop: tuple[str, ...] = ()
    """Texts at which the engine stops, and which it cuts off."""
    role: Literal["assistant", "user", "tool"] = "assistant"
    """Where results stand: in the text that the model then continues, or in a turn of their own."""
    result: tuple[str, str] = ("", "")
    """Marks around a result; `{name}` stands for the tool's name."""
    calls: Literal["last", "first", "all"] = "last"
    """Which calls of a turn are run. `last`: the one that the turn ends with."""
    limit: Limit | None = 1000
    """Characters of a result, the marker included; None shows all."""
    keeps: Literal["start", "end", "middle"] = "start"
    """Which part of a longer result stays; `middle` keeps both ends."""
    marker: str = "..."
    """Stands where a result is cut."""
    empty: str = ""
    """Shown where code prints nothing."""
    value: Literal["always", "if_silent", "never"] = "always"
    """When the value of a cell's last expression is shown."""
    error: Literal["whole", "last_line"] = "whole"
    """How much of an error is shown."""
    after_error: str = ""
    """Said after the result of a call that failed."""
    note: str = ""
    """Said after a result: what is left of the budget of calls, as `{left}`; empty says nothing."""
    spent: str = ""
    """Said instead of `note` where nothing is left."""
    answer: tuple[str, str] | None = None
    """Marks around the final answer; None: it is boxed, tagged or stated (`final_answer`)."""
    marks_thoughts: bool = False
    """Whether its marks look like those of a thought, so that thoughts are not read apart."""

    @property
    def continues(self) -> bool:
        """Whether results stand in the text that the model then continues."""
        return self.role == "assistant"

    def stops(self, tools: Iterable[str] = ()) -> tuple[str, ...]:
        """Returns the texts at which the engine stops, where these tools can be called."""
        names = tuple(tools) or (PYTHON,)
        texts = (
            text.replace("{name}", name)
            for text in self.stop
            for name in (names if "{name}" in text else names[:1])
        )
        return tuple(dict.fromkeys(texts))

    def read(self, text: str, native: Iterable[ToolCall] = ()) -> tuple[Called, ...]:
        """Returns all calls in a text, or those that the API carries, in order."""
        if self.body is Body.NATIVE:
            return tuple(Called(call.name, call.arguments, id=call.id) for call in native)
        if self.body is Body.JSON and not self.open:
            return tuple(_objects(text, self.keys))
        return tuple(map(self._called, _within(self._call, self._call_end, text)))

    def write(self, name: str, text: str) -> str:
        """Returns a call as text; `read` gives it back.

        Args:
            text: the code, the query, or the arguments as JSON text.

        Raises:
            ValueError: the form cannot hold it: it has a closing mark in it, or is no JSON.
        """
        if self.body is Body.NATIVE:
            raise ValueError("native calls are no text")
        body = text
        if self.body is Body.JSON:
            body = json.dumps(dict(zip(self.keys, (name, json.loads(text)), strict=True)))
            body = body.replace("<", "\\u003c")  # no mark can stand within
        elif self.body is Body.CODE and self.fenced:
            body = f"```python\n{text}\n```" + "\n" * (not self.open)
        elif self.body is Body.LINE:
            body = f"{self.line}: {text}\n"
        written = self.open.replace("{name}", name) + body + self.close.replace("{name}", name)
        read = self.read(written)
        if len(read) != 1 or (self.body is not Body.JSON and read[0].text != text):
            raise ValueError(f"a call of the dialogue {self.name} cannot hold {text[:80]!r}")
        return written

    def turn(self, text: str, stopped: bool, native: Iterable[ToolCall] = ()) -> Written:
        """Returns what a model wrote in one turn.

        Engines cut off the text at which they stop. It is put back where the text shows that the
        model wrote it: a block is open whose closing mark is such a text; or the turn ends with a
        call, at the beginning of a line, and results begin with such a text.

        Args:
            text: the turn as the engine gave it, without what stood before it.
            stopped: whether the engine ended it by itself, rather than at a limit.
        """
        calls = self.read(text, native)
        restored = self._missing(text, calls) if stopped else ""
        whole = text + restored
        if restored:
            calls = self.read(whole, native)
        fault = self._fault(whole, stopped)
        if self.calls == "last" and self.body is not Body.NATIVE:
            end = len(text.removesuffix(self._opens_result).rstrip())
            closed = [c for c in calls if c.end >= end or self._is_closed_frame(whole[c.end :])]
            calls = tuple(closed[-1:])
        elif self.calls == "first":
            calls = calls[:1]
        is_open = self.goes_on and bool(whole.strip()) and not calls and not fault
        return Written(whole, restored, calls, fault, is_open)

    def shown(self, name: str, result: str, before: str = "") -> str:
        """Returns a result as it is shown: cut, between its marks.

        Args:
            before: the text that it follows; the part of the opening mark that this ends with is
                left out.
        """
        opening, closing = (mark.replace("{name}", name) for mark in self.result)
        if mark := closing.strip():
            result = result.replace(mark, f"{mark[0]} {mark[1:]}")  # it cannot end the block early
        text = opening + cut(result, self.limit, self.keeps, self.marker) + closing
        if not self.continues:
            return text
        if self._opens_result and before.endswith(self._opens_result):
            return text.removeprefix("\n").removeprefix(self._opens_result)
        return "\n" * (not self.open and not before.endswith("\n")) + text

    def budget(self, left: int | None) -> str:
        """Returns the note on what is left of the budget of calls; None: there is no budget."""
        if left is None:
            return ""
        return self.note.replace("{left}", str(left)) if left or not self.spent else self.spent

    def parts(self, text: str) -> Iterator[Part]:
        """Splits a text that holds calls and results; the parts concatenate to it."""
        done = 0
        found = [("call", match) for match in _within(self._call, self._call_end, text)]
        if self.continues:
            ends = re.compile(_end(self.result[1]))
            found += [("result", match) for match in _within(self._result, ends, text)]
        for kind, match in sorted(found, key=lambda each: each[1].start()):
            if match.start() < done:
                continue  # within the part before it
            if match.start() > done:
                yield Part("text", text[done : match.start()])
            done = match.end()
            called = self._called(match) if kind == "call" else None
            body = called.text if called else match["body"]
            yield Part(kind, match[0], called.name if called else "", body)  # type: ignore[arg-type]
        if done < len(text):
            yield Part("text", text[done:])

    def answered(self, text: str) -> str | None:
        """Returns the final answer in a text; None where there is none."""
        if self.answer is None:
            return final_answer(text, "stop")
        opening, closing = self.answer
        *closed, _ = text.split(closing)
        found = [part.partition(opening)[2] for part in closed if opening in part]
        return found[-1].strip() or None if found else None

    def observed(self, seen: CellResult) -> str:
        """Returns what a cell gave, as the model sees it before it is cut: a function of the cells
        alone (see `stable`)."""
        printed = stable(seen.stdout).rstrip("\n")
        value = stable(seen.value or "")
        if self.value == "never" or (self.value == "if_silent" and printed):
            value = ""
        error = ""
        if seen.status is not Status.OK:
            error = stable(seen.error or seen.status.value)
            if self.error == "last_line":
                error = error.rstrip().rpartition("\n")[2]
        return "\n".join(filter(None, [printed, value, error])) or self.empty

    @cached_property
    def _opens_result(self) -> str:
        """The text at which the engine stops that results begin with; empty where none is."""
        opening = self.result[0].lstrip("\n") if self.continues else ""
        return next((text for text in self.stop if opening.startswith(text)), "")

    @cached_property
    def _call(self) -> re.Pattern[str]:
        if self.body is Body.LINE:
            return re.compile(rf"^{re.escape(self.line)}:[ \t]*(?P<body>.*)$\n?", re.MULTILINE)
        if self.body is Body.CODE and not self.open:
            return re.compile(
                _FENCE + r"[ \t]*\n(?P<body>.*?)\n?^```[ \t]*$\n?", re.DOTALL | re.MULTILINE
            )
        if not self.open:
            return re.compile(r"(?!)")
        return re.compile(f"{_opening(self.open)}(?P<body>.*?){_closing(self.close)}", re.DOTALL)

    @cached_property
    def _call_end(self) -> re.Pattern[str]:
        if self.body is Body.LINE:
            return re.compile(r"\Z")
        if self.body is Body.CODE and not self.open:
            return re.compile(r"^```[ \t]*$\n?", re.MULTILINE)
        return re.compile(_end(self.close))

    @cached_property
    def _result(self) -> re.Pattern[str]:
        opening, closing = self.result
        return re.compile(f"{_opening(opening)}(?P<body>.*?){_closing(closing)}", re.DOTALL)

    def _called(self, match: re.Match[str]) -> Called:
        name = match.groupdict().get("name") or (self.line if self.body is Body.LINE else PYTHON)
        body, fault = match["body"], None
        if self.body is Body.JSON:
            name, body, fault = _named(body, self.keys)
        elif self.body is Body.CODE and (within := _FENCED.fullmatch(body)):
            body = within["body"]
        is_code = self.body is Body.CODE
        return Called(name, body, match.start(), match.end(), fault, is_code=is_code)

    def _missing(self, text: str, calls: tuple[Called, ...]) -> str:
        pairs = [(self.open, self.close), *self.frames]
        for opening, closing in pairs:
            mark = closing.strip()
            if "{name}" in opening:
                begun = re.findall(_opening(opening), text)
                opening, mark = "", mark.replace("{name}", begun[-1] if begun else "")
                is_open = bool(begun) and text.count(mark) < len(begun)
            else:
                last = text.rfind(opening.strip()) if opening.strip() else -1
                is_open = last >= 0 and mark not in text[last:]
            if mark and is_open and closing.strip() in map(str.strip, self.stop):
                return mark
        ends = calls and calls[-1].end >= len(text.rstrip()) and text.endswith("\n")
        return self._opens_result if ends and not text.endswith(self._opens_result) else ""

    def _fault(self, text: str, stopped: bool) -> str:
        if stopped and self.open and "{name}" not in self.open:
            opening, closing = self.open.strip(), self.close.strip()
            last = text.rfind(opening)
            if last >= 0 and closing not in text[last:]:
                return f"a call is not closed by {closing}"
        opens_fence = self.body is Body.CODE and not self.open
        if stopped and opens_fence:
            calls = {match.start() for match in _within(self._call, self._call_end, text)}
            fences = re.finditer(_FENCE, text, re.MULTILINE)
            if any(fence.start() not in calls for fence in fences):
                return "a fence is not closed"
        marks = [self.open.strip(), *(opening for opening, _ in self.frames)]
        if self.frames and text.strip() and not any(mark in text for mark in marks if mark):
            return f"it begins none of {' '.join(filter(None, marks))}"
        return ""

    def _is_closed_frame(self, rest: str) -> bool:
        return rest.strip() in {closing.strip() for _, closing in self.frames}


_FENCE = r"^```(?:python|py)3?"
_FENCED = re.compile(r"\s*```(?:python|py)?3?[ \t]*\n(?P<body>.*?)\n?```\s*", re.DOTALL)


def _opening(mark: str) -> str:
    pattern = re.escape(mark.strip()).replace(r"\{name\}", r"(?P<name>\w+)")
    return pattern + (r"\n?" if mark.endswith("\n") else "")


def _end(mark: str) -> str:
    return re.escape(mark.strip()).replace(r"\{name\}", r"\w+")


def _within(pattern: re.Pattern[str], end: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yields the parts of a text, each of which closes with `end`.

    What stands behind the last end is not looked at: each opening there would have the rest of the
    text searched.
    """
    *_, last = 0, *(match.end() for match in end.finditer(text))
    return pattern.finditer(text, 0, last)


def _closing(mark: str) -> str:
    pattern = re.escape(mark.strip()).replace(r"\{name\}", r"(?P=name)")
    return (r"\n?" if mark.startswith("\n") else "") + pattern


def _named(body: str, keys: tuple[str, str]) -> tuple[str, str, str | None]:
    """Returns name, arguments as JSON text, and what is wrong, of a call in JSON."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        return "", body.strip(), f"the call is no JSON: {error}"
    name = values.get(keys[0]) if isinstance(values, dict) else None
    if not isinstance(name, str):
        return "", body.strip(), f"the call has no {keys[0]}"
    return name, json.dumps(values.get(keys[1], {}), ensure_ascii=False), None


def _objects(text: str, keys: tuple[str, str]) -> Iterator[Called]:
    """Yields the calls that stand in a text as JSON objects without marks."""
    place, read = text.find("{"), json.JSONDecoder().raw_decode
    while place >= 0:
        try:
            _, end = read(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            name, arguments, fault = _named(text[place:end], keys)
            if fault is None:
                yield Called(name, arguments, place, end)
        place = text.find("{", end)


def cut(text: str, limit: int | None, keeps: str, marker: str) -> str:
    """Returns a text of at most `limit` characters, with `marker` where it is cut.

    Args:
        keeps: the part that stays: start, end, or middle (both ends).

    >>> [cut("abcdefgh", 6, keeps, "..") for keeps in ("start", "end", "middle")]
    ['abcd..', '..efgh', 'ab..gh']
    """
    if limit is None or len(text) <= limit:
        return text
    room = max(limit - len(marker), 0)
    head = {"start": room, "end": 0, "middle": (room + 1) // 2}[keeps]
    tail = room - head
    return (text[:head] + marker + text[len(text) - tail :])[:limit]


_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{4,}")
_FRAME = re.compile(r'^ +File "/[^"\n]*".*\n(?: {4,}.*\n)*', re.MULTILINE)
_PATH = re.compile(r"(?<![\w.])/(?:tmp|usr|opt|root|home|var|proc)(?:/[\w.@+-]+)+")


def stable(text: str) -> str:
    r"""Returns what a program printed without what other runs of it would print otherwise: memory
    addresses, colours, and where Python and its files are installed. Frames of libraries are left
    out of tracebacks, since their paths and lines differ between machines.

    >>> stable("\x1b[31m<object object at 0x7f3a5c0b1d90>\x1b[0m")
    '<object object at 0x...>'
    >>> stable('File "<cell 1>", line 1\nin /usr/lib/python3.11/json/decoder.py')
    'File "<cell 1>", line 1\nin decoder.py'
    """
    text = _ADDRESS.sub("at 0x...", _ESCAPES.sub("", text))
    return _PATH.sub(lambda match: match[0].rpartition("/")[2], _FRAME.sub("", text))
