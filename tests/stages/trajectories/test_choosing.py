"""The page on choosing names what there is, and its recipes build."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.config_folders import take_config_folders
from tests.pages import blocks
from tests.pipelines.commands import settings_of
from transforms.engine.paths import CONFIG_FOLDERS, PROJECT
from transforms.engine.recipe import build_segments
from transforms.recipes.settings import Settings
from transforms.stages.trajectories.masks import RULES, failed_calls
from transforms.stages.trajectories.select import SELECTORS

PAGE = PROJECT / "docs" / "choose.md"
SERVER = ("backend.base_url=http://127.0.0.1:1/v1", "backend.model=m", "backend.api=chat")


def test_every_selector_and_every_mask_is_named() -> None:
    assert [name for name in (*SELECTORS, *RULES) if f"`{name}`" not in PAGE.read_text()] == []


def _stages(recipe: str) -> dict[str, Any]:
    settings = settings_of("synthesize", Settings, f"recipe={recipe}", "backend=openai", *SERVER)
    segments = build_segments(settings, "x", "x/ledger")
    return {stage.name: stage for segment in segments for stage in segment.stages}


def test_the_recipes_build_with_its_rules_and_their_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (CONFIG_FOLDERS, "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.syspath_prepend("")
    (tmp_path / "recipe").mkdir()
    names = ("chosen", "gtpo_control")
    for name, recipe in zip(names, blocks(PAGE, "yaml"), strict=True):
        (tmp_path / "recipe" / f"{name}.yaml").write_text(recipe)
    take_config_folders(["--config-dir", str(tmp_path)])
    stages, controlled = map(_stages, names)
    assert list(stages) == ["seeds", "solve", "band", "shortest", "mask"]
    assert [*controlled][[*controlled].index("solve") + 1] == "control"
    assert stages["band"].rejects_for() == ("too_hard", "too_easy")
    assert stages["shortest"].rejects_for() == ("wrong", "longer")
    assert stages["mask"].rules[0].__wrapped__ is failed_calls
