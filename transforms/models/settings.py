"""How models are sampled, and when they are asked no more, as settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

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


Conditioning = Literal["few_shot", "kind", "unconditional"]


def _weights(value: Any) -> Any:
    """One name is a mix of one; a mix names nothing else and is not all zeros."""
    mix = {value: 1.0} if isinstance(value, str) else value
    if not isinstance(mix, dict) or not set(mix) <= set(get_args(Conditioning)):
        raise ValueError(
            f"should be one of {', '.join(get_args(Conditioning))}, or a map of them to weights "
            "such as {unconditional: 1, kind: 2}"
        )
    if all(weight == 0 for weight in mix.values()):
        raise ValueError("gives no weight to anything")
    return mix


class SamplingSettings(Group):
    """What is asked of the model, how often, and how it samples."""

    num_programs: int = Field(ge=1, description="program prompts (each sampled program.samples x)")
    accepted: int | None = Field(
        None,
        ge=1,
        description="rows wanted: after num_programs, go on in rounds of more programs until so "
        "many are accepted or the budget ends; each round pays only for what is new (null: one "
        "round)",
    )
    conditioning: Annotated[
        dict[Conditioning, Annotated[float, Field(ge=0, allow_inf_nan=False)]],
        BeforeValidator(_weights),
    ] = Field(
        description="what a program's prompt has: few_shot (verified seeds), kind (the name of a "
        "kind of problem), unconditional (nothing; the last two need a CodeGen model trained on "
        "programs), or a map of these to weights, such as {unconditional: 1, kind: 2}; Hydra adds "
        "a map to one in a YAML file, where a weight of 0 takes a name out"
    )
    kinds: list[str] | None = Field(
        None,
        min_length=1,
        description="kinds of problem that prompts are drawn from (null: those of the verified "
        "seeds); few_shot then shows seeds of one kind in each prompt",
    )
    seed: int = Field(0, ge=0, description="seed of every random choice of the run")
    license: str = Field(
        "NOASSERTION",
        description="SPDX licence of rows whose prompts show no seed: of what the model learned",
    )
    pool: int = Field(
        10_000, ge=1, description="verified seeds that examples are drawn from (a sample if more)"
    )
    unify: SamplerSettings = Field(description="problem -> program")
    program: SamplerSettings = Field(description="examples -> new program")
    reverse: SamplerSettings = Field(description="program -> instruction")
    solve: SamplerSettings = Field(description="instruction -> language solution")
    solve_code: SamplerSettings = Field(
        description="instruction -> program of its own (verify.mode code or both)"
    )

    def identity(self) -> Any:
        """Rounds decide no rows: those of the last are those of one run with its programs."""
        return self.model_dump(mode="json", exclude={"accepted"})
