"""An OpenAI-compatible server on the loopback that behaves as odd endpoints do.

The model's name chooses the behaviour. `BEHAVIOURS` says of each what the endpoint does and what
cotmill makes of it; docs/endpoints.md shows the same table.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = "It is 2."


@dataclass(frozen=True)
class Asked:
    """A request as the server sees it."""

    body: dict[str, Any]
    time: int
    """How often this request has been asked, from 1."""
    headers: dict[str, str] = field(default_factory=dict)
    """Under names in lower case."""
    path: str = ""


@dataclass(frozen=True)
class Reply:
    """What the server sends."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


Behaves = Callable[[Asked], Reply | None]
"""None closes the connection without a reply."""


def send(body: Any, status: int = 200, **headers: str) -> Reply:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(body).encode(), names)


def page(status: int, text: str = "Log in") -> Reply:
    html = f"<!doctype html><html><body>{text}</body></html>"
    return Reply(status, html.encode(), {"Content-Type": "text/html"})


def envelope(**changes: Any) -> dict[str, Any]:
    """A good answer's JSON; `changes` are fields of it, of its choice or of its message.

    `...` takes a field away.
    """
    message: dict[str, Any] = {"role": "assistant", "content": GOOD}
    choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    reply: dict[str, Any] = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    reply |= {"choices": [choice], "usage": usage}
    choice["message"] = message
    for name, value in changes.items():
        at = reply if name in reply or name == "error" else choice if name in choice else message
        at[name] = value
        if value is ...:
            del at[name]
    return reply


def always(**changes: Any) -> Behaves:
    return lambda asked: send(envelope(**changes))


def first(reply: Reply | None, times: int = 1) -> Behaves:
    """Replies so to the first `times` tries of a request, and then answers."""
    return lambda asked: reply if asked.time <= times else send(envelope())


def hanging(seconds: float) -> Behaves:
    def reply(asked: Asked) -> Reply:
        if asked.time == 1:
            time.sleep(seconds)
        return send(envelope())

    return reply


def complains(status: int, message: Any, **error: Any) -> Reply:
    return send({"error": {"message": message, "type": "invalid_request_error", **error}}, status)


def refuses(name: str, reply: Reply, value: Any = ...) -> Behaves:
    """Refuses a parameter: of any value, or of any but `value`."""

    def behave(asked: Asked) -> Reply:
        refused = name in asked.body and asked.body[name] != value
        return reply if refused else send(envelope())

    return behave


def refuses_system(reply: Reply) -> Behaves:
    roles = lambda asked: [turn["role"] for turn in asked.body["messages"]]  # noqa: E731
    return lambda asked: reply if "system" in roles(asked) else send(envelope())


def at_most(limit: int) -> Behaves:
    said = f"max_tokens is too large: 640. This model supports at most {limit} completion tokens."
    reply = complains(400, said, param="max_tokens", code="invalid_value")
    return lambda asked: reply if asked.body.get("max_tokens", 0) > limit else send(envelope())


def raw(text: bytes, status: int = 200, kind: str = "application/json") -> Reply:
    return Reply(status, text, {"Content-Type": kind})


_WHOLE = json.dumps(envelope()).encode()
_FORBIDDEN = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs", "input": 1}
_NESTED = {"object": "error", "message": {"detail": [_FORBIDDEN]}, "param": None, "code": None}
_DETAIL = {"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}
_THOUGHT = "Let me see. \\boxed{9}?"
_CALL = {"type": "function", "function": {"name": "python", "arguments": "{}"}}


@dataclass(frozen=True)
class Behaviour:
    """What an endpoint does, and what becomes of a request.

    `makes` is the text of the answer, the error's kind, or, for the end of the run, words of the
    line that the user reads.
    """

    does: str
    cotmill: str
    makes: str
    reply: Behaves
    finish: str = "stop"
    thought: str | None = None


_IS_READ = "reads the answer"
_AGAIN = "asks again"


def answers(does: str, reply: Behaves, cotmill: str = _IS_READ, text: str = GOOD) -> Behaviour:
    return Behaviour(does, cotmill, text, reply)


def thinks(does: str, reply: Behaves, text: str = GOOD, cotmill: str = "") -> Behaviour:
    cotmill = cotmill or "reads the content, keeps the reasoning apart"
    return Behaviour(does, cotmill, text, reply, thought=_THOUGHT)


def ends(does: str, reply: Behaves, words: str, cotmill: str = "") -> Behaviour:
    return Behaviour(
        does, f"ends with one line: {cotmill or f'`{words}`'}", f"ends: {words}", reply
    )


BEHAVIOURS: dict[str, Behaviour] = {
    # The form of an answer
    "blocks": answers(
        "content is a list of text blocks", always(content=[{"type": "text", "text": GOOD}])
    ),
    "thinking_blocks": thinks(
        "content is a list with blocks of reasoning",
        always(
            content=[
                {"type": "thinking", "thinking": [{"type": "text", "text": _THOUGHT}]},
                {"type": "text", "text": GOOD},
            ]
        ),
    ),
    "strings": answers("content is a list of strings", always(content=["It is", " 2."])),
    "reasoning_content": thinks(
        "`reasoning_content` beside the content", always(reasoning_content=_THOUGHT)
    ),
    "reasoning": thinks(
        "`reasoning` beside the content, `reasoning_content` null",
        always(reasoning=_THOUGHT, reasoning_content=None),
    ),
    "think_tags": thinks(
        "a thought in tags before the content",
        always(content=f"<think>\n{_THOUGHT}\n</think>\n\n{GOOD}"),
    ),
    "closing_tag": thinks(
        "a thought without its opening tag", always(content=f"{_THOUGHT}\n</think>\n\n{GOOD}")
    ),
    "open_thought": thinks(
        "a thought that never ends",
        always(content=f"<think>{_THOUGHT}"),
        "",
        "rejects it: `truncated`",
    ),
    "tool_calls_beside": answers(
        "tool calls beside the content", always(tool_calls=[_CALL]), "reads the content"
    ),
    "no_role": answers("a message without a role", always(role=...)),
    "minimal": answers(
        "nothing but `choices`", lambda asked: send({"choices": [{"message": {"content": GOOD}}]})
    ),
    "odd_types": answers(
        "fields of other types than the API's",
        always(id=7, created="today", logprobs=[], object=None),
    ),
    "empty_refusal": answers("`refusal` is an empty text", always(refusal="")),
    "empty": answers(
        "content is an empty text", always(content=""), "rejects it: `empty_response`", ""
    ),
    "only_reasoning_cut_off": Behaviour(
        "only reasoning, cut off at the limit of tokens",
        "rejects it: `truncated`",
        "",
        always(content=None, reasoning_content=_THOUGHT, finish_reason="length"),
        "length",
        _THOUGHT,
    ),
    "two_choices": answers(
        "more choices than were asked for",
        lambda asked: send({"choices": [{"message": {"content": GOOD}}, {"message": {}}]}),
        "reads the first",
    ),
    "valued_text": answers(
        "the text of a block is an object with a `value`",
        always(content=[{"type": "text", "text": {"value": GOOD, "annotations": []}}]),
    ),
    "content_object": answers("content is one block", always(content={"text": GOOD})),
    "blank": answers(
        "content is nothing but white space",
        always(content=" \n\t"),
        "rejects it: `empty_response`",
        " \n\t",
    ),
    "null_error": answers(
        "an `error` of nulls beside the answer", always(error={"message": None, "code": None})
    ),
    "reasoning_object": answers(
        "`reasoning` is an object", always(reasoning={"effort": "low"}), "reads the content"
    ),
    # The end of an answer
    "finish_null": answers("`finish_reason` null", always(finish_reason=None)),
    "finish_missing": answers("no `finish_reason`", always(finish_reason=...)),
    "finish_eos": answers("`finish_reason` eos", always(finish_reason="eos")),
    "finish_unknown": answers("`finish_reason` is a word of its own", always(finish_reason="done")),
    "finish_list": answers("`finish_reason` is a list", always(finish_reason=["stop"])),
    "finish_length": Behaviour(
        "`finish_reason` length",
        "keeps a whole program, rejects the rest: `truncated`",
        GOOD,
        always(finish_reason="length"),
        "length",
    ),
    "finish_max_tokens": Behaviour(
        "`finish_reason` MAX_TOKENS", "the same", GOOD, always(finish_reason="MAX_TOKENS"), "length"
    ),
    # Counts of tokens
    "usage_null": answers("`usage` null", always(usage=None), "counts 0 tokens, and says so once"),
    "usage_missing": answers("no `usage`", always(usage=...), "counts 0 tokens, and says so once"),
    "usage_partial": answers(
        "`usage` with a total alone", always(usage={"total_tokens": 10}), "counts 0 tokens"
    ),
    "usage_nulls": answers(
        "`usage` of nulls",
        always(usage={"prompt_tokens": None, "completion_tokens": None}),
        "counts 0 tokens",
    ),
    "usage_floats": answers(
        "`usage` of floats",
        always(usage={"prompt_tokens": 9.0, "completion_tokens": 5.5}),
        "rounds down",
    ),
    "usage_texts": answers(
        "`usage` of texts",
        always(usage={"prompt_tokens": "9", "completion_tokens": "many"}),
        "counts what is a number",
    ),
    "usage_odd": answers(
        "`usage` negative or NaN",
        always(usage={"prompt_tokens": -1, "completion_tokens": float("nan")}),
        "counts 0 tokens",
    ),
    "usage_list": answers("`usage` is a list", always(usage=[1, 2]), "counts 0 tokens"),
    "usage_text": answers("`usage` is a text", always(usage="9 + 5"), "counts 0 tokens"),
    "usage_boundless": answers(
        "`usage` of numbers that no model can reach",
        always(usage={"prompt_tokens": 10**19, "completion_tokens": 10**400}),
        "counts 0 tokens",
    ),
    "logprobs_odd": answers(
        "log probabilities that are no numbers",
        always(logprobs={"content": [{"logprob": float("nan")}, {"logprob": [1]}, 7]}),
    ),
    "logprobs_number": answers(
        "a number in place of log probabilities", always(logprobs={"token_logprobs": 5})
    ),
    "cached_null": answers(
        "`prompt_tokens_details` null",
        always(usage={"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": None}),
    ),
    "cached_other": answers(
        "`prompt_tokens_details` without `cached_tokens`",
        always(usage={"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {}}),
    ),
    # Bytes
    "plain_type": answers("content type text/plain", lambda asked: raw(_WHOLE, kind="text/plain")),
    "no_type": answers("no content type", lambda asked: Reply(200, _WHOLE)),
    "byte_order_mark": answers(
        "a byte-order mark before the JSON", lambda asked: raw(b"\xef\xbb\xbf" + _WHOLE)
    ),
    "blank_lines": answers("blank lines before the JSON", lambda asked: raw(b"\n\n\n" + _WHOLE)),
    "lone_surrogate": answers(
        "half a surrogate pair in the text",
        always(content="2 \ud83d!"),
        "replaces it by U+FFFD",
        "2 \ufffd!",
    ),
    "split_pair": answers(
        "an emoji as two escapes",
        lambda asked: raw(_WHOLE.replace(b"It is 2.", b"2 \\ud83d\\ude00")),
        "joins them",
        "2 \U0001f600",
    ),
    "bad_utf8": answers(
        "bytes that are not UTF-8",
        lambda asked: raw(_WHOLE.replace(b"It is 2.", b"2 \xff!")),
        "replaces them by U+FFFD",
        "2 \ufffd!",
    ),
    "utf_16": answers(
        "UTF-16",
        lambda asked: raw(json.dumps(envelope()).encode("utf-16"), kind="application/json"),
    ),
    "latin_1": answers(
        "another character set that the content type names",
        lambda asked: raw(
            _WHOLE.replace(b"It is 2.", b"caf\xe9"), kind="application/json; charset=iso-8859-1"
        ),
        text="caf\u00e9",
    ),
    "control": answers(
        "a line break within a text of the JSON",
        lambda asked: raw(_WHOLE.replace(b"It is 2.", b"It is\n2.")),
        text="It is\n2.",
    ),
    "nan": answers(
        "NaN in the JSON", lambda asked: raw(_WHOLE.replace(b'"created": 1', b'"created": NaN'))
    ),
    "twice": answers(
        "a key twice in the JSON",
        lambda asked: raw(_WHOLE.replace(b'"content"', b'"content": null, "content"')),
        "reads the last",
    ),
    "gzip": answers(
        "compressed by gzip",
        lambda asked: Reply(200, gzip.compress(_WHOLE), {"Content-Encoding": "gzip"}),
    ),
    "megabytes": answers(
        "an answer of 10 MB", always(content="2" * 10_000_000), text="2" * 10_000_000
    ),
    "moved": answers(
        "a redirect that keeps the question (307, 308)",
        lambda asked: Reply(307, b"", {"Location": "/there"}),
        "follows it",
    ),
    "nul": answers("NUL in the text", always(content="It is\0 2."), "takes it out"),
    # Failures that pass
    "null_once": answers("content null, once", first(send(envelope(content=None))), _AGAIN),
    "only_reasoning_once": answers(
        "only reasoning, though it ended by itself, once",
        first(send(envelope(content=None, reasoning_content=_THOUGHT))),
        _AGAIN,
    ),
    "tool_calls_once": answers(
        "only tool calls, once",
        first(send(envelope(content=None, tool_calls=[_CALL], finish_reason="tool_calls"))),
        _AGAIN,
    ),
    "number_once": answers("content is a number, once", first(send(envelope(content=7))), _AGAIN),
    "no_choices_once": answers("`choices` empty, once", first(send(envelope(choices=[]))), _AGAIN),
    "null_choices_once": answers(
        "`choices` null, once", first(send(envelope(choices=None))), _AGAIN
    ),
    "list_once": answers("a JSON list, once", first(send([1])), _AGAIN),
    "half_json_once": answers("half of the JSON, once", first(raw(_WHOLE[:60])), _AGAIN),
    "no_bytes_once": answers("an empty body, once", first(raw(b"")), _AGAIN),
    "deep_json_once": answers("JSON nested too deep, once", first(raw(b"[" * 100_000)), _AGAIN),
    "page_once": answers("a web page with status 200, once", first(page(200)), _AGAIN),
    "stream_once": answers(
        "a stream that nobody asked for, once",
        first(raw(b"data: {}\n\n", kind="text/event-stream")),
        _AGAIN,
    ),
    "abort_once": answers(
        "`finish_reason` abort, once", first(send(envelope(finish_reason="abort"))), _AGAIN
    ),
    "error_in_200_once": answers(
        "an error in a reply of status 200, once",
        first(send({"error": {"message": "Provider returned error", "code": 503}})),
        _AGAIN,
    ),
    "error_in_choice_once": answers(
        "an error in the choice, once",
        first(send(envelope(choices=[{"error": {"message": "overloaded", "code": 502}}]))),
        _AGAIN,
    ),
    "limit_in_200_once": answers(
        "a rate limit in a reply of status 200, once",
        first(send({"error": {"message": "Rate limited", "code": 429}})),
        "waits, asks again",
    ),
    "errors_in_200_once": answers(
        "`errors`, `detail`, `message` or `msg` in place of choices, with status 200, once",
        first(send({"code": 1301, "msg": "system busy"})),
        _AGAIN,
    ),
    "limit_named_in_200": answers(
        "a rate limit that a code names, in a reply of status 200, often",
        first(send({"error": {"message": "slow", "code": "rate_limit_exceeded"}}), times=4),
        "waits, asks again, and asks more slowly",
    ),
    "blocks_of_reasoning_once": answers(
        "a list of nothing but reasoning, though it ended by itself, once",
        first(send(envelope(content=[{"type": "thinking", "thinking": _THOUGHT}]))),
        _AGAIN,
    ),
    "finish_timeout_once": answers(
        "`finish_reason` timeout or network_error, once",
        first(send(envelope(content="It", finish_reason="timeout"))),
        _AGAIN,
    ),
    "gzip_cut_off_once": answers(
        "gzip that is cut off, once",
        first(Reply(200, gzip.compress(_WHOLE)[:40], {"Content-Encoding": "gzip"})),
        _AGAIN,
    ),
    "no_gzip_once": answers(
        "a content encoding that is not the one it names, once",
        first(Reply(200, _WHOLE, {"Content-Encoding": "gzip"})),
        _AGAIN,
    ),
    "too_short_once": answers(
        "fewer bytes than it promises, once",
        first(Reply(200, _WHOLE, {"Content-Length": str(len(_WHOLE) + 50)})),
        _AGAIN,
    ),
    "no_content_once": answers("status 204, once", first(Reply(204, b"")), _AGAIN),
    "500_once": answers("status 500, once", first(complains(500, "internal")), _AGAIN),
    "502_page_once": answers("a page with status 502, once", first(page(502)), _AGAIN),
    "503_once": answers(
        "status 503 with Retry-After, once",
        first(send({"error": "busy"}, 503, Retry_After="0.1")),
        "waits, asks again",
    ),
    "408_once": answers("status 408, once", first(complains(408, "too slow")), _AGAIN),
    "409_once": answers("status 409, once", first(complains(409, "busy")), _AGAIN),
    **{
        f"{status}_once": answers(
            f"status {status}, once", first(complains(status, "not now")), _AGAIN
        )
        for status in (421, 423, 424, 425, 499, 504, 520)
    },
    "400_loading_once": answers(
        "status 400 or 403 in words that pass (loading, overloaded, try again later), once",
        first(complains(400, "Model is currently loading")),
        _AGAIN,
    ),
    "403_page_once": answers(
        "a page with status 400 or 403, once", first(page(403, "Blocked")), _AGAIN
    ),
    "529_once": answers("status 529, once", first(complains(529, "overloaded")), _AGAIN),
    "reset_once": answers("the connection is lost, once", first(None), _AGAIN),
    "hang_once": answers(
        "no reply, once", hanging(2.0), "asks again after `backend.timeout_seconds`, or sooner"
    ),
    "429_often": answers(
        "status 429, more often than `backend.max_retries`",
        first(complains(429, "slow down"), times=4),
        "waits, asks again, and asks more slowly",
    ),
    "429_wait": answers(
        "status 429 with Retry-After, once",
        first(send({"error": "slow down"}, 429, Retry_After="1")),
        "waits as long as it says",
    ),
    "429_milliseconds": answers(
        "status 429 with retry-after-ms, once",
        first(send({"error": "slow down"}, 429, Retry_After_Ms="100")),
        "waits as long as it says",
    ),
    "429_words": answers(
        "status 429: try again in 120ms, once",
        first(complains(429, "Rate limit reached. Please try again in 120ms.")),
        "waits as long as it says",
    ),
    "429_date": answers(
        "status 429 with a Retry-After that has passed, once",
        first(send({"error": "slow"}, 429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")),
        _AGAIN,
    ),
    "429_soon": answers(
        "status 429 with a Retry-After that is no time, once",
        first(send({"error": "slow"}, 429, Retry_After="soon")),
        _AGAIN,
    ),
    "403_limit": answers(
        "a rate limit under status 400, 403, 420 or 503, more often than `backend.max_retries`",
        first(complains(403, "API rate limit exceeded"), times=4),
        "waits, asks again, and asks more slowly",
    ),
    "429_page": answers("a page with status 429, once", first(page(429)), "waits, asks again"),
    # Failures that stay
    "500_for_one": Behaviour(
        "status 500 for the same request each time",
        "asks `max_retries` times again, then puts the record off: `unanswered`",
        "server_error",
        lambda asked: complains(500, "internal"),
    ),
    "503_for_one": Behaviour(
        "status 503 for the same request each time",
        "the same",
        "server_error",
        lambda asked: complains(503, "overloaded"),
    ),
    "null_for_one": Behaviour(
        "content null for the same request each time",
        "the same",
        "server_error",
        lambda asked: send(envelope(content=None)),
    ),
    "429_for_one": Behaviour(
        "status 429 for the same request each time, while others are answered",
        "the same, after 6 refusals",
        "server_error",
        lambda asked: complains(429, "slow down"),
    ),
    "filter": Behaviour(
        "`finish_reason` content_filter",
        "rejects it: `refused`",
        "refused",
        always(finish_reason="content_filter", content=""),
    ),
    "prohibited": Behaviour(
        "`finish_reason` PROHIBITED_CONTENT, BLOCKLIST or sensitive",
        "rejects it: `refused`",
        "refused",
        always(content="", finish_reason="PROHIBITED_CONTENT"),
    ),
    "refusal": Behaviour(
        "a refusal",
        "rejects it: `refused`",
        "refused",
        always(content=None, refusal="I can't help with that."),
    ),
    "moderation": Behaviour(
        "status 403: the input was flagged",
        "rejects it: `refused`",
        "refused",
        lambda asked: complains(403, "Your input was flagged"),
    ),
    "policy": Behaviour(
        "status 400: its content policy",
        "rejects it: `refused`",
        "refused",
        lambda asked: complains(400, "Rejected", code="content_policy_violation"),
    ),
    "context": Behaviour(
        "status 400: the context is too short",
        "rejects it: `prompt_too_long`; ends the run where it says so of the first 8",
        "too_long",
        lambda asked: complains(
            400,
            "This model's maximum context length is 512 tokens. However, you requested 1200.",
            code="context_length_exceeded",
        ),
    ),
    "too_large": Behaviour(
        "status 429: the request is too large for the limit of tokens",
        "rejects it: `prompt_too_long`",
        "too_long",
        lambda asked: complains(429, "Request too large for m on tokens per min"),
    ),
    "413": Behaviour(
        "status 413",
        "rejects it: `prompt_too_long`",
        "too_long",
        lambda asked: complains(413, "Payload Too Large"),
    ),
    "404_for_one": Behaviour(
        "status 401, 402, 404, 405, 407 or 410 for the same request each time, while others are "
        "answered",
        "asks `max_retries` times again, then puts the record off: `unanswered`",
        "server_error",
        lambda asked: complains(404, "no provider"),
    ),
    # Refusals of what every request asks
    "max_completion_tokens": ends(
        "refuses `max_tokens`, names another",
        refuses(
            "max_tokens",
            complains(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            ),
        ),
        "set backend.parameters.max_tokens=max_completion_tokens",
    ),
    "max_tokens_unknown": ends(
        "refuses `max_tokens` as unknown",
        refuses("max_tokens", complains(400, "Unrecognized request argument: max_tokens")),
        "set backend.parameters.max_tokens=max_completion_tokens",
    ),
    "max_tokens_limit": ends(
        "supports fewer completion tokens than asked for",
        at_most(512),
        "set sampling.solve.max_tokens=512 or less",
    ),
    "temperature": ends(
        "supports one temperature alone",
        refuses(
            "temperature",
            complains(
                400,
                "Unsupported value: 'temperature' does not support 0.7 with this model. "
                "Only the default (1) value is supported.",
                param="temperature",
            ),
            value=1,
        ),
        "set backend.parameters.temperature=null",
    ),
    "top_p": ends(
        "refuses `top_p`, in words alone",
        refuses("top_p", complains(400, "`top_p` is not supported by this model")),
        "set backend.parameters.top_p=null",
    ),
    "stop": ends(
        "refuses `stop`",
        refuses("stop", complains(400, "Unsupported parameter: 'stop'", param="stop")),
        "set backend.parameters.stop=null",
        "`set backend.parameters.stop=null` (cotmill then cuts the answers itself)",
    ),
    "seed_nested": ends(
        "refuses `seed`: pydantic's `loc` in the message",
        refuses("seed", send(_NESTED, 422)),
        "set backend.parameters.seed=null",
    ),
    "seed_detail": ends(
        "refuses `seed`: pydantic's `loc` in `detail`",
        refuses("seed", send(_DETAIL, 422)),
        "set backend.parameters.seed=null",
    ),
    "seed_plain": ends(
        "refuses `seed`, in plain text",
        refuses("seed", raw(b"unknown field `seed`, expected one of ...", 422, "text/plain")),
        "set backend.parameters.seed=null",
    ),
    "schema": ends(
        "refuses `response_format`",
        refuses(
            "response_format",
            complains(400, "'response_format.type' must be 'text'", param="response_format"),
        ),
        "set sampling.solve.json_schema=null",
    ),
    "system": ends(
        "refuses the system message",
        refuses_system(
            send({"object": "error", "message": "System role not supported", "code": 400}, 400)
        ),
        "set backend.parameters.system=user",
    ),
    "alternate": ends(
        "refuses the system message by its chat template",
        refuses_system(complains(400, "Conversation roles must alternate user/assistant/...")),
        "set backend.parameters.system=user",
    ),
    "400_for_all": ends(
        "refuses the first requests for a reason that names no parameter",
        lambda asked: complains(400, "model is not enabled for this account"),
        "not enabled for this account): ask it one thing at a time with cotmill backend check",
        "its words, and `cotmill backend check`",
    ),
    "403_for_all": ends(
        "status 403 for the first requests",
        lambda asked: complains(403, "country not supported"),
        "country not supported",
    ),
    "null_for_all": ends(
        "content null for the first hundred requests",
        lambda asked: send(envelope(content=None)),
        "the answer holds no text",
    ),
    "tools_for_all": ends(
        "only tool calls for the first hundred requests",
        lambda asked: send(envelope(content=None, tool_calls=[_CALL])),
        "the model calls a tool that it was not offered",
    ),
    "page_for_all": ends(
        "a web page for the first requests",
        lambda asked: page(200),
        "is backend.base_url the root of the API",
    ),
    "other_api_for_all": ends(
        "answers of another API for the first hundred requests",
        lambda asked: send({"model": "m", "response": GOOD, "done": True}),
        'the answer holds no choices: {"model": "m", "response": "It is 2.", "done": true}',
        "what it holds instead",
    ),
    "stream_for_all": ends(
        "a stream that nobody asked for, for the first requests",
        lambda asked: raw(b'data: {"choices": []}\n\ndata: [DONE]\n\n'),
        "a stream of events instead of JSON",
    ),
    "login": ends(
        "a redirect to a login page",
        lambda asked: Reply(302, b"", {"Location": "/login?next=secret"}),
        "set backend.base_url to the root of the API",
        "where it is sent to, and `set backend.base_url to the root of the API`",
    ),
    "circle": ends(
        "redirects without end",
        lambda asked: Reply(307, b"", {"Location": "/v1/chat/completions"}),
        "sends requests elsewhere",
    ),
    "407": ends("status 407", lambda asked: complains(407, "log in"), "stands behind a proxy"),
    "410": ends("status 410", lambda asked: complains(410, "retired"), "no longer has"),
    "401": ends("status 401", lambda asked: complains(401, "bad key"), "refuses the key"),
    "402": ends("status 402", lambda asked: complains(402, "no credit"), "asks to be paid"),
    "quota": ends(
        "status 429: the quota is spent",
        lambda asked: complains(429, "You exceeded your quota", code="insufficient_quota"),
        "asks to be paid",
    ),
    "404": ends(
        "status 404, in plain text",
        lambda asked: raw(b"404 page not found", 404, "text/plain"),
        "knows no such path or model",
    ),
    "405": ends(
        "a page with status 405",
        lambda asked: page(405, "Not Allowed"),
        "takes no questions at this path",
    ),
    "later": ends(
        "asks to wait longer than `backend.pause_seconds`",
        lambda asked: send({"error": "come back"}, 429, Retry_After="7200"),
        "asks to wait 7200 seconds",
    ),
    "down": ends(
        "status 503 for all requests",
        lambda asked: complains(503, "down"),
        "has not answered for",
        "pauses, says so at once, tries again for `backend.pause_seconds`, then one line",
    ),
    "429_for_all": ends(
        "status 429 for all requests",
        lambda asked: complains(429, "slow down"),
        "has refused all requests for",
        "asks more and more slowly, for `backend.pause_seconds`, then one line",
    ),
}


@contextmanager
def odd_server() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A running server; yields its base_url and the bodies that it was sent."""
    asked: Counter[str] = Counter()
    bodies: list[dict[str, Any]] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send(page(200))

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            body = json.loads(content)
            with lock:
                bodies.append(body)
                asked[content.decode()] += 1
                times = asked[content.decode()]
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path == "/there":
                self._send(send(envelope()))
                return
            reply = BEHAVIOURS[body["model"]].reply(Asked(body, times, headers, self.path))
            if reply is None:
                self.close_connection = True
            else:
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            else:
                self.close_connection = True
            self.end_headers()
            self.wfile.write(reply.body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
