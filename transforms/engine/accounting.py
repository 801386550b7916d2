"""Verdicts, rejects and counts: records are kept, rejected or put off here, and tallied.

Pure: neither Beam nor a model is imported. `outcomes` has what counts and splits PCollections.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from transforms.engine.plain import as_plain

UNANSWERED = "unanswered"
"""The reason of records that are put off: nobody answered a request that decides on them."""


@dataclass(frozen=True)
class Verdict:
    """What is decided of a record: kept (`reason` is None), rejected, or put off."""

    reason: str | None = None
    """One of the reasons that the stage declares."""
    detail: str = ""
    unanswered: bool = False
    """Whether the record is put off, neither kept nor rejected: `resume=true` asks again."""

    @property
    def kept(self) -> bool:
        return self.reason is None


_KEEP = Verdict()


def keep() -> Verdict:
    """Keeps a record."""
    return _KEEP


def reject(reason: str, detail: str = "") -> Verdict:
    """Rejects a record; `detail` says what a person needs to see the reason at a glance."""
    return Verdict(reason, detail)


def put_off(detail: str) -> Verdict:
    """Puts a record off; `detail` quotes the error of the request that stayed unanswered."""
    return Verdict(UNANSWERED, detail, unanswered=True)


Check = Callable[[Any], Verdict]


def first_rejection(checks: Iterable[Check], record: Any) -> Verdict:
    """Applies `checks` in order and returns the first verdict that does not keep, or `keep()`."""
    for check in checks:
        verdict = check(record)
        if not verdict.kept:
            return verdict
    return keep()


@dataclass(frozen=True)
class Reject:
    """A record that was rejected or put off: where, why, and the record itself."""

    id: str
    """The record's own id."""
    stage: str
    reason: str
    """One of the reasons that the stage declares, or `UNANSWERED`."""
    detail: str
    """What a person needs to see the reason at a glance, at most 500 characters."""
    record_type: str
    record: str
    """The whole record, as a JSON string."""
    seed_ids: tuple[str, ...]
    """The seeds behind it; of a record that names none, which is a seed itself, its own id."""


def rejected(stage: str, record: Any, verdict: Verdict) -> Reject:
    """Builds the reject of `record` (a dataclass with an `id`) from the verdict on it.

    Raises ValueError for a verdict that keeps it.
    """
    if verdict.reason is None:
        raise ValueError("a kept record cannot be rejected")
    return Reject(
        id=record.id,
        stage=stage,
        reason=reason_text(verdict.reason),
        detail=verdict.detail[:500],
        record_type=type(record).__name__,
        record=json.dumps(as_plain(record), ensure_ascii=False, sort_keys=True),
        seed_ids=tuple(getattr(record, "seed_ids", (record.id,))),
    )


def reason_text(reason: str) -> str:
    """A reason as plain text: of an enum's member, its value."""
    return str(reason.value if isinstance(reason, Enum) else reason)


@dataclass(frozen=True)
class Tally:
    """An amount to be summed into the manifest, such as (solve, rejected, timeout, 1)."""

    stage: str
    what: str
    key: str
    amount: int


@dataclass(frozen=True)
class StageCount:
    """The account of one stage: in = kept + rejected + unanswered, or the run fails."""

    entered: int
    kept: int
    rejected: dict[str, int]
    """By reason."""
    unanswered: int = 0

    @property
    def balanced(self) -> bool:
        return self.entered == self.kept + sum(self.rejected.values()) + self.unanswered
