"""From a model's response to what a stage wanted: a verdict on it, and the program in it."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from transforms.engine.accounting import Verdict, keep, put_off, reject
from transforms.engine.records import Call, with_calls
from transforms.models.requests import ErrorKind, Response
from transforms.programs.form import Unparsable
from transforms.programs.source import source_of
from transforms.text.answers import without_next_problem
from transforms.text.thoughts import split_thought, visible


class ResponseReason(StrEnum):
    """Why a model's response is of no use."""

    REQUEST_FAILED = "request_failed"
    PROMPT_TOO_LONG = "prompt_too_long"
    REFUSED = "refused"
    BAD_JSON = "bad_json"
    TRUNCATED = "truncated"
    EMPTY_RESPONSE = "empty_response"
    NO_PROGRAM = "no_program"


_REASONS: dict[ErrorKind | None, ResponseReason] = {
    ErrorKind.TOO_LONG: ResponseReason.PROMPT_TOO_LONG,
    ErrorKind.REFUSED: ResponseReason.REFUSED,
    ErrorKind.BAD_JSON: ResponseReason.BAD_JSON,
    ErrorKind.INVALID: ResponseReason.REQUEST_FAILED,
}


def calls(stage: str, responses: Iterable[Response]) -> tuple[Call, ...]:
    """Returns what models wrote for a stage in these responses, one entry each model."""
    return with_calls((), *(Call(stage, r.model, r.generated_tokens) for r in responses))["calls"]


def judge_all(responses: Iterable[Response]) -> Verdict:
    """Returns the first verdict on a response that does not keep it, or `keep()`."""
    return next((v for v in map(judge_response, responses) if not v.kept), keep())


def unanswered(responses: Iterable[Response]) -> Verdict | None:
    """Returns the verdict that puts a record off whose request stayed unanswered; None where all of
    them were answered, well or badly."""
    return next((judge_response(response) for response in responses if response.unanswered), None)


def judge_response(response: Response) -> Verdict:
    """Rejects a response without text or cut off at its limit, and a request that failed.

    A request that stayed unanswered puts its record off: nothing is known of either.
    """
    if response.error is not None:
        if response.unanswered:
            return put_off(f"{response.error_kind}: {response.error}")
        return reject(
            _REASONS.get(response.error_kind, ResponseReason.REQUEST_FAILED), response.error
        )
    if response.finish_reason == "length":
        return reject(ResponseReason.TRUNCATED, f"{response.generated_tokens} tokens")
    if visible(response.text):
        return keep()
    if response.reasoning or split_thought(response.text).thought:
        return reject(ResponseReason.TRUNCATED, "a thought that is not followed by an answer")
    return reject(ResponseReason.EMPTY_RESPONSE)


_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?:[-*+]|\d+[.)])[ \t]+)?(?P<fence>`{3,}|~{3,})(?P<info>[^\n`]*)\n"
    r"(?P<body>.*?)(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
_FIRST_LINE = re.compile(
    r"^(?:import |from \S+ import |def \w|class \w+.*:|@\w|input\s*(?::[^=\n]*)?="
    r"|[A-Z][A-Z0-9_]*\s*=|#|\"{3}|'{3})",
    re.MULTILINE,
)
"""A program may begin with helpers and constants; a line of prose such as `x = 3` begins none."""
_LAST_LINE = re.compile(r"^output\s*(?::[^=\n]*)?=.*$", re.MULTILINE)
_DEFINES = re.compile(r"^def solution\b", re.MULTILINE)
_MAIN = re.compile(r"^if __name__\s*==.*:[ \t]*\n((?:[ \t]+.*(?:\n|\Z)|[ \t]*\n)+)", re.MULTILINE)
_PRINTED = re.compile(r"^print\((solution\(.*\))\)[ \t]*$", re.MULTILINE)
_TAGS = re.compile(r"^[ \t]*</?(?:code|python|program|answer|output_code)>[ \t]*\n?", re.MULTILINE)
_PROMPTS = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: |$)", re.MULTILINE)
_STRAIGHT = str.maketrans("“”„‘’", '"""\'\'')
_STATEMENT = 30
"""Lines that the statement which assigns `output` takes, at most."""


def extract_program(text: str) -> str | None:
    """Returns the unified program in a response, or None where there is none.

    A fenced block that assigns `output` is preferred (the last one: chat models correct
    themselves), then all blocks together, then the text from its first line of code. Text after
    the statement that assigns `output` is dropped: models go on to a next example. Programs in
    JSON, in tags, at a prompt (>>>) or under `if __name__` are taken out of it.
    """
    text = _TAGS.sub("", _from_json(text))
    blocks = [_dedented(match["indent"], match["body"]) for match in _FENCE.finditer(text)]
    bodies = [*reversed(blocks), "\n".join(blocks), textwrap.dedent(text)]
    whole = [body for body in map(_as_script, bodies) if _LAST_LINE.search(body)]
    body = next((body for body in whole if _DEFINES.search(body)), whole[0] if whole else None)
    if body is None:
        return None
    first, last = _FIRST_LINE.search(body), None
    for last in _LAST_LINE.finditer(body):
        if "solution" in last.group():
            break
    if first is None or last is None or last.end() <= first.start():
        return None
    return _up_to_its_end(body[first.start() :], last.end() - first.start())


def _from_json(text: str) -> str:
    """The longest text in a response that is a JSON object or list, as `{"code": "..."}` is."""
    bare = re.sub(r"\A```(?:json)?\s*\n", "", text.strip()).removesuffix("```").strip()
    if bare[:1] not in "{[" or "\n" in bare and not bare.endswith(("}", "]")):
        return text
    try:
        texts = [value for value in _texts(json.loads(bare, strict=False)) if "def " in value]
    except (ValueError, RecursionError):
        return text
    return max(texts, key=len, default=text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _dedented(indent: str, body: str) -> str:
    lines = (line.removeprefix(indent) for line in body.splitlines(keepends=True))
    return textwrap.dedent("".join(lines))


def _as_script(body: str) -> str:
    """A program as it would stand in a file of its own, where `output` is a name of the module."""
    if _PROMPTS.match(body):
        lines = body.splitlines(keepends=True)
        body = "".join(_PROMPTS.sub("", line) for line in lines if _PROMPTS.match(line))
    if not _LAST_LINE.search(body):
        body = _MAIN.sub(lambda match: textwrap.dedent(match[1]), body)
    if not _LAST_LINE.search(body):
        body = _PRINTED.sub(r"output = \1", body)
    return body


def _up_to_its_end(body: str, end: int) -> str:
    """The program up to the end of the statement that reaches to `end`, as it parses."""
    for text in (body, body.translate(_STRAIGHT)):
        rest = text[end:].splitlines(keepends=True)
        for more in range(min(len(rest), _STATEMENT) + 1):
            program = (text[:end] + "".join(rest[:more])).rstrip() + "\n"
            if _parses(program):
                return program
    return body[:end].rstrip() + "\n"


def _parses(program: str) -> bool:
    try:
        _ = source_of(program).tree  # which checks of the program will ask for
    except Unparsable:
        return False
    return True


def judge_program(response: Response) -> tuple[str, Verdict]:
    """Returns the program in a response and `keep()`, or its raw text and the verdict on it.

    A response cut off at its limit is kept where the program in it is whole.
    """
    verdict = judge_response(response)
    if not verdict.kept and verdict.reason is not ResponseReason.TRUNCATED:
        return response.text, verdict
    text = visible(response.text)
    code = extract_program(text)
    if code is not None:
        return code, keep()
    return (
        (text, reject(ResponseReason.NO_PROGRAM, text[:200])) if verdict.kept else (text, verdict)
    )


def literal_in(text: str) -> str | None:
    """Returns the Python literal in a response's last fenced block, as JSON; None where none is.

    A name that the literal is assigned to is left out.
    """
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)[-1:]:
        try:
            return json.dumps(ast.literal_eval(re.sub(r"^\w+\s*=(?!=)\s*", "", block.strip())))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            pass
    return None


def solution_of(text: str) -> str:
    """Returns the solution in a response, without a next problem that the model goes on to."""
    return without_next_problem(visible(text)).rstrip()


_RULE = re.compile(r"^[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*$", re.MULTILINE)
_NAME = (
    r"(?:(?:the|a|an|your|new|math(?:ematics|ematical)?|word|story|generated|corresponding|final)\s+)*"
    r"(?:problem|question|task|exercise|instruction|puzzle|riddle)(?:\s+(?:statement|text|\d+))?"
)
_LABELS = re.compile(
    rf"\A(?:\#{{1,6}}[ \t]*(?:\*\*)?{_NAME}(?:\*\*)?[ \t]*:?(?:\*\*)?[ \t]*(?:\n|(?<=:))"
    rf"|(?:\*\*|__){_NAME}[ \t]*[:.]?[ \t]*(?:\*\*|__)[ \t]*[:：]?|{_NAME}[ \t]*[:：]"
    r"|(?:问题|题目|問題|题|문제|问)[ \t]*[:：]|\[(?:problem|question)\])\s*",
    re.IGNORECASE,
)
_LEADS = re.compile(
    r"\A(?:(?:sure(?: thing)?|certainly|of course|okay|ok|absolutely|great|alright|no problem)"
    r"\s*[!.,:]+\s+)?"
    r"(?:(?:here(?:'s|’s| is| are)|below is|this is|the following is|i(?:'ve| have)? "
    r"(?:wrote|written|created|made|came up with))\b[^\n:?]{0,80}\b(?:problem|question|task"
    r"|exercise|puzzle|riddle|instruction|scenario|story|version|one)\b[^\n:?]{0,80}:\s*(?=\S)"
    r"|here (?:you go|it is):\s*(?=\S))?",
    re.IGNORECASE,
)
_TAILS = re.compile(
    r"(?:(?<!\s)\s+|(?<![\s(\[*_]))[(\[*_]*"
    r"(?:i hope (?:this|that|it)|hope this|(?:please )?let me know|feel free|good luck"
    r"|would you like|do you want me|is there anything|happy (?:solving|problem)"
    r"|if you (?:have any|need|want|would like|'d like))\b[^\n]*\s*\Z",
    re.IGNORECASE,
)
_SOLUTION = re.compile(
    r"^[ \t]*(?:\#{1,6}[ \t]*)?(?:\*\*|__)?solution(?:\*\*|__)?[ \t]*(?::|\n)(?:\*\*|__)?.*",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_TAIL = 2_000
"""Characters at the end of a text in which politeness begins."""
_LAYERS = 20
"""What is wrapped more often is no problem of a model's."""
_QUOTES = {'"': '"', "“": "”", "'": "'", "«": "»", "「": "」", "`": "`"}


def instruction_of(text: str) -> str:
    r"""Returns the problem that a response words, without what a chat model puts around it.

    >>> instruction_of("Sure! Here is the problem:\n\n**Problem:** How many eggs are 2 + 3 eggs?")
    'How many eggs are 2 + 3 eggs?'
    """
    text = visible(text)
    for _ in range(_LAYERS):
        if text == (bare := _unwrapped(text)):
            break
        text = bare
    return text


def _unwrapped(text: str) -> str:
    """Takes one layer off; the text itself where there is none, or nothing within."""
    fenced = _FENCE.fullmatch(text)
    parts = [part.strip() for part in _RULE.split(text)]
    if fenced and "```" not in fenced["body"]:
        bare = fenced["body"]
    elif len(parts) > 1 and _is_lead(parts[0]):
        bare = "\n\n---\n\n".join(parts[1:])
    elif len(parts) > 1 and (not parts[-1] or _TAILS.match("\n" + parts[-1])):
        bare = "\n\n---\n\n".join(parts[:-1])
    elif text[:1] in _QUOTES and text[-1:] == _QUOTES[text[0]] and text[0] not in text[1:-1]:
        bare = text[1:-1]
    elif (boxed := re.fullmatch(r"\$*\\boxed\{(.*)\}\$*", text, re.DOTALL)) and _balanced(boxed[1]):
        bare = boxed[1]
    elif (tagged := re.fullmatch(r"<(\w+)>(.*)</\1>", text, re.DOTALL)) is not None:
        bare = tagged[2]
    elif re.fullmatch(r"\*\*[^*]+\*\*", text):
        bare = text[2:-2]
    else:
        bare = _LEADS.sub("", text)
        bare = _SOLUTION.sub("", _LABELS.sub("", bare))
        bare = bare[:-_TAIL] + _TAILS.sub("", bare[-_TAIL:])
    return bare.strip() or text


def _is_lead(part: str) -> bool:
    """Whether a part says no more than that the problem comes now."""
    return (
        not part
        or (not _LEADS.sub("", part + ":\n.").strip("."))
        or bool(_LABELS.fullmatch(part + ":"))
    )


def _balanced(text: str) -> bool:
    depth = 0
    for sign in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return False
    return depth == 0
