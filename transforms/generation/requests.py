"""What is asked of a model and what it answers; a request's id is the hash of its content."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar

from transforms.ids import content_id, derived_seed
from transforms.records import Message


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


@lru_cache(1000)
def _values(sampler: Sampler) -> dict[str, Any]:
    """`asdict`, once for the many requests of a stage: it costs more than hashing them."""
    return asdict(sampler)


@dataclass(frozen=True)
class Request:
    """One sample asked of one model: a chat (`messages`) or a completion (`prompt`)."""

    stage: str
    """Who asks; for accounting, not part of the id."""
    model: str
    messages: tuple[Message, ...]
    """Chat turns; empty for a completion."""
    prompt: str | None
    """Text to continue; None for a chat."""
    sampler: Sampler
    run_seed: int
    sample: int
    """Which of several samples of the same prompt this is."""

    @cached_property
    def id(self) -> str:
        return content_id(
            "request",
            self.model,
            [[m.role, m.content] for m in self.messages],
            self.prompt,
            _values(self.sampler),
            self.run_seed,
            self.sample,
        )

    @property
    def seed(self) -> int:
        """The sampling seed (31 bits), derived from the id."""
        return derived_seed(self.run_seed, self.id)


@dataclass(frozen=True)
class Response:
    """What came back for one request: a text, or an error that is this request's alone."""

    id: str
    """The request's id."""
    stage: str
    model: str
    engine: str
    """The engine and its version, such as `vllm 0.32.0`."""
    text: str
    """The answer, beginning with the forced prefix."""
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


T = TypeVar("T")


@dataclass(frozen=True)
class Prompted(Generic[T]):
    """A record and the requests it needs answered."""

    record: T
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Answered(Generic[T]):
    """A record and its responses, in the order of its requests."""

    record: T
    responses: tuple[Response, ...]


def request_json(request: Request) -> dict[str, Any]:
    """The request's content as plain JSON values, for the ledger and for error messages."""
    return {
        "messages": [asdict(message) for message in request.messages],
        "prompt": request.prompt,
        "sampler": asdict(request.sampler),
        "run_seed": request.run_seed,
        "sample": request.sample,
    }
