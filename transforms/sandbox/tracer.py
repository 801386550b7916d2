"""Records what a program does, event by event; it runs in the program's own process.

It imports nothing of cotmill but its neighbour. What it reports is the program's claim, as all that
comes out of that process: `transforms.programs.facts.events` reads and checks it.
"""

from __future__ import annotations

import _thread
import functools
import opcode
import sys
import types
from json import dumps
from marshal import dumps as fingerprint
from typing import Any

from transforms.sandbox.literals import ATOMS, IMMUTABLE, NAMED, TooLarge, encode, is_array

_LOOKS = 32
"""Bytes that may be compared in search of changes, for each byte that may be recorded."""
_DEAR = 8
"""How much slower a literal is to write than a fingerprint."""

_RETURNS = frozenset({"RETURN_VALUE", "RETURN_CONST"})
_ENDS_OF_ITERATORS = frozenset({"FOR_ITER", "SEND"})
_UNSEEN = object()


class _Frame:
    """What was recorded of one call."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.values: dict[str, Any] = {}
        """Atoms themselves, and for other values (fingerprint, literal)."""
        self.aliases: list[list[str]] = []
        self.raising = False


class Tracer:
    """Records the events of the program whose file has this name, within budgets.

    An event is one JSON object: e (call, line, return, exception, yield, resume, or unwind where an
    exception leaves the frame), f (number of the call), d (calls that it is inside of), l (line),
    and where there is something to state: n (function, in call events), c ({name: literal} of the
    variables that are new or changed since the call's last event), x (names that are gone), a
    (groups of names for one mutable object, where the groups have changed), t (class of the
    exception) and v (literal of the value returned or yielded, or of the exception's arguments).

    Args:
        filename: of the program's code; other code is not traced.
        events: recorded, at most; tracing then ends and the program runs on at full speed.
        size: bytes of the report, at most.
    """

    def __init__(self, filename: str, events: int, size: int) -> None:
        self._filename = filename
        self._events_left, self._bytes_left = events, size
        self._looks_left = size * _LOOKS
        self._report: list[str] = []
        self._frames: dict[int, _Frame] = {}
        self._opcodes: dict[types.CodeType, bytes] = {}
        self._calls = 0
        self._depth = 0
        self._active = False
        self._cut: str | None = None

    def start(self) -> None:
        _listen()
        _running[:] = [self]
        _replace_starts(self._start_thread)
        _settrace(self._enter)
        self._active = True

    def stop(self) -> None:
        if self._active and _gettrace() != self._enter:  # the interpreter gave up on it
            self._end("tracing")
        self._active = False
        _settrace(None)
        _replace_starts(_start_new_thread)
        _running.clear()

    def report(self) -> str:
        """Returns JSON: cut (null, or why the trace is not whole) and events."""
        events = ",\n".join(self._report)
        return f'{{"cut": {dumps(self._cut)}, "events": [{events}]}}'

    def interfered(self) -> None:
        """Cuts the trace: something else set a trace function."""
        if self._active:
            self._end("tracing")

    def _start_thread(self, *arguments: Any, **named: Any) -> int:
        self._end("threads")
        return _start_new_thread(*arguments, **named)

    def _end(self, why: str) -> None:
        self._cut = self._cut or why
        self._active = False

    def _enter(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename != self._filename or not self._active:
            return None
        return self._step(frame, event, argument)

    def _step(self, frame: types.FrameType, event: str, argument: Any) -> Any:
        if not self._active:
            frame.f_trace = None
            if self._cut and _gettrace() == self._enter:
                _settrace(None)
            return None
        try:
            self._record(frame, event, argument)
        except TooLarge as error:
            self._end(str(error))
        except RecursionError:
            self._end("recursion")
        except MemoryError:
            self._end("memory")
        except Exception:  # the program has changed what this needs
            self._end("tracing")
        return self._step

    def _record(self, frame: types.FrameType, event: str, argument: Any) -> None:
        if self._events_left <= 0:
            raise TooLarge("events")
        state = self._frames.get(id(frame))
        parts = []
        if event == "call":
            if state is None:
                state = self._frames[id(frame)] = _Frame(self._calls)
                self._calls += 1
                parts.append(f'"n": {dumps(frame.f_code.co_qualname)}')
            else:
                event = "resume"
            self._depth += 1
        assert state is not None
        if event == "line":
            state.raising = False
        elif event == "exception":
            kind, error, _ = argument
            if kind is StopIteration and self._opcode(frame) in _ENDS_OF_ITERATORS:
                return  # how an iterator ends
            state.raising = True
            parts.append(f'"t": {dumps(kind.__name__)}')
            parts.append(f'"v": {self._literal(_arguments(error))}')
        elif event == "return":
            event = self._way_out(frame, state)
            if event != "unwind":
                parts.append(f'"v": {self._literal(argument)}')
        parts += self._changes(frame, state)
        parts[:0] = [f'"e": "{event}"', f'"f": {state.number}', f'"d": {self._depth - 1}']
        parts.append(f'"l": {frame.f_lineno or 0}')  # None where the compiler made the code
        text = f"{{{', '.join(parts)}}}"
        self._events_left -= 1
        self._bytes_left -= len(text) + 2
        if self._bytes_left < 0:
            raise TooLarge("bytes")
        self._report.append(text)
        if event in ("return", "yield", "unwind"):
            self._depth -= 1
            if event != "yield":
                del self._frames[id(frame)]

    def _way_out(self, frame: types.FrameType, state: _Frame) -> str:
        """How a frame is left; `sys.settrace` calls all of these a return."""
        name = self._opcode(frame)
        if name in _RETURNS:
            return "return"
        return "yield" if name == "YIELD_VALUE" and not state.raising else "unwind"

    def _opcode(self, frame: types.FrameType) -> str:
        code = frame.f_code
        if code not in self._opcodes:
            self._opcodes[code] = code.co_code
        return opcode.opname[self._opcodes[code][frame.f_lasti]]

    def _changes(self, frame: types.FrameType, state: _Frame) -> list[str]:
        local = frame.f_locals
        changed: list[str] = []
        aliases: dict[int, list[str]] = {}
        for name, value in local.items():
            if name.startswith(".") or (name.startswith("__") and name.endswith("__")):
                continue
            kind = type(value)
            if kind not in IMMUTABLE:
                aliases.setdefault(id(value), []).append(name)
            literal = self._change(state, name, value, kind)
            if literal is not None:
                changed.append(f"{dumps(name)}: {literal}")
        parts = []
        if changed:
            parts.append(f'"c": {{{", ".join(changed)}}}')
        if gone := [name for name in state.values if name not in local]:
            for name in gone:
                del state.values[name]
            parts.append(f'"x": {dumps(gone)}')
        groups = sorted(sorted(names) for names in aliases.values() if len(names) > 1)
        if groups != state.aliases:
            state.aliases = groups
            parts.append(f'"a": {dumps(groups)}')
        return parts

    def _change(self, state: _Frame, name: str, value: Any, kind: type) -> str | None:
        """Returns the literal of a variable that is new or changed, else None."""
        old = state.values.get(name, _UNSEEN)
        if kind in ATOMS:
            if old is value:
                return None
            is_exact = kind is int or kind is str  # equal ones are the same
            if type(old) is kind and (old == value if is_exact else repr(old) == repr(value)):
                return None
            literal = self._literal(value)
            state.values[name] = value  # an atom: keeping it alive changes nothing
            return literal
        form: Any = None
        print_: Any
        if kind in NAMED:
            print_ = (kind, value.__name__)
        else:
            try:  # an array is its bytes here: those of another shape may be the same
                form = (str(value.dtype), value.shape) if is_array(kind) else None
                print_ = fingerprint((form, value))
                self._look(len(print_))
            except ValueError:  # something other than the built-in types
                print_ = None
        if type(old) is not list:
            old = None
        if old is not None and print_ is not None and old[0] == print_:
            return None
        literal = self._literal(value)
        if form is None and '{"object"' in literal:  # arrays within a value
            print_ = None
        self._look(len(literal) * _DEAR)
        unchanged = old is not None and old[1] == literal
        state.values[name] = [print_, literal]
        return None if unchanged else literal

    def _look(self, size: int) -> None:
        self._looks_left -= size
        if self._looks_left < 0:
            raise TooLarge("bytes")

    def _literal(self, value: Any) -> str:
        return encode(value, self._bytes_left)


# a program may replace these
_settrace, _gettrace = sys.settrace, sys.gettrace
_start_new_thread = _thread.start_new_thread


def _replace_starts(start: Any) -> None:
    """Makes `start` what starts threads, also where `threading` is loaded."""
    _thread.start_new_thread = start
    threading = sys.modules.get("threading")
    if type(threading) is types.ModuleType:
        threading._start_new_thread = start  # type: ignore[attr-defined]


_running: list[Tracer] = []


@functools.cache
def _listen() -> None:
    """Hears from now on of what the interpreter audits; a hook can never be removed."""
    sys.addaudithook(_hear)


def _hear(event: str, _: Any) -> None:
    if event == "sys.settrace" and _running:
        _running[0].interfered()


_arguments = BaseException.__dict__["args"].__get__
