"""The checks on programs: pure functions of one record, each with its own reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from pydantic import Field

from transforms import programs
from transforms.engine.accounting import Check, Verdict, first_rejection, keep, reject
from transforms.engine.records import Execution
from transforms.engine.settings import Group
from transforms.programs.source import Source, source_of
from transforms.sandbox.sandbox import Status


class FilterSettings(Group):
    """Which programs are kept."""

    min_code_lines: int = Field(
        ge=1, description="lines that are neither blank, comment nor import"
    )
    max_output_chars: int = Field(ge=1, description="longest output, characters of JSON")
    max_trivial_share: float = Field(
        ge=0,
        le=1,
        description="share of kept programs with one kind of trivial answer: yes/no, or equal to "
        "an input value",
    )
    max_perturbed_keys: int = Field(
        ge=1, description="input keys that are perturbed, one at a time, until the output changes"
    )


class FormReason(StrEnum):
    """Why the text of a program is refused before it runs."""

    DOES_NOT_PARSE = "does_not_parse"
    NOT_UNIFIED = "not_unified"
    TOO_SHORT = "too_short"
    UNUSED_INPUT = "unused_input"
    BANNED_IMPORT = "banned_import"
    BANNED_CALL = "banned_call"


class OutputReason(StrEnum):
    """Why the output of a program is no answer."""

    OUTPUT_NOT_JSON = "output_not_json"
    EMPTY_OUTPUT = "empty_output"
    OUTPUT_TOO_LONG = "output_too_long"


RUN_REASONS = (*(status for status in Status if status is not Status.OK), *OutputReason)
"""Why a run is of no use: it did not end well, or what it gave is no answer."""


class MeaningReason(StrEnum):
    """Why a program is taken to compute nothing."""

    CONSTANT_OUTPUT = "constant_output"
    COPIES_INPUT = "copies_input"
    TRIVIAL_OVER_SHARE = "trivial_over_share"


@dataclass(frozen=True)
class Parses:
    """Rejects text that is no Python."""

    def __call__(self, source: Source) -> Verdict:
        try:
            _ = source.tree
        except programs.Unparsable as error:
            return reject(FormReason.DOES_NOT_PARSE, str(error))
        return keep()


@dataclass(frozen=True)
class IsUnified:
    """Rejects programs without a dict `input`, a `solution` and an `output`."""

    def __call__(self, source: Source) -> Verdict:
        if not programs.is_unified(source.tree):
            return reject(FormReason.NOT_UNIFIED, "needs input = {...}, def solution, output = ...")
        return keep()


@dataclass(frozen=True)
class HasEnoughLines:
    """Rejects programs too short to be a chain of thought (Caco asks for 6 lines)."""

    least: int

    def __call__(self, source: Source) -> Verdict:
        lines = programs.code_lines(source.code, source.by_type)
        return reject(FormReason.TOO_SHORT, f"{lines} lines") if lines < self.least else keep()


@dataclass(frozen=True)
class UsesEveryInput:
    """Rejects programs that ignore part of their own input."""

    def __call__(self, source: Source) -> Verdict:
        unused = programs.unused_inputs(source.tree, source.names)
        return reject(FormReason.UNUSED_INPUT, ", ".join(sorted(unused))) if unused else keep()


@dataclass(frozen=True)
class NothingBanned:
    """Rejects imports and calls that only waste a run: the sandbox is the guard, not this."""

    def __call__(self, source: Source) -> Verdict:
        found = programs.banned(source.tree, source.names)
        if found is None:
            return keep()
        kind, name = found
        return reject(
            FormReason.BANNED_IMPORT if kind == "import" else FormReason.BANNED_CALL, name
        )


def form_checks(settings: FilterSettings) -> tuple[Check, ...]:
    """The checks of a program's text, in the order they are applied."""
    return (
        Parses(),
        IsUnified(),
        HasEnoughLines(settings.min_code_lines),
        UsesEveryInput(),
        NothingBanned(),
    )


_MOST_JUDGED = 50_000
_judged: dict[tuple[tuple[Check, ...], bytes], Verdict] = {}
"""Verdicts on forms by checks and digest of the text, 200 bytes each. A program that is run ahead
is judged twice, all others between: by then its tree, which is large, is gone."""


@dataclass(frozen=True)
class FormOf:
    """Applies checks of form to any record with `code`."""

    checks: tuple[Check, ...]

    def __call__(self, record: Any) -> Verdict:
        text = record.code.encode("utf-8", "surrogatepass")
        key = self.checks, blake2b(text, digest_size=16).digest()
        if (verdict := _judged.get(key)) is None:
            if len(_judged) >= _MOST_JUDGED:
                _judged.clear()
            verdict = _judged[key] = first_rejection(self.checks, source_of(record.code))
        return verdict


@dataclass(frozen=True)
class RanWell:
    """Rejects runs that the sandbox did not call `ok`; the reason is the status."""

    def __call__(self, execution: Execution) -> Verdict:
        if execution.status == Status.OK:
            return keep()
        return reject(execution.status, execution.error or "")


@dataclass(frozen=True)
class HasOutput:
    """Rejects outputs that are not JSON, empty, or too long to be an answer."""

    most_chars: int

    def __call__(self, execution: Execution) -> Verdict:
        if execution.output is None or execution.input is None:
            return reject(OutputReason.OUTPUT_NOT_JSON, execution.error or "")
        if execution.output in ("null", '""', "[]", "{}"):
            return reject(OutputReason.EMPTY_OUTPUT, execution.output)
        if len(execution.output) > self.most_chars:
            return reject(OutputReason.OUTPUT_TOO_LONG, f"{len(execution.output)} characters")
        return keep()


def run_checks(settings: FilterSettings) -> tuple[Check, ...]:
    """The checks of a program's run."""
    return RanWell(), HasOutput(settings.max_output_chars)


@dataclass(frozen=True)
class DependsOnInput:
    """Rejects programs whose output no perturbed input changes: constants in disguise."""

    def __call__(self, execution: Execution) -> Verdict:
        if execution.sensitive_keys:
            return keep()
        return reject(MeaningReason.CONSTANT_OUTPUT, f"output is always {execution.output}"[:200])


@dataclass(frozen=True)
class DoesNotCopyInput:
    """Rejects programs that hand an input value back and look at nothing else."""

    def __call__(self, execution: Execution) -> Verdict:
        keys = execution.sensitive_keys or ()
        if len(keys) != 1:
            return keep()
        inputs = json.loads(execution.input or "{}")
        output = json.loads(execution.output or "null")
        if inputs and _same(inputs.get(keys[0]), output):
            return reject(MeaningReason.COPIES_INPUT, keys[0])
        return keep()


def meaning_checks() -> tuple[Check, ...]:
    """The checks of what a program computes, once its input was perturbed."""
    return DependsOnInput(), DoesNotCopyInput()


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def is_yes_no(output: str) -> bool:
    """Whether an output, as JSON, is one of two values."""
    return output.lower() in ("true", "false", '"yes"', '"no"', '"true"', '"false"')


def trivial_kind(execution: Execution) -> str | None:
    """Names what makes an answer easy to hit without solving anything; None where nothing does.

    `yes_no`: one of two values. `input_value`: equal to a value of the input, though computed
    from more than that (the larger of two numbers, say).
    """
    output = execution.output or "null"
    if is_yes_no(output):
        return "yes_no"
    inputs = json.loads(execution.input or "{}")
    values = inputs.values() if isinstance(inputs, dict) else ()
    answer = json.loads(output)
    return "input_value" if any(_same(value, answer) for value in values) else None
