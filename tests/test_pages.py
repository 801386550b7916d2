"""What the pages of docs/ show runs as it stands there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import yaml
from hydra.utils import get_class

from tests.chat_server import chat_server
from tests.models.examples import request, response
from tests.pages import DOCS, blocks, commands
from tests.pipelines.commands import cotmill
from transforms.engine.paths import PROJECT
from transforms.engine.records import Seed
from transforms.models.driver import drive
from transforms.models.episode import play
from transforms.models.requests import Request
from transforms.models.tools import bind
from transforms.sandbox.jobs import Status

SEEDS = [
    {"problem": "What is 6 times 7?", "answer": "42", "license": "MIT"},
    {"problem": "What is 2 to the power 10?", "answer": "1024", "license": "MIT"},
    {"problem": "What is 9 squared?", "answer": "81", "license": "MIT"},
    {"problem": "What is the colour of the sky?", "license": "MIT"},
]


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
        for command in commands(DOCS / "write_a_recipe.md", "sh"):
            filled = [word.replace("URL", url).replace("MODEL", "m") for word in command[1:]]
            done = cotmill(*filled, cwd=folder)
            assert done.returncode == 0, done.stderr
            printed.append(done.stdout)
    return folder, printed, len(asked)


def test_the_commands_of_write_a_recipe_make_rows_and_count_the_recipes_own_reasons(walked) -> None:
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
        timeout=600,
    )
    assert "3 passed" in done.stdout, done.stdout


def test_the_recipe_that_extends_caco_is_one(walked) -> None:
    folder, _, _ = walked
    [extending] = blocks(DOCS / "write_a_recipe.md", "yaml")
    (folder / "sums/recipe/brief.yaml").write_text(extending)
    done = cotmill("recipes", "--config-dir", "sums", cwd=folder)
    assert "brief: As caco, without long solutions" in done.stdout, done.stderr
    assert "verify > brief > deduplicate" in done.stdout


def test_the_stages_of_write_a_stage_are_stages(tmp_path: Path) -> None:
    page: dict[str, Any] = {}
    for block in blocks(DOCS / "write_a_stage.md", "python"):
        (tmp_path / "page.py").write_text(block)
        exec(compile(block, str(tmp_path / "page.py"), "exec"), page)
    made = page["AsQuestion"](most=3).of(page["Seed"].make(problem="long", source="", license=""))
    assert made.reason == "too_long"
    for block in blocks(DOCS / "write_a_stage.md", "yaml"):
        assert yaml.safe_load(block)


def test_the_tools_of_write_a_stage_are_bound_and_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = blocks(DOCS / "write_a_stage.md", "python")
    (tmp_path / "my_module.py").write_text("\n".join(code))
    monkeypatch.syspath_prepend(tmp_path)
    yamls = [yaml.safe_load(block) for block in blocks(DOCS / "write_a_stage.md", "yaml")]
    stage, shown = (next(y[name] for y in yamls if name in y) for name in ("explain", "search"))
    explain = get_class(stage["_target_"])(tools=bind(stage["tools"]))
    words = [Seed.make(problem=word, source="", license="") for word in ("mill", "oat")]
    known, unknown = drive(words, explain.episode)
    assert (known.problem, unknown.detail) == ("mill", "KeyError: 'oat'")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("A mill grinds grain.")
    shown["arguments"]["folder"] = str(tmp_path / "texts")
    assert "grinds" in bind({"search": shown})["search"]('{"query": "grain"}').text


def test_the_tree_search_of_write_a_stage_takes_the_first_program_that_runs() -> None:
    page: dict[str, Any] = {}
    for block in blocks(DOCS / "write_a_stage.md", "python"):
        if "@check" not in block:
            exec(compile(block, "page", "exec", dont_inherit=True), page)
    stage = SimpleNamespace(
        sampler=None,
        requests=lambda sampler, first, **words: [
            request(words["failed"], sample=first + number) for number in range(3)
        ],
    )

    def answer(effect: Any) -> Any:
        if isinstance(effect, Request):
            return response(effect, f"{effect.prompt}{effect.sample}")
        ended = Status.OK if effect.code == "12" else Status.RUNTIME_ERROR
        return SimpleNamespace(status=ended, output="1")

    seed = Seed.make(problem="?", answer="1", source="", license="")
    played = play(page["Repaired"].episode(stage, seed), answer)
    assert played.result.code == "12"
    assert [len(turn) for turn in played.turns] == [3, 3, 9, 9, 18, 18]  # 30 asks


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
    [program] = blocks(DOCS / "library.md", "python")
    (problems / "pipeline.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "pipeline.py"],
        cwd=problems,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=600,
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


@pytest.mark.parametrize("command", commands(DOCS / "library.md", "sh"), ids=lambda words: words[1])
def test_the_commands_over_any_parquet_run(problems: Path, command: list[str]) -> None:
    done = cotmill(*command[1:], cwd=problems)
    assert done.returncode == 0, done.stderr
    assert " rows in " in done.stdout


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which the tutorial was followed to its end, with the embedded model, and what
    its programs printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    for command in commands(DOCS / "tutorial.md", "sh"):
        done = cotmill(*command[1:], cwd=folder)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    code = "".join(blocks(DOCS / "tutorial.md", "python"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.mark.model
def test_the_embedded_model_makes_rows_of_its_own_in_the_tutorial(toured: tuple[Path, str]) -> None:
    folder, _ = toured
    rows = pl.read_parquet(f"{folder}/outputs/tutorial/data/*.parquet")
    assert rows.height >= 3
    assert set(rows["license"]) == {"Apache-2.0"}
    calls = rows["calls"][0]
    assert {call["model"] for call in calls} == {"embedded+smollm2-135m-caco"}
    assert [call["stage"] for call in calls] == ["sample", "reverse", "solve"]
    assert sum(call["tokens"] for call in calls) == rows["tokens"][0]
    seeds = pl.read_parquet(f"{folder}/outputs/tutorial/stages/02-unify/*.parquet")
    assert not set(rows["instruction"]) & set(seeds["problem"])


@pytest.mark.model
def test_the_replay_at_the_end_of_the_tutorial_gives_the_same_bytes(
    toured: tuple[Path, str],
) -> None:
    first, again = (
        sorted((toured[0] / "outputs" / name / "data").iterdir())
        for name in ("tutorial", "replayed")
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


@pytest.mark.model
def test_the_tutorial_s_programs_show_a_row_and_a_reject(toured: tuple[Path, str]) -> None:
    assert "low_agreement" in toured[1]


def test_the_ten_seeds_of_the_page_on_training_are_verified_and_give_rows(tmp_path: Path) -> None:
    page = commands(DOCS / "train_a_small_model.md", "")
    [augment] = [words for words in page if words[1] == "augment"]
    done = cotmill(*augment[1:], f"output_dir={tmp_path}/energy", cwd=PROJECT)
    assert "validate: 10 in, 10 kept" in done.stdout, done.stderr
    rows = pl.read_parquet(f"{tmp_path}/energy/data/*.parquet")
    assert set(rows["kind"]) == {"energy"} and set(rows["license"]) == {"CC0-1.0"}
    assert len(set(rows["code"].str.extract(r"def (solution\(.*\))"))) == 10
