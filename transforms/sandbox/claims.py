"""Turns what was seen of a program from outside, and what it claims, into its Result."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import replace
from enum import StrEnum
from typing import Any, NamedTuple

from transforms.sandbox.harness import MOVED
from transforms.sandbox.jobs import Cell, CellResult, Result, Status, Vary
from transforms.sandbox.settings import SandboxSettings


class Reason(StrEnum):
    """The limit for which a zygote ended a program."""

    WALL = "wall"
    CPU = "cpu"
    OUTPUT = "output"
    MEMORY = "memory"
    """The kernel did, for the slot's control group."""
    FILES = "files"
    """The files to return, or that a session would keep, are too large."""
    LOST = "lost"
    """The state in which a cell was to run is not kept, or does not answer."""


class Seen(NamedTuple):
    """What a zygote saw of a program or a cell, and what that claims."""

    reason: Reason | None
    """Why it was ended from outside; None where it ended by itself, or lives on."""
    exit_code: int | None
    """As `os.waitstatus_to_exitcode` gives it: negative is a signal; None where it lives on."""
    stdout: bytes
    claim: bytes
    """What came over the result channel: untrusted."""
    files: dict[str, bytes]
    wall: float
    cpu: float
    peak_mb: float


_CLAIMABLE = frozenset(
    {
        Status.OK,
        Status.MEMORY_LIMIT,
        Status.OUTPUT_LIMIT,
        Status.RUNTIME_ERROR,
        Status.SYNTAX_ERROR,
        Status.BLOCKED,
    }
)

_ERROR_CHARS = 2_000
_CLAIM_FIELDS = ("input", "output", "error_type", "error", "trace")


def judge(seen: Seen, settings: SandboxSettings) -> Result:
    """Turns what was seen of a program from outside, and its claim, into its Result."""

    def result(status: Status, error: str | None = None, **values: Any) -> Result:
        return Result(
            status=status,
            input=values.get("input"),
            output=values.get("output"),
            stdout=seen.stdout.decode(errors="replace"),
            error_type=values.get("error_type"),
            error=error,
            wall_seconds=seen.wall,
            cpu_seconds=seen.cpu,
            peak_mb=seen.peak_mb,
            trace=values.get("trace"),
            files=seen.files,
        )

    if ended := _ended_outside(seen, settings):
        return result(*ended)
    claim = _read_claim(seen.claim, _CLAIM_FIELDS, ("input", "output", "trace"))
    if seen.exit_code != 0 or claim is None:
        return result(Status.CRASHED, f"ended without a result, exit status {seen.exit_code}")
    for name in ("input", "output"):
        if len((claim[name] or "").encode()) > settings.output_kb << 10:  # of its own making
            return result(Status.OUTPUT_LIMIT, f"{name} is over {settings.output_kb} KiB")
    status = claim.pop("status")
    if status is not Status.OK:
        claim["input"] = claim["output"] = None  # a failed run has none, whatever it claims
    return result(status, claim.pop("error"), **claim)


def judge_varied(vary: Vary, seen: Seen, settings: SandboxSettings) -> Result:
    """Returns the Result of a program under its own input, with the keys that moved its output."""
    claim, ran_well, marks = seen.claim.partition(b"\n")
    if not ran_well or seen.reason is Reason.OUTPUT:
        return judge(seen, settings)
    result = judge(seen._replace(reason=None, exit_code=0, claim=claim), settings)
    moved = (key for (key, _), mark in zip(vary.inputs, marks, strict=False) if mark == MOVED[0])
    return replace(result, moved=frozenset(moved))


def judge_cell(seen: Seen, cell: Cell, replayed: int, settings: SandboxSettings) -> CellResult:
    """Turns what was seen of a cell from outside, and its claim, into its CellResult.

    Args:
        replayed: earlier cells that were run again for it.
    """

    def result(status: Status, error: str | None, **values: Any) -> CellResult:
        lives_on = seen.exit_code is None and status in LEAVES_A_STATE
        return CellResult(
            status=status,
            value=values.get("value"),
            stdout=seen.stdout.decode(errors="replace"),
            error_type=values.get("error_type"),
            error=error,
            after=(*cell.after, cell.code) if lives_on else cell.after,
            wall_seconds=seen.wall,
            cpu_seconds=seen.cpu,
            replayed=replayed,
            files=seen.files if lives_on else {},
        )

    if ended := _ended_outside(seen, settings):
        return result(*ended)
    claim = _read_claim(seen.claim, ("value", "error_type", "error"))
    expected = None if claim and claim["status"] in LEAVES_A_STATE else 0
    if claim is None or seen.exit_code != expected:
        return result(Status.CRASHED, "ended without a result")
    if len((claim["value"] or "").encode()) > settings.output_kb << 10:
        return result(Status.OUTPUT_LIMIT, f"its value is over {settings.output_kb} KiB")
    return result(claim.pop("status"), claim.pop("error"), **claim)


LEAVES_A_STATE = frozenset({Status.OK, Status.RUNTIME_ERROR, Status.BLOCKED})
"""After a cell of another status, a session goes on from where it began."""


def _ended_outside(seen: Seen, settings: SandboxSettings) -> tuple[Status, str] | None:
    """Returns the status of what a limit or signal ended, whatever it claims, and how it ended."""
    reason, exit_code = seen.reason, seen.exit_code or 0
    if reason is Reason.WALL:
        return Status.TIMEOUT, f"over {settings.wall_seconds:g} s of wall time"
    # the kernel's own CPU limit, a second later, is for a zygote that came too late
    killed = exit_code in (-signal.SIGKILL, -signal.SIGXCPU) and seen.cpu >= settings.cpu_seconds
    if reason is Reason.CPU or (reason is None and killed):
        return Status.TIMEOUT, f"over {settings.cpu_seconds:g} s of CPU time"
    if reason is Reason.MEMORY:
        return Status.MEMORY_LIMIT, f"over {settings.memory_mb} MiB in all of its processes"
    if reason is Reason.OUTPUT:
        return Status.OUTPUT_LIMIT, f"wrote over {settings.output_kb} KiB"
    if reason is Reason.FILES:
        return Status.OUTPUT_LIMIT, f"left over {settings.file_mb} MiB of files, or too many"
    if exit_code == -signal.SIGSYS:
        return Status.BLOCKED, "made a system call that is not allowed"
    if exit_code < 0:
        return Status.CRASHED, f"ended by signal {-exit_code}"
    return None


def _read_claim(
    data: bytes, names: tuple[str, ...], json_names: tuple[str, ...] = ()
) -> dict[str, Any] | None:
    """Returns the fields of a well-formed claim, else None: strict JSON, known types only.

    Args:
        names: its fields beside `status`; each is text or absent.
        json_names: those whose text is strict JSON itself.
    """
    try:
        said = json.loads(data)
        status = Status(said["status"])
        fields = {name: said.get(name) for name in names}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if status not in _CLAIMABLE:
        return None
    for name, value in fields.items():
        if value is None:
            continue
        if not isinstance(value, str) or not _encodable(value):
            return None
        if name in json_names and not _is_strict_json(value):
            return None
    for name in ("error_type", "error"):
        fields[name] = fields[name] and fields[name][:_ERROR_CHARS]
    return {"status": status, **fields}


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_STRICT_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


def _is_strict_json(text: str) -> bool:
    """Whether `text` is JSON that any reader takes; numbers, which may be long, stay text."""
    try:
        value = _STRICT_JSON.decode(text)
    except (ValueError, RecursionError):
        return False
    # an escaped lone surrogate parses, but the string it gives cannot be written anywhere
    return not re.search(r"\\ud", text, re.IGNORECASE) or _encodable(
        json.dumps(value, ensure_ascii=False)
    )
