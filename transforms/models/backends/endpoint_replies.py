"""Reads what OpenAI-compatible endpoints reply: answers and complaints, in all their forms."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from transforms.engine.records import ToolCall
from transforms.models.backends.base import valid_text
from transforms.models.scores import NoScores

_CUT_OFF = {"length", "max_tokens", "model_length", "max_output_tokens"}
_BROKEN_OFF = {
    *("abort", "aborted", "error", "cancelled", "canceled", "timeout", "network_error"),
    *("server_error", "internal_error", "engine_overloaded", "insufficient_system_resource"),
    "malformed_function_call",
}
_THINKING = {"thinking", "reasoning", "reasoning_text"}
"""Types of the blocks of a content that hold a thought."""
_FILTERED = {
    *("content_filter", "content_filtered", "safety", "recitation", "refusal", "sensitive"),
    *("prohibited_content", "blocklist", "spii", "image_safety", "guardrail_intervened"),
}
_MOST_TOKENS = 1e12
"""A count of tokens above this is none: sums of counts stay within 64 bits."""

PAGE = "a web page instead of JSON"
STREAM = "a stream of events instead of JSON"


class NoAnswer(ValueError):
    """The endpoint replied with something that is no answer; asked again, it may answer."""


class Refused(ValueError):
    """The model or its server declined to answer."""


@dataclass(eq=False)
class Complaint(Exception):
    """What an endpoint says where it does not answer."""

    status: int
    """The HTTP status, or the one that the body of a 200 names."""
    message: str
    """One line."""
    param: str | None = None
    """The parameter that the endpoint itself names as the cause."""
    code: str = ""
    """Its own code or type of error."""
    wait: float = 0.0
    """Seconds that it asks to wait; 0 where it does not say."""
    is_page: bool = False
    """Whether it is a web page: that of a gateway or proxy, as an API writes JSON."""

    def __str__(self) -> str:
        return f"HTTP {self.status}: {self.message}"


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered to one request."""

    text: str
    """Valid Unicode without NUL; empty where the answer only calls tools."""
    cut_off: bool
    """Whether the answer ends because its limit of tokens was reached."""
    prompt_tokens: int | None
    """None where the endpoint does not count; the same for the other two counts."""
    generated_tokens: int | None
    cached_tokens: int | None
    mean_logprob: float | None
    reasoning: str | None = None
    """What the endpoint gives apart from the text as the thought before it."""
    tool_calls: tuple[ToolCall, ...] = ()


def read_json(content: bytes, setting: str = "backend", charset: str | None = None) -> Any:
    """Returns the JSON value of a reply, whatever its content type.

    Control characters within texts are read, though JSON forbids them: the answer is paid for.

    Args:
        setting: the one that names the endpoint, for messages.
        charset: the one that the reply's content type names, for what is not valid UTF-8.

    Raises:
        NoAnswer: it is not JSON.
    """
    text = _decoded(content, charset).strip()
    if _is_page(text):
        raise NoAnswer(
            f"{PAGE} ({_excerpt(text)}): is {setting}.base_url the root of the "
            "API, such as http://127.0.0.1:8000/v1?"
        )
    if re.match(r"(data|event|id|retry)?:", text):
        raise NoAnswer(
            f"{STREAM} ({_excerpt(text)}): have the endpoint answer whole, as requests ask for"
        )
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        shown = f"{type(error).__name__}: {error}: {_excerpt(text)!r}"
        raise NoAnswer(f"no whole JSON ({shown})") from None


def _decoded(content: bytes, charset: str | None) -> str:
    """The text of a reply: UTF-8, or UTF-16 or UTF-32 by their first bytes, else as `charset`
    says; what is valid in none of them is replaced by U+FFFD."""
    encoding = json.detect_encoding(content)
    for name in (encoding, charset or encoding):
        try:
            return content.decode(name)
        except (UnicodeError, LookupError):
            continue
    return content.decode("utf-8-sig", "replace")


def read_answer(reply: Any, tools: bool = False) -> Answer:
    """Returns the answer in the JSON value of a reply, of a chat or of a completion.

    Reasoning beside the content is not part of the text. An answer that holds nothing else is
    empty where its limit was reached, and none where it was not.

    Args:
        tools: whether the model was offered tools; calls are left out where it was not.

    Raises:
        Complaint: the reply holds an error, though its status is 200.
        NoAnswer: it holds no answer.
        Refused: the model or a filter declined.
    """
    if not isinstance(reply, dict):
        raise NoAnswer(f"JSON that is no answer: {_excerpt(json.dumps(reply))}")
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    choice = choice if isinstance(choice, dict) else {}
    if error := _error(reply.get("error")) or _error(choice.get("error")):
        raise complaint(200, {}, json.dumps({**reply, "error": error}).encode())
    if not choice:
        if any(isinstance(reply.get(name), (str, list)) and reply[name] for name in _ERRORS):
            raise complaint(200, {}, json.dumps(reply).encode())
        raise NoAnswer(f"the answer holds no choices: {_excerpt(json.dumps(reply))}")
    finish = re.sub(r"\W", "_", str(choice.get("finish_reason") or "").lower())
    if finish in _BROKEN_OFF:
        raise NoAnswer(f"the endpoint broke the answer off (finish_reason {finish})")
    message = choice.get("message")
    message = message if isinstance(message, dict) else choice
    refusal = message.get("refusal")
    if finish in _FILTERED:
        raise Refused(f"the server filtered the answer (finish_reason {finish})")
    if refusal:
        raise Refused(f"the model refused: {_text(refusal) or json.dumps(refusal)}")
    text = _text(message.get("content", message.get("text")))
    cut_off = finish in _CUT_OFF
    calls = _calls(message) if tools else ()
    if text is None:
        if not cut_off and not calls:
            raise NoAnswer(f"the answer holds no text{_instead(message)}")
        text = ""  # all of its tokens went into reasoning, or into calls of tools
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    return Answer(
        text=_clean(text),
        cut_off=cut_off,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        mean_logprob=_mean_logprob(choice.get("logprobs")),
        reasoning=_reasoning(message),
        tool_calls=calls,
    )


def read_likeliest(reply: Any) -> list[tuple[str, float]]:
    """Returns the likeliest first tokens of an answer, with their log probabilities.

    Raises:
        NoScores: the reply, a chat's or a completion's that holds an answer, holds none.
    """
    logprobs = _logprobs(reply)
    content, top = logprobs.get("content"), logprobs.get("top_logprobs")
    pairs: list[tuple[Any, Any]]
    if isinstance(content, list) and content and isinstance(content[0], dict):
        likely = content[0].get("top_logprobs")
        pairs = [
            (each.get("token"), each.get("logprob"))
            for each in (likely if isinstance(likely, list) else [])
            if isinstance(each, dict)
        ]
    else:
        first = top[0] if isinstance(top, list) and top else None
        pairs = list(first.items()) if isinstance(first, dict) else []
    if not pairs:
        raise NoScores("its answer holds no top_logprobs")
    try:
        return [(_clean(str(token)), float(logprob)) for token, logprob in pairs]
    except (TypeError, ValueError, OverflowError):
        raise NoScores("its top_logprobs hold no numbers") from None


def read_echo(reply: Any) -> tuple[list[str], list[float | None]]:
    """Returns the tokens of a completion that echoes its prompt, and the log probability of each.

    Raises:
        NoScores: the reply, one that holds an answer, does not have them for its prompt.
    """
    logprobs = _logprobs(reply)
    tokens, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise NoScores("its answer holds no token_logprobs")
    if not all(value is None or isinstance(value, (int, float)) for value in values):
        raise NoScores("its token_logprobs hold no numbers")
    return [str(token) for token in tokens], values


def _logprobs(reply: Any) -> dict[str, Any]:
    logprobs = reply["choices"][0].get("logprobs")
    return logprobs if isinstance(logprobs, dict) else {}


_ERRORS = ("error", "errors", "detail", "message", "msg")
"""Fields of a reply without choices that say why there are none."""


def _error(value: Any) -> Any:
    """An error in a reply; None where its field holds nothing, as in {"message": null}."""
    return None if isinstance(value, dict) and not any(value.values()) else value


def _clean(text: str) -> str:
    return valid_text(text).replace("\0", "")


def _reasoning(message: dict[str, Any]) -> str | None:
    """The thought in a message: in a field beside its content, or in blocks of its content."""
    for name in ("reasoning_content", "reasoning"):
        if (thought := message.get(name)) and isinstance(thought, str):
            return _clean(thought).strip() or None
    content = message.get("content")
    blocks = [b for b in content if isinstance(b, dict)] if isinstance(content, list) else []
    thoughts = [_thought(block) for block in blocks if block.get("type") in _THINKING]
    return _clean("\n\n".join(filter(None, thoughts))).strip() or None


def _thought(block: dict[str, Any]) -> str:
    for name in ("thinking", "reasoning", "text"):
        if (thought := _text(block.get(name))) is not None:
            return thought
    return ""


def _calls(message: dict[str, Any]) -> tuple[ToolCall, ...]:
    """The calls of tools in a message; ids that the endpoint leaves out are made from their place.

    Arguments that come as an object become its JSON.
    """
    given = message.get("tool_calls")
    calls = [
        (str(each.get("id") or f"call_{place}"), function)
        for place, each in enumerate(given if isinstance(given, list) else [])
        if isinstance(each, dict)
        and isinstance(function := each.get("function"), dict)
        and isinstance(function.get("name"), str)
    ]
    return tuple(
        ToolCall(_clean(key), _clean(function["name"]), _arguments(function.get("arguments")))
        for key, function in calls
    )


def _arguments(value: Any) -> str:
    return _clean(value if isinstance(value, str) else json.dumps(value or {}))


def _text(content: Any) -> str | None:
    """The text of a message's content: a string, a block of text, or a list of them; None where
    no part of it is text."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict) and content.get("type", "text") in ("text", "output_text"):
        parts = [_text(content.get(name)) for name in ("text", "value", "parts")]
    elif isinstance(content, list):
        parts = [_text(block) for block in content]
    else:
        return None  # reasoning, an image, a tool call
    texts = [part for part in parts if part is not None]
    return "".join(texts) if texts else None


def _instead(message: dict[str, Any]) -> str:
    """What a message without text holds."""
    if message.get("tool_calls") or message.get("function_call"):
        return ": the model calls a tool that it was not offered; turn the endpoint's tools off"
    if message.get("reasoning_content") or message.get("reasoning"):
        return ", only reasoning"
    return ""


def _count(value: Any) -> int | None:
    """A number of tokens; None where `value` is none."""
    number = _number(value)
    return int(number) if number is not None and 0 <= number <= _MOST_TOKENS else None


def _number(value: Any) -> float | None:
    """A finite number, written as one or as text; None where `value` is none."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _mean_logprob(logprobs: Any) -> float | None:
    if not isinstance(logprobs, dict):
        return None
    content, values = logprobs.get("content"), logprobs.get("token_logprobs")
    if isinstance(content, list):
        values = [each.get("logprob") for each in content if isinstance(each, dict)]
    numbers = list(map(_number, values)) if isinstance(values, list) else []
    finite = [number for number in numbers if number is not None]
    return sum(finite) / len(finite) if finite else None


def model_names(reply: Any) -> list[str]:
    """Returns the names of the models in the JSON value of a reply to /models."""
    models = reply.get("data") if isinstance(reply, dict) else reply
    models = models if isinstance(models, list) else []
    return [str(each["id"]) for each in models if isinstance(each, dict) and each.get("id")]


def complaint(status: int, headers: Mapping[str, str], content: bytes) -> Complaint:
    """Returns what an error reply says: OpenAI's form, pydantic's, vLLM's, a page or plain text.

    A body that names a status of its own (400 to 599) is believed where the reply's is 200; a
    200 that names none is 502.
    """
    text = content.decode("utf-8", "replace").strip()
    try:
        message, param, code = _said(json.loads(text))
    except (ValueError, RecursionError):
        message, param, code = _excerpt(text), None, ""
    if status < 300:
        status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 502
    message = " ".join(valid_text(message).split())[:300] or "no reason stated"
    return Complaint(status, message, param, code, asked_wait(headers, message), _is_page(text))


def _said(value: Any) -> tuple[str, str | None, str]:
    """The message, the parameter and the code of an error in JSON."""
    if isinstance(value, list):
        parts = [_said(each) for each in value[:3]]
        param = next((part[1] for part in parts if part[1]), None)
        code = next((part[2] for part in parts if part[2]), "")
        return "; ".join(part[0] for part in parts), param, code
    if not isinstance(value, dict):
        return "" if value is None else str(value), None, ""
    place = [part for part in value.get("loc") or () if isinstance(part, str) and part != "body"]
    param = value.get("param") or (place[-1] if place else None)
    names = ("code", "type", "statusCode", "status")
    code = str(next(filter(None, map(value.get, names)), ""))
    for key in ("error", "detail", "errors", "message", "msg", "title"):
        if value.get(key) and isinstance(value[key], (str, list, dict)):
            message, inner_param, inner_code = _said(value[key])
            where = f"{place[-1]}: " if place else ""
            return where + message, inner_param or _name(param), inner_code or code
    return json.dumps(value), _name(param), code


def _name(param: Any) -> str | None:
    return param.split(".")[-1] if isinstance(param, str) else None


def _is_page(text: str) -> bool:
    return text[:200].lower().startswith(("<!doctype", "<html", "<head", "<body"))


def _excerpt(text: str) -> str:
    """The first words of a reply that is no JSON, without its tags."""
    if _is_page(text):
        text = re.sub(r"(?is)<(script|style)\b.*?(?:</\1>|\Z)|<[^>]*(?:>|\Z)", " ", text)
    return " ".join(text.split())[:200]


def asked_wait(headers: Mapping[str, str], message: str = "", now: float | None = None) -> float:
    """Returns the seconds that an endpoint asks to wait, by its headers or its words; else 0.

    Read are `retry-after-ms`, `retry-after`, `x-ratelimit-reset…` and `ratelimit-reset` where
    nothing is left, and "try again in 1.2s". A value is in seconds, a duration such as 1m2.5s, a
    time since 1970 or, in `retry-after`, an HTTP date. `now` is the time since 1970, seconds.

    >>> asked_wait({"retry-after-ms": "250"})
    0.25
    >>> asked_wait({}, "Rate limit reached. Please try again in 1m2.5s.")
    62.5
    """
    now = time.time() if now is None else now
    if (seconds := _seconds(headers.get("retry-after-ms"))) is not None:
        return seconds / 1000
    if value := headers.get("retry-after"):
        if (seconds := _seconds(value)) is not None:
            return _from_now(seconds, now)
        try:
            date = email.utils.parsedate_to_datetime(value)
            return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - now)
        except (ValueError, OverflowError):
            return 0.0
    for kind in ("-requests", "-tokens", ""):
        for prefix in ("x-ratelimit", "ratelimit"):
            if headers.get(f"{prefix}-remaining{kind}") == "0":
                reset = _seconds(headers.get(f"{prefix}-reset{kind}"))
                if reset is not None:
                    return _from_now(reset, now)
    asked = re.search(r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)? ?[a-z]*)+)", message)
    return (_seconds(asked.group(1)) or 0.0) if asked else 0.0


def _from_now(seconds: float, now: float) -> float:
    """Seconds to wait, from such a number, or from a time since 1970 in seconds or milliseconds."""
    seconds /= 1000 if seconds > 1e11 else 1
    return max(0.0, seconds - now) if seconds > 1e8 else seconds


_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*)?)s[a-z]*)?(?:(\d+(?:\.\d*)?)ms)?")


def _seconds(value: str | None) -> float | None:
    """The seconds of `2.5`, `20ms` or `1h2m3.5s`; 0 where it is negative, None where it is none."""
    text = (value or "").replace(" ", "").lower()
    try:
        seconds = float(text)
    except ValueError:
        parts = _DURATION.fullmatch(text)
        if not text or parts is None:
            return None
        hours, minutes, rest, milliseconds = (float(part or 0) for part in parts.groups())
        return 3600 * hours + 60 * minutes + rest + milliseconds / 1000
    return max(0.0, seconds) if math.isfinite(seconds) else None


_OBJECTS = re.compile(
    r"support|unrecogni|unknown|unexpected|\bextra\b|extra_|permitted|allowed|forbidden|invalid|"
    r"must be|too large|too high|at most|deprecated|cannot|can't|exceed|less than|greater than|"
    r"between|instead|not accept",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"\bsystem\b.{0,40}\b(?:role|message|prompt|instruction)|\brole.{0,40}\bsystem\b|"
    r"developer instruction|roles must alternate",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"use [`'\"]?(\w+)[`'\"]? instead", re.IGNORECASE)
_AT_MOST = re.compile(
    r"(?:at most|at maximum|maximum(?: of| is| value is)?|less than or equal to|<=|up to|"
    r"and|,) ?(\d+)\b",
    re.IGNORECASE,
)


def blamed(said: Complaint, sent: Collection[str]) -> str | None:
    """Returns the parameter, among the names `sent`, that a complaint is about; None if none is.

    Asked are, in this order, the complaint's own field and its words.
    """
    if said.param in sent:
        return said.param
    if _OBJECTS.search(said.message):
        places = {
            name: place.start()
            for name in sent
            if name != "system" and (place := re.search(rf"\b{re.escape(name)}\b", said.message))
        }
        if places:
            return min(places, key=places.__getitem__)
    return "system" if "system" in sent and _SYSTEM.search(said.message) else None


def fix(
    said: Complaint, parameter: str, stage: str, own: str | None = None, setting: str = "backend"
) -> str:
    """Returns the setting that keeps the complaint about `parameter` from coming again.

    Args:
        parameter: its name as it was sent.
        stage: the name of the stage's group in `sampling`.
        own: cotmill's name of the parameter, where it was sent under another.
        setting: the one that names the endpoint.
    """
    name = own or parameter
    parameters = f"{setting}.parameters"
    if name == "system":
        return f"set {parameters}.system=user"
    if name == "response_format":
        return f"set sampling.{stage}.json_schema=null"
    if instead := _INSTEAD.search(said.message):
        return f"set {parameters}.{name}={instead.group(1)}"
    if name == "max_tokens":
        limits = [int(number) for number in _AT_MOST.findall(said.message)]
        if limits:
            return f"set sampling.{stage}.max_tokens={min(limits)} or less"
        return f"set {parameters}.{name}=max_completion_tokens"
    return f"set {parameters}.{name}=null"
