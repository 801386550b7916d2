"""Runs one untrusted program inside its own process and states what it left behind.

It imports nothing of cotmill but its neighbours, and whatever it says is the program's own claim,
because the program shares its process. Limits and walls stand already when it is called.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import datetime
import errno
import gc
import hashlib
import json
import os
import random
import reprlib
import sys
import time
import types
from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction
from typing import Any

from transforms.sandbox.tracer import Tracer

_REFUSALS = frozenset(
    {
        errno.EPERM,
        errno.EACCES,
        errno.EROFS,
        errno.ENOSPC,
        errno.EFBIG,
        errno.EMFILE,
        errno.EAGAIN,
        errno.ENOSYS,
        errno.ENETUNREACH,
    }
)
"""What the kernel answers when a limit or an isolation layer says no."""

_ERROR_CHARS = 2_000

PROGRAM = "<program>"
"""File name of the program, in its tracebacks and traces."""


class NotJSON(Exception):
    """A value has no strict JSON form; the message names its type."""


def strict_json(value: Any) -> str:
    """Returns `value` as strict JSON: finite numbers, string keys, no lone surrogates.

    Tuples become lists, sets sorted lists, numpy scalars and arrays plain Python, fractions,
    decimals, dates and times their text, and keys that are numbers, booleans or None their JSON
    text.

    Raises:
        NotJSON: the value, or one inside it, is something else.
    """
    try:
        text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)
        text.encode()
    except RecursionError:
        raise NotJSON(f"{type(value).__name__} nested too deeply") from None
    except UnicodeEncodeError:
        raise NotJSON("str with a lone surrogate") from None
    return text


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        number = float(value)
        if number - number != 0:
            raise NotJSON(f"float {number}")
        return number
    if isinstance(value, dict):
        plain = {_key(key): _plain(item) for key, item in value.items()}
        if len(plain) != len(value):
            raise NotJSON("dict with keys that are one in JSON")
        return plain
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return _in_order([_plain(item) for item in value])
    if isinstance(value, Decimal) and not value.is_finite():
        raise NotJSON(f"Decimal {value}")
    if isinstance(value, (Fraction, Decimal, datetime.date, datetime.time)):
        return str(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray)):
        python = value.tolist()
        if type(python) is not type(value):  # an array of objects can hold anything
            return _plain(python)
    raise NotJSON(type(value).__name__)


def _key(key: Any) -> str:
    plain = _plain(key)
    if isinstance(plain, str):
        return plain
    if plain is None or isinstance(plain, (int, float)):
        return json.dumps(plain)
    raise NotJSON(f"dict with a key of type {type(key).__name__}")


def _in_order(items: list[Any]) -> list[Any]:
    if all(isinstance(item, (int, float)) for item in items):
        return sorted(items)
    if all(isinstance(item, str) for item in items):
        return sorted(items)
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def seed_generators(seed: int, code: str, seeded: Collection[str] = ()) -> set[str]:
    """Seeds `random`, and the global generators of numpy and sympy where `code` names them.

    Args:
        seeded: the modules whose generators are left as they are.

    Returns:
        The modules whose generators are seeded now, the earlier ones included.
    """
    now = {name for name in ("numpy", "sympy") if name in code} | {"random"} | {*seeded}
    fresh = now.difference(seeded)
    if "random" in fresh:
        random.seed(seed)
    with contextlib.suppress(ImportError):  # the program will say so itself
        if "numpy" in fresh:
            import numpy

            numpy.random.seed(seed % 2**32)
        if "sympy" in fresh:
            import sympy.core.random

            sympy.core.random.seed(seed)
    return now


_CLOCK_SHIFT = datetime.timedelta(days=2_011, hours=7, minutes=43)


def shift_clock() -> None:
    """Makes `time` and `datetime` of this interpreter tell another year, month, day and hour.

    Under the second hash seed, so that a program whose output follows the calendar is found
    nondeterministic however soon it is run again. The methods of the C types can be replaced in no
    way but through the dict behind the type.
    """
    seconds = _CLOCK_SHIFT.total_seconds()
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds) * 10**9
    for name in ("localtime", "gmtime", "ctime"):
        real = getattr(time, name)
        setattr(time, name, lambda at=None, real=real: real(time.time() if at is None else at))
    format_time = time.strftime
    time.strftime = lambda form, at=None: format_time(form, at or time.localtime())

    def shifted(cls: type, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), tz)  # type: ignore[attr-defined]

    def today(cls: type) -> datetime.date:
        return cls.fromtimestamp(time.time())  # type: ignore[attr-defined]

    def utcnow(cls: type) -> datetime.datetime:
        return cls.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)  # type: ignore[attr-defined]

    for type_, methods in (
        (datetime.datetime, {"now": shifted, "today": today, "utcnow": utcnow}),
        (datetime.date, {"today": today}),
    ):
        (attributes,) = gc.get_referents(type_.__dict__)
        for name, method in methods.items():
            attributes[name] = classmethod(method)
        ctypes.pythonapi.PyType_Modified(ctypes.py_object(type_))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def perform(job: dict[str, Any], claim_descriptor: int, output_bytes: int) -> None:
    """Runs the job in this process and ends the process; never returns.

    Args:
        job: code, seed, and trace: null or {events, bytes}.
        claim_descriptor: where the claim is written, as JSON.
        output_bytes: cap on the JSON of the program's input and output, each.
    """
    sys.set_int_max_str_digits(0)  # long integers are wanted; the CPU limit bounds their cost
    seed_generators(job["seed"], job["code"])
    trace = job["trace"]
    tracer = Tracer(PROGRAM, trace["events"], trace["bytes"]) if trace else None
    process = os.getpid()
    claim = execute(job["code"], output_bytes, tracer)
    if os.getpid() != process:  # a child that the program forked came back here as well
        os._exit(0)
    if tracer:
        claim["trace"] = tracer.report()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    _write_all(claim_descriptor, json.dumps(claim).encode())
    os._exit(0)  # threads, exit handlers and finalizers of the program have no say any more


def execute(code: str, output_bytes: int, tracer: Tracer | None) -> dict[str, Any]:
    """Runs `code` as `__main__` and returns its claim.

    Returns:
        status, error_type, error, and input and output as JSON strings (None where the program
        defines none, or where it is not JSON: then error_type is NotJSON and error its type).
    """
    try:
        compiled = compile(code, PROGRAM, "exec", dont_inherit=True)
    except UNCOMPILABLE as error:
        return _claim("syntax_error", error)
    return _run(compiled, {}, output_bytes, tracer)


UNCOMPILABLE = (SyntaxError, ValueError, RecursionError, OverflowError, MemoryError)
"""MemoryError is also what the parser says of nesting that is too deep."""


def _run(
    compiled: types.CodeType, variables: dict[str, Any], output_bytes: int, tracer: Tracer | None
) -> dict[str, Any]:
    main = types.ModuleType("__main__")
    main.__dict__.update(variables)
    sys.modules["__main__"] = main
    try:
        try:
            if tracer:
                tracer.start()
            exec(compiled, main.__dict__)
        except SystemExit as leaving:
            if leaving.code not in (None, 0):
                raise
        finally:
            if tracer:
                tracer.stop()
        sys.stdout.flush()
        return _claim_values(main.__dict__, output_bytes)
    except MemoryError:
        main.__dict__.clear()  # make room for the claim itself
        return {"status": "memory_limit", "error_type": "MemoryError"}
    except BaseException as error:
        return _claim(status_of(error), error)


def status_of(error: BaseException) -> str:
    """Returns the status of a program that ended with this exception."""
    if isinstance(error, MemoryError):
        return "memory_limit"
    if isinstance(error, SystemError) and "error return without exception set" in str(error):
        return "memory_limit"  # the interpreter had no memory left for a MemoryError
    if not isinstance(error, OSError):
        return "runtime_error"
    if error.errno == errno.ENOMEM:
        return "memory_limit"
    return "blocked" if error.errno in _REFUSALS else "runtime_error"


SAME, MOVED, SKIPPED = b"=", b"!", b"-"
"""What one other input did to the output; skipped: its key had moved it already, or it failed."""

_INPUT, _COMPARE = "__other_input__", "__compared__"


def vary(job: dict[str, Any], done: bytes, claim_descriptor: int, output_bytes: int) -> None:
    """Runs a program under its own input and then under others, and ends the process.

    The claim is that of `perform`; where the program ended well, a line break follows, and then a
    mark for each other input. They share the process, so what one of them leaves behind can change
    what another gives: it is the same program's own doing, and modules of its own and generators
    begin anew each time.

    Args:
        job: code, seed, and vary: inputs [[key, literal]], comparisons (see `Vary`).
        done: the claim until now, of processes that ended before the last input; empty for the
            first process.
        claim_descriptor: where each part of the claim is written as soon as it is known.
    """
    sys.set_int_max_str_digits(0)
    plan = job["vary"]
    process = os.getpid()

    def alone(claim: dict[str, Any]) -> dict[str, Any]:
        if os.getpid() != process:  # a child that the program forked came back here as well
            os._exit(0)
        return claim

    before, _, marks = done.partition(b"\n")
    if done:
        own = json.loads(before)
    else:
        seed_generators(job["seed"], job["code"])
        own = alone(execute(job["code"], output_bytes, None))
        end = b"\n" if own["status"] == "ok" else b""
        _write_all(claim_descriptor, json.dumps(own).encode() + end)
        if not end:
            os._exit(0)
        os.dup2(2, 1)  # where nobody reads what it prints
    watch = _Comparisons() if plan["comparisons"] else None

    def outcome(program: types.CodeType, **variables: Any) -> tuple[str, bytes] | None:
        """The output and the digest of what was compared; None where it does not end well."""
        seed_generators(job["seed"], job["code"])
        if watch:
            variables[_COMPARE] = watch.begin()
        claim = alone(_run(program, variables, output_bytes, None))
        if claim["status"] != "ok" or "output" not in claim:
            return None
        return claim["output"], watch.seen() if watch else b""

    expected, tree = (own.get("output"), b""), ast.parse(job["code"])
    if watch:
        wrapped = watch.wrapped(ast.parse(job["code"]))
        if found := outcome(compile(wrapped, PROGRAM, "exec", dont_inherit=True)):
            expected, tree = found, wrapped
        else:
            watch = None
    varied = compile(_with_input_given(tree), PROGRAM, "exec", dont_inherit=True)
    inputs = plan["inputs"]
    moved = {key for (key, _), mark in zip(inputs, marks, strict=False) if mark == MOVED[0]}
    skipped = b""
    for key, literal in inputs[len(marks) :]:
        if key in moved:  # told together: who reads it wakes up for each part of the claim
            skipped += SKIPPED
            continue
        _write_all(claim_descriptor, skipped)
        mark, skipped = SKIPPED, b""
        with contextlib.suppress(*UNCOMPILABLE):
            found = outcome(varied, **{_INPUT: ast.literal_eval(literal)})
            if found is not None:
                mark = SAME if found == expected else MOVED
        if mark == MOVED:
            moved.add(key)
        os.write(claim_descriptor, mark)
    _write_all(claim_descriptor, skipped)
    os._exit(0)


def _with_input_given(tree: ast.Module) -> ast.Module:
    """Replaces what the program assigns to its top-level `input` by a variable."""
    for statement in tree.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        if any(isinstance(target, ast.Name) and target.id == "input" for target in targets):
            statement.value = ast.Name(_INPUT, ast.Load())  # type: ignore[attr-defined]
    return ast.fix_missing_locations(tree)


class _Comparisons(ast.NodeTransformer):
    """Notes the values that a program compares, of those types whose text is their value."""

    _PLAIN = (int, float, str, bytes, bool, type(None))
    _MOST = 20_000
    """Comparisons noted, at most."""

    def wrapped(self, tree: ast.Module) -> ast.Module:
        """Returns the program with each operand of its comparisons handed through a function."""
        return ast.fix_missing_locations(self.visit(tree))

    def visit_Compare(self, node: ast.Compare) -> ast.Compare:
        self.generic_visit(node)
        operands: list[ast.expr] = [
            ast.Call(ast.Name(_COMPARE, ast.Load()), [operand], [])
            for operand in (node.left, *node.comparators)
        ]
        node.left, *node.comparators = operands
        return node

    def begin(self) -> Any:
        """Forgets what was seen, and returns the function that notes a value and returns it."""
        digest, left = hashlib.blake2b(digest_size=16), self._MOST
        self._digest = digest

        def note(value: Any) -> Any:
            nonlocal left
            if left > 0:
                left -= 1
                items = value if type(value) in (list, tuple) else (value,)
                if len(items) <= 100 and all(type(item) in self._PLAIN for item in items):
                    digest.update(reprlib.repr(value).encode(errors="replace"))
            return value

        return note

    def seen(self) -> bytes:
        return self._digest.digest()


def _claim_values(variables: dict[str, Any], output_bytes: int) -> dict[str, Any]:
    claim = _claim("ok", None)
    for name in ("input", "output"):
        if name not in variables:
            continue
        try:
            text = strict_json(variables[name])
        except NotJSON as error:
            claim["error_type"], claim["error"] = "NotJSON", f"{name}: {error}"
            continue
        if len(text.encode()) > output_bytes:
            return {"status": "output_limit", "error": f"{name} is over the size limit"}
        claim[name] = text
    return claim


def _claim(status: str, error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return {"status": status}
    try:
        message = str(error)
    except BaseException:  # an exception of the program's own, with a __str__ of its own
        message = ""
    message = message[:_ERROR_CHARS].encode(errors="replace").decode()
    return {"status": status, "error_type": type(error).__name__[:100], "error": message}
