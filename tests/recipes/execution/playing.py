"""Plays the stages of the recipes that need no model, in this process and a real sandbox."""

from __future__ import annotations

from typing import Any

from tests.programs_for_tests import SANDBOX
from tests.settings_for_tests import composed
from transforms.engine.recipe import build_segments
from transforms.engine.records import Seed
from transforms.engine.stage import pair
from transforms.models.driver import drive
from transforms.models.episode import Steps


def stage(recipe: str, name: str, *overrides: str) -> Any:
    """A stage of a recipe."""
    segments = build_segments(composed(f"recipe={recipe}", *overrides, "output_dir=x"), "x", "x")
    return {each.name: each for segment in segments for each in segment.stages}[name]


def seed_of(code: str, output: str | None = None) -> Seed:
    """A verified seed that is a program alone."""
    seed = Seed.make(problem="?", source="tests", license="MIT", code=code)
    return Seed(**{**vars(seed), "output": output})


def played(stage: Any, *seeds: Seed, **sides: Any) -> tuple[list[Any], list[str]]:
    """Returns the records that a stage keeps of seeds, and its reasons for rejecting others."""

    def episode(seed: Seed) -> Steps[Any]:
        return stage.episode(seed, **sides)

    pairs = []
    for seed, result in zip(seeds, drive(seeds, episode, sandbox=SANDBOX), strict=True):
        pairs += [pair(seed, one) for one in (result if isinstance(result, list) else [result])]
    kept = [record for record, verdict in pairs if verdict.kept]
    return kept, [verdict.reason for _, verdict in pairs if not verdict.kept]
