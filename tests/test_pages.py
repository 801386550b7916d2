"""What the pages of docs/ show runs as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from tests.chat_server import chat_server
from tests.pipelines.commands import cotmill
from transforms.engine.paths import PROJECT

DOCS = PROJECT / "docs"
SEEDS = [
    {"problem": "What is 6 times 7?", "answer": "42", "license": "MIT"},
    {"problem": "What is 2 to the power 10?", "answer": "1024", "license": "MIT"},
    {"problem": "What is 9 squared?", "answer": "81", "license": "MIT"},
    {"problem": "What is the colour of the sky?", "license": "MIT"},
]


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code of a page that are in a language."""
    text = (DOCS / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def commands(page: str) -> list[list[str]]:
    lines = "".join(blocks(page, "sh")).splitlines()
    return [line.replace("'", "").split()[1:] for line in lines]


def solve(body: dict[str, Any]) -> dict[str, Any]:
    """Right, right in too many words, wrong."""
    problem = body["messages"][-1]["content"]
    if "6 times" in problem:
        return {"content": "It is \\boxed{42}."}
    if "power" in problem:
        return {"content": "so " * 500 + "it is \\boxed{1024}."}
    return {"content": "It is \\boxed{18}."}


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], int]:
    """The folder in which the commands of write_a_recipe.md were run, what each printed, and how
    many requests they made."""
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "seeds.jsonl").write_text("\n".join(map(json.dumps, SEEDS)))
    printed = []
    with chat_server(solve) as (url, asked):
        for command in commands("write_a_recipe"):
            filled = [word.replace("URL", url).replace("MODEL", "m") for word in command]
            done = cotmill(*filled, cwd=folder)
            assert done.returncode == 0, done.stderr
            printed.append(done.stdout)
    return folder, printed, len(asked)


def test_the_commands_of_write_a_recipe_make_rows_and_count_the_recipes_own_reasons(
    walked,
) -> None:
    folder, _, _ = walked
    [row] = pl.read_parquet(folder / "runs/sums/data/*.parquet").to_dicts()
    assert (row["answer"], row["license"]) == ("42", "MIT")
    rejects = pl.read_parquet(folder / "runs/sums/rejects/*.parquet")
    assert sorted(zip(rejects["stage"], rejects["reason"], strict=True)) == [
        ("answer", "answer_mismatch"), ("answer", "no_reference"), ("brief", "too_long"),
    ]  # fmt: skip
    card = (folder / "runs/sums/README.md").read_text()
    assert "| solution | string | What the model wrote |" in card


def test_the_run_does_not_pay_again_for_what_the_preview_asked(walked) -> None:
    _, printed, asked = walked
    assert "answer: 4 in, 2 kept" in printed[1]
    assert asked == 3


def test_help_shows_the_stages_of_ones_own_recipe(walked) -> None:
    _, printed, _ = walked
    assert "recipe.stages.answer.sampler" in printed[3]


def test_the_test_that_comes_with_a_recipe_passes(walked) -> None:
    folder, _, _ = walked
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", str(folder / "sums")],
        env={"PYTHONPATH": f"{folder / 'sums'}:{PROJECT}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "3 passed" in done.stdout, done.stdout


def test_the_recipe_that_extends_caco_is_one(walked) -> None:
    folder, _, _ = walked
    [extending] = blocks("write_a_recipe", "yaml")
    (folder / "sums/recipe/brief.yaml").write_text(extending)
    done = cotmill("recipes", "--config-dir", "sums", cwd=folder)
    assert "brief: As caco, without long solutions" in done.stdout, done.stderr
    assert "verify > brief > deduplicate" in done.stdout


def test_the_stages_of_write_a_stage_are_stages(tmp_path: Path) -> None:
    page: dict[str, Any] = {}
    for block in blocks("write_a_stage", "python"):
        (tmp_path / "page.py").write_text(block)
        exec(compile(block, str(tmp_path / "page.py"), "exec"), page)
    made = page["AsQuestion"](most=3).of(page["Seed"].make(problem="long", source="", license=""))
    assert made.reason == "too_long"
    for block in blocks("write_a_stage", "yaml"):
        assert yaml.safe_load(block)


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """A folder with problems and their programs: right, the same again, wrong, broken."""
    programs = ["output = 6 * 7", "output = 42 + 0 * 1", "output = 41", "output ="]
    rows = {
        "id": ["a", "b", "c", "d"],
        "question": ["What is 6 times 7?"] * 4,
        "program": programs,
        "answer": ["42"] * 4,
        "output": [""] * 4,
    }
    for folder in ("problems", "in"):
        (tmp_path / folder).mkdir()
        pl.DataFrame(rows).write_parquet(tmp_path / folder / "rows.parquet")
    return tmp_path


def test_the_pipeline_of_the_library_page_verifies_rows(problems: Path) -> None:
    [program] = blocks("library", "python")
    (problems / "pipeline.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "pipeline.py"],
        cwd=problems,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    [row] = pl.read_parquet(problems / "verified" / "*.parquet").to_dicts()
    assert (row["id"], row["output"]) == ("a", "42")
    rejects = pl.read_parquet(problems / "rejects" / "*.parquet")
    assert sorted(zip(rejects["id"], rejects["stage"], rejects["reason"], strict=True)) == [
        ("b", "deduplicate", "duplicate_instruction"),
        ("c", "grade", "answer_mismatch"),
        ("d", "run", "syntax_error"),
    ]


@pytest.mark.parametrize("command", commands("library"), ids=lambda words: words[0])
def test_the_commands_over_any_parquet_run(problems: Path, command: list[str]) -> None:
    done = cotmill(*command, cwd=problems)
    assert done.returncode == 0, done.stderr
    assert " rows in " in done.stdout
