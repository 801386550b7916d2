"""Runs one untrusted program inside its own process and states what it left behind.

This file is handed to a fresh interpreter as a script: it imports nothing of cotmill, and whatever
it says is the program's own claim, because the program shares its process.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import resource
import sys
import types
from typing import Any

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
_STACK_BYTES = 64 << 20
"""Main thread's stack: recursion through C code (sympy's) needs more than the usual 8 MiB."""


class NotJSON(Exception):
    """A value has no strict JSON form; the message names its type."""


def strict_json(value: Any) -> str:
    """Returns `value` as strict JSON: finite numbers, string keys, no lone surrogates.

    Tuples become lists, sets sorted lists, numpy scalars and arrays plain Python, and keys that are
    numbers, booleans or None their JSON text.

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


def limit(limits: dict[str, int]) -> None:
    """Applies rlimits to this process for good: hard as well as soft."""
    with open("/proc/self/statm") as statm:
        present = int(statm.read().split()[0]) * resource.getpagesize()
    for which, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_STACK, _STACK_BYTES),
        (resource.RLIMIT_FSIZE, limits["file_mb"] << 20),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        # the program's own: what the interpreter maps already is not charged to it
        (resource.RLIMIT_AS, present + (limits["memory_mb"] << 20)),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
    ):
        resource.setrlimit(which, (value, value))


def seed_generators(seed: int, code: str) -> None:
    """Seeds `random`, and numpy's global generator where `code` names numpy."""
    random.seed(seed)
    if "numpy" in code:
        try:
            import numpy
        except ImportError:  # the program will say so itself
            return
        numpy.random.seed(seed % 2**32)


def execute(code: str, output_bytes: int) -> dict[str, Any]:
    """Runs `code` as `__main__` and returns its claim.

    Returns:
        status, error_type, error, and input and output as JSON strings (None where the program
        defines none, or where it is not JSON: then error_type is NotJSON and error its type).
    """
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.set_int_max_str_digits(0)  # long integers are wanted; the CPU limit bounds their cost
    try:
        compiled = compile(code, "<program>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, OverflowError) as error:
        return _claim("syntax_error", error)
    except MemoryError as error:  # the parser says so of nesting that is too deep
        return _claim("syntax_error", error)
    try:
        try:
            exec(compiled, main.__dict__)
        except SystemExit as leaving:
            if leaving.code not in (None, 0):
                raise
        sys.stdout.flush()
        claim = _claim("ok", None)
        for name in ("input", "output"):
            claim[name] = None
            if name not in main.__dict__:
                continue
            try:
                text = strict_json(main.__dict__[name])
            except NotJSON as error:
                claim["error_type"], claim["error"] = "NotJSON", f"{name}: {error}"
                continue
            if len(text.encode()) > output_bytes:
                return {"status": "output_limit", "error": f"{name} is over the size limit"}
            claim[name] = text
        return claim
    except MemoryError as error:
        return _claim("memory_limit", error)
    except OSError as error:
        return _claim("blocked" if error.errno in _REFUSALS else "runtime_error", error)
    except BaseException as error:
        return _claim("runtime_error", error)


def _claim(status: str, error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return {"status": status}
    try:
        message = str(error)
    except BaseException:  # an exception of the program's own, with a __str__ of its own
        message = ""
    message = message[:_ERROR_CHARS].encode(errors="replace").decode()
    return {"status": status, "error_type": type(error).__name__[:100], "error": message}


def main() -> None:
    """Reads the job from stdin, runs it, and writes the claim to the descriptor it names."""
    job = json.loads(sys.stdin.buffer.read())
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    seed_generators(job["seed"], job["code"])
    limit(job["limits"])
    claim = execute(job["code"], job["limits"]["output_kb"] << 10)
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    data = json.dumps(claim).encode()
    while data:
        data = data[os.write(job["result_fd"], data) :]
    os._exit(0)  # threads, exit handlers and finalizers of the program have no say any more


if __name__ == "__main__":
    main()
