"""The bench trains on a run's exports with each trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.benches.trainers import BenchTrainersSettings, trained
from tests.publish.export import runs
from tests.training.tiny import write_tiny_model
from transforms.engine.errors import SettingsError


def test_each_trainer_takes_its_steps_on_the_exports_of_a_run(tmp_path: Path) -> None:
    model, run = write_tiny_model(tmp_path / "model"), runs.caco(tmp_path / "run")
    settings = BenchTrainersSettings(run=run.root, model=model, steps=2, max_tokens=128)
    rows = {row["trainer"]: row for row in trained(settings)}
    assert [row["steps"] for row in rows.values()] == [2, 2, 2]
    assert rows["GRPO"]["reward"] == 0 and rows["SFT"]["reward"] is None
    assert rows["DPO"]["examples"] == 6


def test_a_limit_that_leaves_nothing_to_learn_is_one_line(tmp_path: Path) -> None:
    model, run = write_tiny_model(tmp_path / "model"), runs.caco(tmp_path / "run")
    settings = BenchTrainersSettings(run=run.root, model=model, steps=2, max_tokens=2)
    with pytest.raises(SettingsError, match="max_tokens=2 cuts every example of SFT"):
        next(trained(settings))
