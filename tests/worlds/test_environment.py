"""Rows of code2logic leave as an environment that asks about other positions."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.publish.export import runs
from tests.recipes.execution.playing import played, stage
from tests.recipes.test_code2logic import seed_of
from transforms.engine.run_folder import RunFolder
from transforms.publish.export.environment import EnvironmentExport, environment, write
from transforms.publish.instances import Problem, instances, problem_of
from transforms.publish.reward import reward
from transforms.worlds.instances import positions

SETTINGS = EnvironmentExport(type="environment")


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    seeds = [seed_of(row) for row in positions(["hanoi", "pig"], levels=(1, 2), count=4)]
    return played(stage("code2logic", "ask"), *seeds)[0]


@pytest.fixture(scope="module")
def problems(rows: list[Any]) -> list[Problem]:
    return environment([asdict(row) for row in rows], SETTINGS).problems


def test_rows_of_one_world_level_and_kind_are_one_problem_and_the_lower_level_is_easier(
    rows: list[Any], problems: list[Problem]
) -> None:
    asked = [problem.asked for problem in problems]
    assert None not in asked and len(set(asked)) == len(asked) < len(rows)
    levels = [each.level for each in asked if each]
    assert levels == sorted(levels) and set(levels) == {1, 2}


def test_each_instance_is_new_and_its_reference_alone_earns_the_reward(
    problems: list[Problem],
) -> None:
    drawn = list(islice(instances(problems), 30))
    assert len({each.instruction for each in drawn}) == 30
    assert not {each.instruction for each in drawn} & {each.seed.problem for each in problems}
    for each in drawn:
        row = {"instruction": each.instruction, "output": each.output}
        assert reward(each.reference, row, sandbox="none") == 1
        other = int(each.output) % 3 + 1
        assert reward(f"So \\boxed{{{other}}}.", row, sandbox="none", steps=False) == 0


def test_a_seed_decides_the_stream(problems: list[Problem]) -> None:
    one, same, other = (list(islice(instances(problems, seed=s), 5)) for s in (1, 1, 2))
    assert one == same != other


def test_the_package_of_a_run_holds_what_draws_its_questions(
    rows: list[Any], problems: list[Problem], tmp_path: Path
) -> None:
    run = runs.finished(tmp_path / "run", "code2logic", rows)
    folder = RunFolder(f"{tmp_path}/package")
    write(run, {"status": "complete", "recipe": "code2logic"}, folder, SETTINGS)
    lines = (tmp_path / "package" / "cotmill_problems" / "problems.jsonl").read_text().splitlines()
    read = [problem_of(json.loads(line)) for line in lines]
    assert {problem.asked for problem in read} == {problem.asked for problem in problems}
    assert next(instances(read)).problem_id in {problem.seed.id for problem in read}
