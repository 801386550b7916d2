"""git_tasks: programs that use a package write files, and these are read as data."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.chat_server import chat_server
from tests.recipes.playing import answering, stage
from tests.recipes.test_swe_tasks import seed
from tests.settings_for_tests import composed
from transforms.engine.paths import DATA as DATA_FOLDER
from transforms.publish.reward import reward

DATA = "start,end\n9,11\n10,12\n14,15\n"
PROGRAM = """
import csv
from spans import free, overlaps

with open("bookings.csv") as file:
    rows = [(int(row["start"]), int(row["end"])) for row in csv.DictReader(file)]
with open("result.csv", "w") as file:
    print("from,to,clashes", file=file)
    for start, end in free(rows, 8, 18):
        print(start, end, len(overlaps(rows)), sep=",", file=file)
"""
TOLD = "List in result.csv, columns from, to, clashes, what is free of the bookings from 8 to 18."


def answer(program: str) -> str:
    return f"So.\n```python\n{program}```\n"


def made(program: str = PROGRAM, told: str = TOLD) -> list[Any]:
    text = f"Here.\n```bookings.csv\n{DATA}```\n{answer(program)}"
    made = stage("git_tasks", "make", "recipe.stages.make.sampler.samples=1")
    return answering(text, told)(made.episode(seed()))  # type: ignore[no-any-return]


@cache
def task() -> Any:
    [(task, verdict)] = made()
    assert verdict.kept
    return task


def attempts(*programs: str) -> list[Any]:
    samples = f"recipe.stages.attempt.sampler.samples={len(programs)}"
    rows = answering(*programs)(stage("git_tasks", "attempt", samples).episode(task()))
    return [row for row, _ in rows]


def test_a_task_has_the_file_that_its_program_writes_and_a_request_for_it() -> None:
    held, shown = json.loads(task().answer), json.loads(task().shown)
    assert held["gold"] == "from,to,clashes\n8,9,1\n12,14,1\n15,18,1\n"
    assert (shown["instruction"], shown["files"]) == (TOLD, {"bookings.csv": DATA})
    assert "def free(spans, opens, closes, length=1)" in shown["modules"]["spans/schedule.py"]
    assert "slots.append" not in str(shown)


SWAPPED = PROGRAM.replace("print(start, end,", "print(end, start,")
BARE = """
with open("result.csv", "w") as file:
    file.write("from, to,clashes\\n8,9,1\\n12,14,1.0\\n15,18,1\\n")
"""


@pytest.mark.parametrize(
    ("response", "found"),
    [
        (answer(PROGRAM), (1, True, True)),
        (answer(BARE), (1, True, False)),
        (answer(SWAPPED), (0, True, True)),
        (answer("import spans\n"), (0, False, True)),
        (answer("open('result.csv').read()\n"), (0, False, False)),
        ("I cannot.", (0, False, False)),
    ],
)
def test_right_usable_and_with_the_package_are_three_columns(response: str, found: Any) -> None:
    [row] = attempts(response)
    assert (row.score, row.usable, row.uses_package) == found


def test_the_reward_of_a_row_runs_the_program_offline() -> None:
    [row] = attempts(answer(PROGRAM))
    assert reward(answer(PROGRAM), asdict(row)) == 1
    assert reward(answer(SWAPPED), asdict(row)) == 0


@pytest.mark.parametrize(
    ("program", "told", "reason"),
    [
        ("print(1)", TOLD, "no_program"),
        ("import spans\nopen('result.txt', 'w').write('1')", TOLD, "package_unused"),
        ("import spans\nopen('result.txt')", TOLD, "fails"),
        ("import spans\nopen('result.json', 'w').write('{')", TOLD, "fails"),
        ("import spans\nopen('result.txt', 'w').write(str(hash('a')))", TOLD, "nondeterministic"),
        (PROGRAM, "Call `free` on the bookings.", "leaks"),
        (PROGRAM, "from,to,clashes\n8,9,1\n12,14,1\n15,18,1", "leaks"),
    ],
)
def test_what_is_no_task_is_rejected_with_a_reason(program: str, told: str, reason: str) -> None:
    [(_, verdict)] = made(program + "\n", told)
    assert verdict.reason == reason


def user(body: dict[str, Any]) -> dict[str, Any]:
    """Writes the program, tells what it is for, and is right by one of two attempts."""
    question = body["messages"][-1]["content"]
    if "Think of something" in question:
        return {"content": f"```bookings.csv\n{DATA}```\n{answer(PROGRAM)}"}
    right = answer(PROGRAM if body["seed"] % 2 else SWAPPED)
    return {"content": right if question.startswith(TOLD) else TOLD}


def run(folder: Path, url: str, *more: str) -> list[dict[str, Any]]:
    settings = composed(
        "recipe=git_tasks", "source=package", f"source.packages=[{DATA_FOLDER}/packages/spans]",
        "backend=openai", f"backend.base_url={url}", "backend.model=m", "sandbox.slots=1",
        "recipe.stages.make.sampler.samples=1", "recipe.stages.attempt.sampler.samples=6",
        f"output_dir={folder}", *more,
    )  # fmt: skip
    synthesize(settings, Console(file=io.StringIO()))
    return pl.read_parquet(folder / "data" / "*.parquet").sort("id").to_dicts()


def test_a_run_keeps_right_and_wrong_attempts_and_a_replay_gives_the_same(tmp_path: Path) -> None:
    with chat_server(user) as (url, asked):
        rows = run(tmp_path / "run", url)
        before = len(asked)
        again = run(tmp_path / "again", url, f"ledger.dir={tmp_path}/run/ledger")
        assert (again, len(asked)) == (rows, before)
    assert {row["score"] for row in rows} == {0, 1} and all(row["usable"] for row in rows)
    assert {row["license"] for row in rows} == {"Apache-2.0"}
