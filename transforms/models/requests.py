"""What is asked of a model and what it answers; a request's id is the hash of its content."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from transforms.engine.ids import canonical_json, derived_seed, text_id
from transforms.engine.records import Message, PictureMessage, Shown, ToolCall
from transforms.text.thoughts import THINK_TAGS


@dataclass(frozen=True)
class Sampler:
    """The settings that decide what a model writes."""

    temperature: float
    top_p: float
    top_k: int
    """0 keeps every token."""
    min_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()
    prefix: str = ""
    """Text the answer is forced to begin with; part of the response's text."""
    json_schema: str | None = None
    """JSON schema (as canonical JSON) that what follows the prefix must obey."""
    regex: str | None = None
    """Regular expression that what follows the prefix must match as a whole."""
    logprobs: bool = False
    """Whether the response says how likely its tokens were."""
    fire_temperature: float | None = None
    """Temperature of the first token alone (FIRE)."""
    fire_top_k: int | None = None
    """The first token is one of the `fire_top_k` likeliest."""
    left_out: tuple[str, ...] = ()
    """Parameters of the above that the endpoint does not take, so that its own values hold."""
    ignore_eos: bool = False
    """Whether the answer goes on to `max_tokens` come what may: for measuring."""

    def identity(self) -> dict[str, Any]:
        """What decides the answer, as JSON values.

        Settings that came later than the first ledgers are named only where they are used, so
        that requests without them keep their ids.
        """
        return dict(self._identity)

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """Made once for the many requests of a stage, as are the texts below."""
        values = asdict(self)
        return {name: value for name, value in values.items() if value or name not in _LATER}

    @cached_property
    def json(self) -> str:
        """Canonical JSON of `identity`."""
        return canonical_json(self._identity)

    @cached_property
    def limitless_json(self) -> str:
        """Canonical JSON of `identity` without the limit on tokens."""
        values = self._identity.items()
        return canonical_json({name: value for name, value in values if name != "max_tokens"})


_LATER = {
    "json_schema",
    "regex",
    "logprobs",
    "fire_temperature",
    "fire_top_k",
    "left_out",
    "ignore_eos",
}


@dataclass(frozen=True)
class Score:
    """What is asked for in place of an answer: log probabilities (`transforms.models.scores`)."""

    continuation: str | None = None
    """The text to score after the prompt; None where labels are."""
    labels: tuple[str, ...] = ()
    """The words to score as the answer's first token; empty where a continuation is."""

    def identity(self) -> dict[str, Any]:
        """The one of the two that is asked for, as JSON values."""
        if self.continuation is None:
            return {"labels": list(self.labels)}
        return {"continuation": self.continuation}


def tool_json(name: str, description: str, parameters: dict[str, Any]) -> str:
    """Returns a tool as `Request.tools` has it.

    Args:
        parameters: JSON schema of the arguments.
    """
    function = {"name": name, "description": description, "parameters": parameters}
    return canonical_json({"type": "function", "function": function})


@dataclass(frozen=True)
class Request:
    """One sample asked of one model: a chat (`messages`) or a completion (`prompt`)."""

    stage: str
    """Who asks; for accounting, not part of the id."""
    model: str
    """The model's name, for people, prices and the engine."""
    messages: tuple[Message, ...]
    """Chat turns; empty for a completion."""
    prompt: str | None
    """Text to continue; None for a chat."""
    sampler: Sampler
    run_seed: int
    sample: int
    """Which of several samples of the same prompt this is."""
    model_id: str = ""
    """What identifies the model's content; empty where its name does."""
    tools: tuple[str, ...] = ()
    """Tools that the model may call, each in the API's form as canonical JSON (`tool_json`)."""
    template: str = "{}"
    """Further arguments of the chat template, as canonical JSON."""
    body: str = "{}"
    """Further fields of the request to an endpoint, as canonical JSON."""
    think_tags: tuple[str, str] | None = THINK_TAGS
    """What a thought in the answer's text stands between; None leaves the text as it is. It decides
    how an answer is read, not what is asked, so it is not part of the id."""
    reasons: bool = False
    """Whether the model is known to think before it answers; not part of the id either."""
    score: Score | None = None
    """What is scored; None where an answer is asked for."""
    named: str | None = None
    """What the recipe calls the model, where it is not the stage's own. It decides where the
    request goes, not what is asked, so it is not part of the id either."""
    blobs: str = ""
    """Folder of the bytes of its pictures; not part of the id."""

    @property
    def shown(self) -> tuple[Shown, ...]:
        """The pictures of all messages, in order."""
        return tuple(picture for message in self.messages for picture in message.shown)

    @cached_property
    def id(self) -> str:
        return self._ids[0]

    @property
    def question(self) -> str:
        """The id without the limit: equal for requests that differ only in `max_tokens`."""
        return self._ids[1]

    @cached_property
    def _ids(self) -> tuple[str, str]:
        """`content_id` of the model, the words, the sampler and the sample, with the sampler's
        limit and without it. The JSON of the words, most of what is hashed, is written once.

        Fields that came later than the first ledgers count only where they are used.
        """
        turns = [[m.role, m.content, *filter(None, [m.later()])] for m in self.messages]
        later = self.later()
        before = canonical_json([self.model_id or self.model, turns, self.prompt])[1:-1]
        after = f"{self.run_seed},{self.sample}{',' + canonical_json(later) if later else ''}"
        return (
            text_id(f'["request",{before},{self.sampler.json},{after}]'),
            text_id(f'["question",{before},{self.sampler.limitless_json},{after}]'),
        )

    def later(self) -> dict[str, Any]:
        """Those of tools, template, body and score that are used, as JSON values."""
        if not self.tools and self.score is None and self.template == self.body == "{}":
            return {}
        values = {
            "tools": [json.loads(tool) for tool in self.tools],
            "template": json.loads(self.template),
            "body": json.loads(self.body),
            "score": None if self.score is None else self.score.identity(),
        }
        return {name: value for name, value in values.items() if value}

    @property
    def seed(self) -> int:
        """The sampling seed (31 bits), derived from the id."""
        return derived_seed(self.run_seed, self.id)


class ErrorKind(StrEnum):
    """Why a request failed alone: a closed vocabulary, whatever the engine."""

    TOO_LONG = "too_long"
    """The prompt does not fit into the model's context."""
    REFUSED = "refused"
    """The model or its server declined: a content filter, or a refusal."""
    BAD_JSON = "bad_json"
    """A JSON schema was asked for, and the answer is not JSON."""
    TIMEOUT = "timeout"
    """No answer in time, however often it was asked."""
    SERVER_ERROR = "server_error"
    """The server failed, or answered no whole answer, however often it was asked."""
    INVALID = "invalid"
    """The engine or server cannot take the request as it is."""


UNANSWERED = frozenset({ErrorKind.TIMEOUT, ErrorKind.SERVER_ERROR})
"""Failures that are not the request's own fault: asked again later, it may well be answered."""


@dataclass(frozen=True)
class Response:
    """What came back for one request: a text, calls of tools, or an error of this request alone."""

    id: str
    """The request's id."""
    stage: str
    model: str
    engine: str
    """The engine and its version, such as `vllm 0.32.0`."""
    text: str
    """The answer, beginning with the forced prefix, without the thought before it."""
    finish_reason: str
    """`stop`, `length`, or `error`."""
    error: str | None
    prompt_tokens: int
    generated_tokens: int
    seconds: float
    """From submission to the last token."""
    request: str = "{}"
    """The request itself as JSON, so that a ledger can be read by a person."""
    recorded: bool = False
    """True where the response was read from a ledger and cost nothing now."""
    cached_tokens: int = 0
    """Of `prompt_tokens`, those that the engine's prefix cache held."""
    mean_logprob: float | None = None
    """Mean log probability of the generated tokens; None where the engine was not asked."""
    error_kind: ErrorKind | None = None
    """Of which kind `error` is; None where there is none."""
    reasoning: str | None = None
    """What the model thought before the answer; None where it did not."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The calls of tools that the model asks for."""

    @property
    def message(self) -> Message:
        """The assistant's turn, to append to the conversation."""
        return Message("assistant", self.text, self.reasoning, self.tool_calls or None)

    @property
    def unanswered(self) -> bool:
        """Whether nobody answered: this says nothing of the request or of its record."""
        return self.error_kind in UNANSWERED


def message_json(message: Message) -> dict[str, Any]:
    """Returns a turn as chat APIs and chat templates take it.

    A thought goes back to the model only with the calls of tools that it led to: templates drop
    it elsewhere, and some endpoints refuse it there. Pictures are left to `images.wire`.
    """
    values: dict[str, Any] = {"role": message.role, "content": message.content, **message.later()}
    values.pop("pictures", None)
    reasoning = values.pop("reasoning", None)
    if message.tool_calls:
        values["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
        if reasoning:
            values["reasoning_content"] = reasoning
    return values


def request_json(request: Request) -> dict[str, Any]:
    """The request's content as plain JSON values, for the ledger and for error messages.

    `request_from_json` reads it.
    """
    return {
        "messages": [{"role": m.role, "content": m.content, **m.later()} for m in request.messages],
        "prompt": request.prompt,
        "sampler": request.sampler.identity(),
        "run_seed": request.run_seed,
        "sample": request.sample,
        **request.later(),
    }


def request_from_json(stage: str, model: str, model_id: str, values: dict[str, Any]) -> Request:
    """Returns the request that `request_json` wrote.

    Raises:
        AttributeError, KeyError, TypeError: `values` are not a request's.
    """
    score = values.get("score")
    sampler: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values["sampler"].items()
    }
    return Request(
        stage=stage,
        model=model,
        messages=tuple(map(_message, values["messages"])),
        prompt=values["prompt"],
        sampler=Sampler(**sampler),
        run_seed=values["run_seed"],
        sample=values["sample"],
        model_id=model_id,
        tools=tuple(map(canonical_json, values.get("tools", []))),
        template=canonical_json(values.get("template", {})),
        body=canonical_json(values.get("body", {})),
        score=score and Score(score.get("continuation"), tuple(score.get("labels", ()))),
    )


def _message(values: dict[str, Any]) -> Message:
    calls = values.get("tool_calls")
    fields = {**values, "tool_calls": calls and tuple(ToolCall(**call) for call in calls)}
    if "pictures" not in values:
        return Message(**fields)
    pictures = tuple(Shown(**picture) for picture in values["pictures"])
    return PictureMessage(**{**fields, "pictures": pictures})
