"""What an engine stands on: a loaded model or an open endpoint, and what it replies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from transforms.engine.errors import BackendError
from transforms.models.requests import ErrorKind, Request, Response
from transforms.text.thoughts import split_thought

Reply = Response | BackendError
"""What becomes of a request: its response, or the end of the engine itself."""


class Model(Protocol):
    """A loaded model or an open endpoint. Many engines may use one, from any thread."""

    @property
    def owed(self) -> int:
        """Requests on their way whose answers are paid for, read or not; local models owe none.

        It does not grow once the process is draining (`generation.draining`).
        """

    @property
    def open_requests(self) -> int:
        """Requests that each of its users keeps open, at most."""

    def start(self, request: Request, reply: Callable[[Reply], None]) -> None:
        """Begins `request` and returns at once; `reply` is called once, from another thread."""

    def close(self) -> None:
        """Frees the model and ends every thread and process of it."""


def with_some_waiting(in_flight: int) -> int:
    """Returns how many requests keep a vLLM engine full that works on `in_flight` at once.

    A quarter more wait in the engine: a slot that becomes free is then filled in the same step, as
    bare vLLM fills it, and not in the step after the next request has come.
    """
    return in_flight + (in_flight + 3) // 4


def valid_text(text: str) -> str:
    r"""Returns `text` as valid Unicode: surrogate pairs joined, lone surrogates as U+FFFD.

    JSON can spell a lone surrogate, and neither UTF-8 nor Parquet can hold one.

    >>> ascii(valid_text("\ud83d\ude00, \ud83d!"))
    "'\\U0001f600, \\ufffd!'"
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def failed(request: Request, engine: str, kind: ErrorKind, error: str, seconds: float) -> Response:
    """Returns the response of a request that failed alone."""
    return Response(
        id=request.id,
        stage=request.stage,
        model=request.model,
        engine=engine,
        text="",
        finish_reason="error",
        error=valid_text(" ".join(error.split())[:500]),
        prompt_tokens=0,
        generated_tokens=0,
        seconds=seconds,
        error_kind=kind,
    )


def read_thought(request: Request, response: Response) -> Response:
    """Returns `response` with the thought in its text, if any, in `reasoning`.

    Every response passes here once, where it is read from an engine or from a ledger: no check
    of an answer sees a thought, wherever the server puts it. What a model that reasons had written
    when it was cut off is thought where nothing ends one: many chat templates open the thought.
    """
    if request.think_tags is None:
        return response
    thought, answer = split_thought(response.text, request.think_tags)
    if thought is None and answer == response.text:
        if not request.reasons or response.finish_reason != "length" or response.reasoning:
            return response
        thought, answer = response.text.strip(), ""
    thoughts = [part for part in (response.reasoning, thought) if part]
    return replace(response, text=answer, reasoning="\n\n".join(thoughts) or None)


def checked(request: Request, response: Response) -> Response:
    """Returns `response`, or its failure where JSON was asked for and the answer is none.

    An answer that was cut off at its limit is left as it is: that is what is wrong with it. The
    ledger records the answer itself: it is paid for, and would be no better the next time.
    """
    if request.sampler.json_schema is None or response.finish_reason != "stop":
        return response
    try:
        json.loads(response.text.removeprefix(request.sampler.prefix))
    except (ValueError, RecursionError) as error:
        return replace(
            response,
            finish_reason="error",
            error=f"not JSON ({error}): {response.text[:200]!r}",
            error_kind=ErrorKind.BAD_JSON,
        )
    return response


def kind_of(message: str) -> ErrorKind:
    """The kind of a refusal of the request itself, by what the engine or server says of it."""
    says = message.lower()
    if any(words in says for words in _TOO_LONG):
        return ErrorKind.TOO_LONG
    return ErrorKind.REFUSED if _DECLINED.search(says) else ErrorKind.INVALID


_TOO_LONG = (
    "maximum context length",
    "maximum model length",
    "context_length_exceeded",
    "context window",
    "context length",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "too many tokens",
)
_DECLINED = re.compile(r"content.{0,20}(?:filter|policy)|moderation|flagged|responsible.ai|safety")
