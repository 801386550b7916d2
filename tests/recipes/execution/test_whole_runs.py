"""The recipes that need no model run whole, and their right answers are right to their graders."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.recipes import found
from pipelines.synthesize import synthesize
from tests.programs_for_tests import SANDBOX
from tests.settings_for_tests import composed
from transforms.engine.paths import DATA
from transforms.models.driver import drive
from transforms.stages.graders import grade

HERE = Path(__file__).parent
SHIPPED = ["source=shipped", f"source.path={DATA}/seeds/number_theory.jsonl", "source.limit=8"]
FUNCTION = ["source=function", "filter.min_code_lines=4"]
SOURCES = {
    "codesense": SHIPPED,
    "compiler_ir": [
        *FUNCTION, "source.function=transforms.programs.loops.programs",
        "source.arguments.count=4",
    ],
    "cruxeval": [
        *FUNCTION, "source.function=transforms.sources.published.cruxeval_rows",
        f"source.arguments.path={HERE}/cruxeval.jsonl", "source.limit=8",
    ],
    "cwm": SHIPPED,
    "flare": [
        *FUNCTION, "source.function=transforms.programs.deductions.problems",
        "source.arguments.count=6",
    ],
    "reval": SHIPPED,
    "selfpico": [*SHIPPED, f"source.path={DATA}/seeds/percent_interest.jsonl"],
    "sx_bench": [*SHIPPED, "source.limit=16"],
    "think_and_execute": [*SHIPPED, f"source.path={DATA}/seeds/short_rates.jsonl"],
}  # fmt: skip


def run(recipe: str, folder: Path) -> list[dict[str, Any]]:
    settings = composed(
        f"recipe={recipe}", *SOURCES[recipe], "sandbox.slots=1", f"output_dir={folder}"
    )
    synthesize(settings, Console(file=io.StringIO()))
    return pl.read_parquet(folder / "data" / "*.parquet").to_dicts()


@pytest.mark.parametrize("recipe", SOURCES)
def test_a_recipe_makes_rows_whose_answer_its_own_grader_accepts(
    recipe: str, tmp_path: Path
) -> None:
    rows = run(recipe, tmp_path)
    assert len(rows) >= 4
    tasks = [SimpleNamespace(**row) for row in rows]
    answered = {id(task): task.messages[-1]["content"] for task in tasks}
    marks = drive(tasks, lambda task: grade(task, answered[id(task)]), sandbox=SANDBOX)
    assert {mark.score for mark in marks} == {1.0}


def test_two_runs_of_a_recipe_write_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        run("reval", folder)
    one, two = ([path.read_bytes() for path in sorted((f / "data").iterdir())] for f in folders)
    assert one == two


def test_every_execution_recipe_without_a_model_is_run_here() -> None:
    listed = {
        name for name, each in found() if (each.family, each.needs) == ("execution", "no model")
    }
    assert listed == set(SOURCES)
