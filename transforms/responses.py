"""From a model's response to what a stage wanted: a verdict on it, and the program in it."""

from __future__ import annotations

import re

from transforms.accounting import Reason, Verdict, keep, put_off, reject
from transforms.generation.requests import ErrorKind, Response

_REASONS: dict[ErrorKind | None, Reason] = {
    ErrorKind.TOO_LONG: Reason.PROMPT_TOO_LONG,
    ErrorKind.REFUSED: Reason.REFUSED,
    ErrorKind.BAD_JSON: Reason.BAD_JSON,
    ErrorKind.INVALID: Reason.REQUEST_FAILED,
}

_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_FIRST_LINE = re.compile(
    r"^(?:import |from \S+ import |def \w|class \w+.*:|@\w|input\s*(?::[^=\n]*)?="
    r"|[A-Z][A-Z0-9_]*\s*=|#|\"{3}|'{3})",
    re.MULTILINE,
)
"""A program may begin with helpers and constants; a line of prose such as `x = 3` begins none."""
_LAST_LINE = re.compile(r"^output\s*(?::[^=\n]*)?=.*$", re.MULTILINE)


def judge_response(response: Response) -> Verdict:
    """Rejects a response without text or cut off at its limit, and a request that failed.

    A request that stayed unanswered puts its record off: nothing is known of either.
    """
    if response.error is not None:
        if response.unanswered:
            return put_off(f"{response.error_kind}: {response.error}")
        return reject(_REASONS.get(response.error_kind, Reason.REQUEST_FAILED), response.error)
    if not response.text.strip():
        return reject(Reason.EMPTY_RESPONSE)
    if response.finish_reason == "length":
        return reject(Reason.TRUNCATED, f"{response.generated_tokens} tokens")
    return keep()


def extract_program(text: str) -> str | None:
    """Returns the unified program in a response, or None where there is none.

    A fenced block that assigns `output` is preferred (the last one: chat models correct
    themselves); otherwise the text from its first line of code. Text after the line that assigns
    `output` is dropped: models go on to a next example.
    """
    fenced = [block for block in _FENCE.findall(text) if _LAST_LINE.search(block)]
    body = fenced[-1] if fenced else text
    first, last = _FIRST_LINE.search(body), None
    for last in _LAST_LINE.finditer(body):
        if "solution" in last.group():
            break
    if first is None or last is None or last.end() <= first.start():
        return None
    return body[first.start() : last.end()].rstrip() + "\n"


def judge_program(response: Response) -> tuple[str, Verdict]:
    """Returns the program in a response and `keep()`, or its raw text and the verdict on it.

    A response cut off at its limit is kept where the program in it is whole.
    """
    verdict = judge_response(response)
    if not verdict.kept and verdict.reason is not Reason.TRUNCATED:
        return response.text, verdict
    code = extract_program(response.text)
    if code is not None:
        return code, keep()
    if not verdict.kept:
        return response.text, verdict
    return response.text, reject(Reason.NO_PROGRAM, response.text[:200])
