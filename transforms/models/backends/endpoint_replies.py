"""Reads what OpenAI-compatible endpoints reply: answers and complaints, in all their forms."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from transforms.engine.records import ToolCall
from transforms.models.backends.base import valid_text
from transforms.models.scores import NoScores

_CUT_OFF = {"length", "max_tokens", "model_length", "max_output_tokens"}
_BROKEN_OFF = {"abort", "aborted", "error", "cancelled", "insufficient_system_resource"}
_THINKING = {"thinking", "reasoning", "reasoning_text"}
"""Types of the blocks of a content that hold a thought."""
_FILTERED = {"content_filter", "safety", "recitation", "refusal"}

PAGE = "a web page instead of JSON"


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


def read_json(content: bytes, setting: str = "backend") -> Any:
    """Returns the JSON value of a reply, whatever its content type.

    Args:
        setting: the one that names the endpoint, for messages.

    Raises:
        NoAnswer: it is not JSON.
    """
    text = content.decode("utf-8-sig", "replace").strip()
    if _is_page(text):
        raise NoAnswer(
            f"{PAGE} ({_excerpt(text)}): is {setting}.base_url the root of the "
            "API, such as http://127.0.0.1:8000/v1?"
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        shown = f"{type(error).__name__}: {error}: {_excerpt(text)!r}"
        raise NoAnswer(f"no whole JSON ({shown})") from None


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
    if error := reply.get("error") or choice.get("error"):
        raise complaint(200, {}, json.dumps({"error": error}).encode())
    if not choice:
        raise NoAnswer("the answer holds no choices")
    finish = str(choice.get("finish_reason") or "").lower()
    if finish in _BROKEN_OFF:
        raise NoAnswer(f"the endpoint broke the answer off (finish_reason {finish})")
    message = choice.get("message")
    message = message if isinstance(message, dict) else choice
    refusal = message.get("refusal")
    if finish in _FILTERED:
        raise Refused(f"the server filtered the answer (finish_reason {finish})")
    if isinstance(refusal, str) and refusal:
        raise Refused(f"the model refused: {refusal}")
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
    if isinstance(content, list) and content and isinstance(content[0], dict):
        likely = content[0].get("top_logprobs") or []
        pairs = [(each.get("token"), each.get("logprob")) for each in likely]
    else:
        first = top[0] if isinstance(top, list) and top else None
        pairs = list(first.items()) if isinstance(first, dict) else []
    if not pairs:
        raise NoScores("its answer holds no top_logprobs")
    return [(_clean(str(token)), float(logprob)) for token, logprob in pairs]


def read_echo(reply: Any) -> tuple[list[str], list[float | None]]:
    """Returns the tokens of a completion that echoes its prompt, and the log probability of each.

    Raises:
        NoScores: the reply, one that holds an answer, does not have them for its prompt.
    """
    logprobs = _logprobs(reply)
    tokens, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise NoScores("its answer holds no token_logprobs")
    return [str(token) for token in tokens], values


def _logprobs(reply: Any) -> dict[str, Any]:
    logprobs = reply["choices"][0].get("logprobs")
    return logprobs if isinstance(logprobs, dict) else {}


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
    """The text of a message's content: a string, or a list of blocks."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [block if isinstance(block, str) else _block(block) for block in content]
    return "".join(texts) if any(text is not None for text in texts) else None


def _block(block: Any) -> str:
    if not isinstance(block, dict) or block.get("type", "text") not in ("text", "output_text"):
        return ""  # reasoning, an image, a tool call
    text = block.get("text")
    return text if isinstance(text, str) else ""


def _instead(message: dict[str, Any]) -> str:
    """What a message without text holds."""
    if message.get("tool_calls") or message.get("function_call"):
        return ": the model calls a tool that it was not offered; turn the endpoint's tools off"
    if message.get("reasoning_content") or message.get("reasoning"):
        return ", only reasoning"
    return ""


def _count(value: Any) -> int | None:
    """A number of tokens; None where `value` is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if math.isfinite(number) and number >= 0 else None


def _mean_logprob(logprobs: Any) -> float | None:
    if not isinstance(logprobs, dict):
        return None
    content = logprobs.get("content")
    if isinstance(content, list):
        values = [each.get("logprob") for each in content if isinstance(each, dict)]
    else:
        values = logprobs.get("token_logprobs") or []
    numbers = [value for value in values if isinstance(value, (int, float))]
    return sum(numbers) / len(numbers) if numbers else None


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
    if status < 400:
        status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 502
    message = " ".join(valid_text(message).split())[:300] or "no reason stated"
    return Complaint(status, message, param, code, asked_wait(headers, message))


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
    code = str(value.get("code") or value.get("type") or "")
    for key in ("error", "detail", "errors", "message", "msg", "title"):
        if value.get(key):
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
        text = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text)
    return " ".join(text.split())[:200]


def asked_wait(headers: Mapping[str, str], message: str = "", now: float | None = None) -> float:
    """Returns the seconds that an endpoint asks to wait, by its headers or its words; else 0.

    Read are `retry-after-ms`, `retry-after` (seconds, or an HTTP date), `x-ratelimit-reset…` and
    `ratelimit-reset` (seconds, a duration such as 1m2.5s, or a time since 1970) where nothing is
    left, and "try again in 1.2s". `now` is the time since 1970, seconds.

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
            return seconds
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
        except ValueError:
            return 0.0
    for kind in ("-requests", "-tokens", ""):
        for prefix in ("x-ratelimit", "ratelimit"):
            if headers.get(f"{prefix}-remaining{kind}") == "0":
                reset = _seconds(headers.get(f"{prefix}-reset{kind}"))
                if reset is not None:
                    reset /= 1000 if reset > 1e11 else 1  # milliseconds since 1970
                    return max(0.0, reset - now) if reset > 1e8 else reset
    asked = re.search(r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)? ?[a-z]*)+)", message)
    return (_seconds(asked.group(1)) or 0.0) if asked else 0.0


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
    said: Complaint,
    parameter: str,
    stage: str,
    own: str | None = None,
    setting: str = "backend",
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
