"""Each check on a program rejects what its name says, with its own reason."""

import pytest

from tests.programs_for_tests import FILTER, SPAM, execution, program
from transforms.programs import checks
from transforms.programs.checks import (
    DependsOnInput,
    DoesNotCopyInput,
    FormOf,
    FormReason,
    HasOutput,
    MeaningReason,
    OutputReason,
    RanWell,
    form_checks,
    trivial_kind,
)

FORM = FormOf(form_checks(FILTER))


def test_a_good_program_passes_every_check_of_form():
    assert FORM(program(SPAM)).kept


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("def solution(", "def solution(("), FormReason.DOES_NOT_PARSE),
        (("\0", "\0"), FormReason.DOES_NOT_PARSE),
        (("output = solution(**input)", "print(solution(**input))"), FormReason.NOT_UNIFIED),
        (("def solution", "def solve"), FormReason.NOT_UNIFIED),
        (("    answered = emails - spam\n    return answered * days", "    return spam"), None),
        (("return answered * days", "return answered"), FormReason.UNUSED_INPUT),
        (("def solution", "import os\n\ndef solution"), FormReason.BANNED_IMPORT),
        (("    spam =", "    open('/etc/passwd')\n    spam ="), FormReason.BANNED_CALL),
        (("    spam =", "    ().__class__.__base__\n    spam ="), FormReason.BANNED_CALL),
    ],
)
def test_a_program_of_bad_form_is_rejected_with_its_reason(change, reason):
    old, new = change
    code = SPAM + "\0" if old == "\0" else SPAM.replace(old, new)
    expected = reason or FormReason.TOO_SHORT
    assert FORM(program(code)).reason is expected


def test_the_reason_names_the_unused_input():
    verdict = FORM(program(SPAM.replace("answered * days", "answered")))
    assert verdict.detail == "days"


def test_a_form_that_was_judged_is_not_read_again(monkeypatch: pytest.MonkeyPatch):
    wrong = program(SPAM.replace("answered * days", "answered"))
    verdicts = FORM(program(SPAM)), FORM(wrong)
    monkeypatch.setattr(checks, "source_of", None)
    assert (FORM(program(SPAM)), FORM(wrong)) == verdicts
    with pytest.raises(TypeError):  # other checks
        FormOf(form_checks(FILTER)[:2])(program(SPAM))


@pytest.mark.parametrize(
    "status",
    [
        "timeout",
        "memory_limit",
        "output_limit",
        "runtime_error",
        "syntax_error",
        "blocked",
        "crashed",
        "nondeterministic",
    ],
)
def test_a_run_that_did_not_end_well_is_rejected_with_its_status(status):
    assert RanWell()(execution(status=status)).reason == status


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, OutputReason.OUTPUT_NOT_JSON),
        ("null", OutputReason.EMPTY_OUTPUT),
        ('""', OutputReason.EMPTY_OUTPUT),
        ("[]", OutputReason.EMPTY_OUTPUT),
        ("{}", OutputReason.EMPTY_OUTPUT),
        ("1" * 1001, OutputReason.OUTPUT_TOO_LONG),
        ("0", None),
        ("false", None),
    ],
)
def test_an_output_must_be_json_not_empty_and_short(output, reason):
    assert HasOutput(1000)(execution(output=output)).reason is reason


def test_a_program_that_no_perturbed_input_moves_is_a_constant():
    assert DependsOnInput()(execution()).reason is MeaningReason.CONSTANT_OUTPUT
    assert DependsOnInput()(execution(sensitive_keys=("days",))).kept


def test_a_program_that_hands_one_input_back_and_looks_at_nothing_else_is_a_copy():
    check = DoesNotCopyInput()
    assert (
        check(execution(output="160", sensitive_keys=("emails",))).reason
        is MeaningReason.COPIES_INPUT
    )
    assert check(execution(output="160", sensitive_keys=("days", "emails"))).kept
    assert check(execution(output="161", sensitive_keys=("emails",))).kept


def test_an_answer_of_many_digits_is_read():
    long = execution(output="7" * 9_999, sensitive_keys=("days",))
    assert DoesNotCopyInput()(long).kept and trivial_kind(long) is None


@pytest.mark.parametrize("output", ["true", "false", '"Yes"', '"no"'])
def test_yes_and_no_are_trivial(output):
    assert trivial_kind(execution(output=output)) == "yes_no"


def test_an_answer_that_stands_in_the_input_is_trivial():
    assert trivial_kind(execution(output="160")) == "input_value"
    assert trivial_kind(execution(output="160.0")) is None


@pytest.mark.parametrize("output", ["0", "1", '"yesterday"', "[true]"])
def test_other_answers_are_not(output):
    assert trivial_kind(execution(output=output)) is None
