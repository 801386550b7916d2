"""openmath_tir over fifty shipped seeds with a model that was not trained for it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from pipelines.synthesize import synthesize
from tests.conftest import VllmServer
from tests.settings_for_tests import composed


def test_a_small_model_leaves_every_seed_accounted_for(
    tmp_path: Path, vllm_server: VllmServer
) -> None:
    backend = vllm_server.backend(api="chat", continue_prefix=True)
    options = [
        *(
            "recipe=openmath_tir",
            "backend=openai",
            "backend.api=chat",
            "backend.continue_prefix=true",
        ),
        *(f"backend.{name}={getattr(backend, name)}" for name in ("base_url", "model")),
        *(f"backend.api_key_env={backend.api_key_env}", "backend.max_in_flight=50"),
        *("source=shipped", "source.limit=50", "recipe.stages.solve.sampler.samples=1"),
        *("recipe.stages.solve.sampler.max_tokens=64", "recipe.stages.solve.cells=1"),
        *("recipe.stages.solve.max_generated=96", f"output_dir={tmp_path}/run"),
    ]
    manifest = synthesize(composed(*options), Console(file=io.StringIO()))
    stages = [stage for segment in manifest["segments"] for stage in segment["stages"]]
    [solve] = [stage for stage in stages if stage["name"] == "solve"]
    assert solve["in"] == 50
    assert solve["in"] == solve["kept"] + sum(solve["rejected"].values()) + solve["unanswered"]
