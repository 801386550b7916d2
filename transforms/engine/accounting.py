"""Verdicts, rejects and counts: records are kept, rejected or put off here, and tallied.

Pure: neither Beam nor a model is imported. `outcomes` has what counts and splits PCollections.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import Enum, StrEnum
from typing import Any


class Reason(StrEnum):
    """Why the shipped stages reject a record; a stage or check of one's own may use any string."""

    # sources
    UNREADABLE_RECORD = "unreadable_record"
    MISSING_FIELD = "missing_field"
    NOT_CONVERTIBLE = "not_convertible"
    ANSWER_MISMATCH = "answer_mismatch"
    NO_REFERENCE_ANSWER = "no_reference_answer"
    # the model
    REQUEST_FAILED = "request_failed"
    PROMPT_TOO_LONG = "prompt_too_long"
    REFUSED = "refused"
    BAD_JSON = "bad_json"
    TRUNCATED = "truncated"
    EMPTY_RESPONSE = "empty_response"
    NO_PROGRAM = "no_program"
    NO_PROGRAM_AGREES = "no_program_agrees"
    # form
    DOES_NOT_PARSE = "does_not_parse"
    NOT_UNIFIED = "not_unified"
    TOO_SHORT = "too_short"
    UNUSED_INPUT = "unused_input"
    BANNED_IMPORT = "banned_import"
    BANNED_CALL = "banned_call"
    # run: one reason per status of the sandbox that is not `ok`
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    RUNTIME_ERROR = "runtime_error"
    SYNTAX_ERROR = "syntax_error"
    BLOCKED = "blocked"
    CRASHED = "crashed"
    NONDETERMINISTIC = "nondeterministic"
    OUTPUT_NOT_JSON = "output_not_json"
    EMPTY_OUTPUT = "empty_output"
    OUTPUT_TOO_LONG = "output_too_long"
    # meaning
    CONSTANT_OUTPUT = "constant_output"
    COPIES_INPUT = "copies_input"
    TRIVIAL_OVER_SHARE = "trivial_over_share"
    # sameness
    DUPLICATE_ID = "duplicate_id"
    DUPLICATE_PROGRAM = "duplicate_program"
    FINGERPRINT_FULL = "fingerprint_full"
    DUPLICATE_INSTRUCTION = "duplicate_instruction"
    NEAR_DUPLICATE = "near_duplicate"
    COPY_OF_SEED = "copy_of_seed"
    CONTAMINATED = "contaminated"
    SEMANTIC_DUPLICATE = "semantic_duplicate"
    # answerability
    LEAKS_CODE = "leaks_code"
    LEAKS_ANSWER = "leaks_answer"
    MISSING_INPUT_VALUE = "missing_input_value"
    SEVERAL_QUESTIONS = "several_questions"
    NOT_A_QUESTION = "not_a_question"
    OTHER_UNIT = "other_unit"
    # augmentation
    NOT_REDRAWABLE = "not_redrawable"
    UNEXPLAINED_NUMBER = "unexplained_number"
    OTHER_WAY = "other_way"
    AMBIGUOUS_NUMBER = "ambiguous_number"
    IMPLAUSIBLE = "implausible"
    # augmentation and verification
    FALSE_EQUATION = "false_equation"
    # verification
    NO_ANSWER_FOUND = "no_answer_found"
    LOW_AGREEMENT = "low_agreement"
    REPETITIVE = "repetitive"
    NO_REASONING = "no_reasoning"
    OTHER_CONCLUSION = "other_conclusion"
    OTHER_PROBLEM = "other_problem"
    TIED = "tied"


UNANSWERED = "unanswered"
"""The reason of records that are put off: nobody answered a request that decides on them."""


@dataclass(frozen=True)
class Verdict:
    """What is decided of a record: kept (`reason` is None), rejected, or put off."""

    reason: str | None = None
    """A `Reason`, or any string of a user's own."""
    detail: str = ""
    unanswered: bool = False
    """Whether the record is put off, neither kept nor rejected: `resume=true` asks again."""

    @property
    def kept(self) -> bool:
        return self.reason is None


def keep() -> Verdict:
    """Keeps a record."""
    return Verdict()


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
    """A `Reason`, a string of a user's own, or `UNANSWERED`."""
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
        record=json.dumps(asdict(record), ensure_ascii=False, sort_keys=True),
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
