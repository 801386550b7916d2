"""A recipe that `cotmill init recipe` writes runs at once, with its own test, check and episode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.pipelines.commands import cotmill
from tests.recipes.chat_server import chat_server

SEEDS = [
    {"problem": "What is 6 times 7?", "answer": "42"},
    {"problem": "What is 2 to the power 10?", "answer": "1024"},
    {"problem": "What is 9 squared?", "answer": "81"},
    {"problem": "What is the colour of the sky?"},
]


def solve(body):
    """Right, right in too many words, wrong."""
    problem = body["messages"][-1]["content"]
    if "6 times" in problem:
        return {"content": "It is \\boxed{42}."}
    if "power" in problem:
        return {"content": "so " * 500 + "it is \\boxed{1024}."}
    return {"content": "It is \\boxed{18}."}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the command wrote, and what it printed."""
    folder = tmp_path_factory.mktemp("init") / "sums"
    done = cotmill("init", "recipe", "sums", f"folder={folder}")
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_commands_that_it_prints_run_and_count_the_recipes_own_reasons(folder) -> None:
    where, printed = folder
    (where / "seeds.jsonl").write_text("\n".join(map(json.dumps, SEEDS)))
    own = ["source=jsonl", f"source.path={where}/seeds.jsonl", "source.license=MIT"]
    commands = [line.split()[1:] for line in printed.splitlines() if line.startswith("cotmill")]
    run = where.parent / "run"
    with chat_server(solve) as (url, asked):
        for command in commands:
            filled = [
                word.replace("URL", url).replace("MODEL", "m").replace("runs/sums", str(run))
                for word in command
            ]
            if command[0] == "preview":
                filled.append(f"ledger.dir={run}/ledger")
            done = cotmill(*filled, *own)
            assert done.returncode == 0, done.stderr
        assert len(asked) == 3, "the run pays again for what the preview asked"
    [row] = pl.read_parquet(run / "data" / "*.parquet").to_dicts()
    assert (row["answer"], row["license"]) == ("42", "MIT")
    rejects = pl.read_parquet(run / "rejects" / "*.parquet")
    assert sorted(zip(rejects["stage"], rejects["reason"], strict=True)) == [
        ("answer", "no_reference"), ("answer", "wrong_answer"), ("brief", "too_long"),
    ]  # fmt: skip
    assert "| solution | string | What the model wrote |" in (run / "README.md").read_text()


def test_its_own_test_passes(folder) -> None:
    where, _ = folder
    environment = {**os.environ, "PYTHONPATH": f"{where}{os.pathsep}{os.getcwd()}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(where)],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["caco", "folder=new"], "name=caco is the name of a recipe or module"),
        (["json", "folder=new"], "name=json is the name of a recipe or module"),
        (["sums", "folder=."], "folder=. exists"),
        (["Sums", "folder=new"], "name='Sums': "),
        ([], "name is missing"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    from pipelines.init import main

    monkeypatch.setattr(sys, "argv", ["cotmill init", "recipe", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    [line] = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1 and message in line
