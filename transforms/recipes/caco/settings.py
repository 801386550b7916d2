"""How Caco samples: what each of its stages asks of the model, and how often."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from transforms.engine.settings import Group
from transforms.models.settings import SamplerSettings

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
