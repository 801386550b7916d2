"""How models are sampled, and when they are asked no more, as settings."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from transforms.engine.settings import Group


class BudgetSettings(Group):
    """When a run stops asking; all of its attempts count, and resume=true goes on.

    Local workers share one account. On a remote runner each worker process counts what it spent
    itself, so the run may spend as many times the budget.
    """

    max_tokens: int | None = Field(
        None,
        ge=1,
        description="tokens that the run pays for at most, prompt and generated; what is in "
        "flight then is still answered (null: no limit)",
    )
    max_cost: float | None = Field(
        None, gt=0, description="the same as money, by the price table (null: no limit)"
    )

    def identity(self) -> Any:
        return None


class SamplerSettings(Group):
    """How one stage samples from the model."""

    samples: int = Field(ge=1, description="samples per prompt")
    temperature: float = Field(ge=0, le=2, description="0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus sampling")
    top_k: int = Field(0, ge=0, description="keep the k likeliest tokens (0: all)")
    min_p: float = Field(0.0, ge=0, le=1, description="drop tokens below min_p x the likeliest")
    max_tokens: int = Field(ge=1, description="longest answer, tokens")
    shots: int = Field(0, ge=0, description="worked examples drawn from the verified seeds")
    stop: list[str] = Field([], description="texts at which the answer ends, beside the prompt's")
    json_schema: dict[str, Any] | None = Field(
        None, description="JSON schema that the answer obeys, after the prompt's forced prefix"
    )
    regex: str | None = Field(
        None, description="regular expression that the answer matches, after the prompt's prefix"
    )
    logprobs: bool = Field(
        False, description="have the mean log probability of the answer's tokens recorded"
    )
    fire_temperature: float | None = Field(
        None,
        gt=0,
        description="temperature of the first token alone, such as 30: more diverse answers "
        "(FIRE; backends vllm and vllm_server)",
    )
    fire_top_k: int = Field(
        16,
        ge=2,
        le=20,
        description="with fire_temperature: likeliest tokens that the first is drawn from",
    )

    @model_validator(mode="after")
    def _possible(self) -> SamplerSettings:
        structured = [name for name in ("json_schema", "regex") if getattr(self, name) is not None]
        if len(structured) == 2:
            raise ValueError("json_schema and regex exclude each other: set one of them")
        if structured and self.fire_temperature:
            raise ValueError(
                f"fire_temperature and {structured[0]} exclude each other: set one of them"
            )
        return self
