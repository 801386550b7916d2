"""A recipe of a user's own records, stages and checks runs, counts and reports like Caco."""

import io
import json
from pathlib import Path

import polars as pl
from datasets import load_dataset
from rich.console import Console

from pipelines.synthesize import print_where, run_recipe
from tests.settings_for_tests import composed
from transforms.engine.recipe import build_segments
from transforms.engine.run_folder import RunFolder
from transforms.engine.settings import RecipeSettings

STAGES = {
    "tell": {"_target_": "tests.foreign.trajectories.Tell", "count": 10},
    "small": {"_target_": "transforms.Filter", "checks": ["tests.foreign.trajectories.is_no_nine",
                                                          "tests.foreign.trajectories.is_small"]},
    "reward": {"_target_": "tests.foreign.trajectories.Reward"},
    "few": {"_target_": "transforms.Limit", "key": "tests.engine.test_foreign_recipe.reward_of",
            "keep": 3, "reason": "enough_of_them"},
}  # fmt: skip


def reward_of(trajectory):
    return str(trajectory.reward)


def run(folder: Path, **changes):
    settings = composed(f"output_dir={folder}", "sandbox.slots=1")
    recipe = RecipeSettings(name="squares", about="Squares.", prompts="", stages=STAGES)
    settings = settings.model_copy(update={"recipe": recipe, **changes})
    segments = build_segments(settings, str(folder))
    console = Console(file=io.StringIO(), width=200)
    manifest = run_recipe(settings, segments, RunFolder(str(folder)), console)
    print_where(manifest, settings, console)
    return manifest, console.file.getvalue()


def test_it_runs_is_counted_resumed_and_reported(tmp_path):
    manifest, said = run(tmp_path / "run")
    counts = {
        s["name"]: (s["in"], s["kept"], s["rejected"])
        for e in manifest["segments"]
        for s in e["stages"]
    }
    assert counts == {
        "tell": (10, 10, {}),
        "small": (10, 8, {"far_too_large": 1, "nine": 1}),
        "reward": (8, 8, {}),
        "few": (8, 5, {"enough_of_them": 3}),
    }
    rows = load_dataset("parquet", data_files=str(tmp_path / "run/data/*.parquet"))["train"]
    assert sorted(rows["reward"]) == [0.0] * 3 + [1.0] * 2
    rejects = pl.read_parquet(tmp_path / "run/rejects/*.parquet").filter(reason="far_too_large")
    assert json.loads(rejects["record"][0])["messages"][1]["content"] == "8"
    assert (
        "| reward | double | What the last turn is worth |"
        in (tmp_path / "run/README.md").read_text()
    )
    page = (tmp_path / "run/report.html").read_text()
    assert "far_too_large" in page and '<div class="role">user</div>' in page
    assert "note: small rejects for nine, which it does not declare" in said
    assert "warning" not in said and "user: Square" in said
    again, said = run(tmp_path / "run", resume=True)
    assert "02-reward: done before" in said and again["accepted"] == 5
