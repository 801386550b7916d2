"""Programs are found in what models write around them."""

import pytest

from transforms.accounting import Reason
from transforms.generation.requests import ErrorKind, Response
from transforms.responses import extract_program, judge_program, judge_response

PROGRAM = """input = {"a": 1}

def solution(a):
    return a + 1

output = solution(**input)
"""


def response(text, finish_reason="stop", error=None, kind=None):
    return Response(
        id="r",
        stage="sample",
        model="m",
        engine="e",
        text=text,
        finish_reason=finish_reason,
        error=error,
        prompt_tokens=1,
        generated_tokens=9,
        seconds=0.1,
        error_kind=kind,
    )


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM,
        f"```python\n{PROGRAM}```",
        f"Here it is:\n\n```python\n{PROGRAM}```\nIt adds one.",
        f"{PROGRAM}\n\n# Problem 6\ninput = {{",
        f"{PROGRAM}print(output)\n",
        f"First try:\n```python\nx = 1\n```\nBetter:\n```python\n{PROGRAM}```",
    ],
    ids=["bare", "fenced", "explained", "next example", "printed", "last block"],
)
def test_the_program_is_cut_out_of_the_response(text):
    assert extract_program(text) == PROGRAM


@pytest.mark.parametrize(
    "head",
    [
        "import math\n",
        "from math import gcd\n\n",
        "# tickets and their price\n",
        '"""Tickets\ninput = none\n"""\n',
        "MOD = 10**9 + 7\n",
        "def helper(n):\n    return n\n\n",
        "@cache\ndef helper(n):\n    return n\n\n",
        "class Tree:\n    pass\n\n",
    ],
)
@pytest.mark.parametrize("said", ["", "Sure, from what I know:\n\nx = 3 and\n"])
def test_what_stands_before_the_input_belongs_to_the_program(said, head):
    assert extract_program(said + head + PROGRAM) == head + PROGRAM


def test_annotated_names_are_found():
    program = PROGRAM.replace("input =", "input: dict =").replace("output =", "output: int =")
    assert extract_program(program + "print(output)\n") == program


@pytest.mark.parametrize("text", ["", "I cannot do that.", 'input = {"a": 1}\n\ndef solution(a):'])
def test_there_is_no_program_where_output_is_never_assigned(text):
    assert extract_program(text) is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (response("", error="HTTP 400"), Reason.REQUEST_FAILED),
        (response("", error="HTTP 400", kind=ErrorKind.INVALID), Reason.REQUEST_FAILED),
        (response("", error="long", kind=ErrorKind.TOO_LONG), Reason.PROMPT_TOO_LONG),
        (response("", error="no", kind=ErrorKind.REFUSED), Reason.REFUSED),
        (response("{", error="JSON", kind=ErrorKind.BAD_JSON), Reason.BAD_JSON),
        (response(" \n"), Reason.EMPTY_RESPONSE),
        (response("The answer", "length"), Reason.TRUNCATED),
    ],
)
def test_a_response_without_a_whole_text_is_rejected(given, reason):
    assert judge_response(given).reason is reason


@pytest.mark.parametrize("kind", list(ErrorKind))
def test_a_request_that_nobody_answered_puts_its_record_off_and_any_other_failure_rejects(kind):
    for verdict in (
        judge_response(response("", error="it broke", kind=kind)),
        judge_program(response("", error="it broke", kind=kind))[1],
    ):
        assert not verdict.kept and "it broke" in verdict.detail
        assert verdict.unanswered is (kind in (ErrorKind.TIMEOUT, ErrorKind.SERVER_ERROR))


def test_a_whole_program_in_a_response_that_was_cut_off_is_kept():
    code, verdict = judge_program(response(PROGRAM + "\n# Problem 6\ninp", "length"))
    assert verdict.kept and code == PROGRAM


def test_a_program_that_was_cut_off_is_truncated_rather_than_missing():
    _, verdict = judge_program(response(PROGRAM[:40], "length"))
    assert verdict.reason is Reason.TRUNCATED


def test_a_response_without_a_program_is_kept_as_text_for_the_reject():
    code, verdict = judge_program(response("I cannot."))
    assert verdict.reason is Reason.NO_PROGRAM and code == "I cannot."
