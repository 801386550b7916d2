"""SX-Bench: false pairs are false, true ones true, and steps those of the run."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.programs.test_composition import _CODES
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.models.pool import Pool
from transforms.programs.form import with_input


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    seeds = [seed_of(code, output="7") for code in _CODES[:16]]
    return played(stage("sx_bench", "compose"), *seeds, units=Pool(seeds))[0]


def run(code: str) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    exec(code, variables)
    return variables


def test_the_answer_is_the_counter_of_the_program_that_is_shown(rows: list[Any]) -> None:
    asked = [row for row in rows if row.task == "run_steps"]
    assert len(asked) > 4
    for row in asked:
        assert json.loads(row.answer) == [repr(run(row.code)["run_steps"])]


def test_pairs_are_true_where_the_program_gives_the_output_and_nowhere_else(
    rows: list[Any],
) -> None:
    asked = [row for row in rows if row.task == "pairs"]
    assert len(asked) > 2
    for row in asked:
        pairs = json.loads(row.shown)["pairs"]
        truths = [run(with_input(row.code, {"start": s}))["output"] == out for s, out in pairs]
        assert json.loads(row.answer) == [repr(truths)]
        outputs = {run(with_input(row.code, {"start": start}))["output"] for start, _ in pairs}
        assert len(outputs) >= 3


def test_the_reasoning_counts_each_step_of_the_run(rows: list[Any]) -> None:
    for row in rows:
        if row.task == "run_steps":
            steps = re.findall(r"\(step (\d+)\)$", row.messages[-1].content, re.MULTILINE)
            assert list(map(int, steps)) == list(range(1, int(json.loads(row.answer)[0]) + 1))


def test_the_reasoning_about_pairs_goes_from_each_input_to_its_output(rows: list[Any]) -> None:
    for row in rows:
        if row.task == "pairs":
            told = re.findall(
                r"^\d\. (.*): output = (-?\d+)", row.messages[-1].content, re.MULTILINE
            )
            starts = [start for start, _ in json.loads(row.shown)["pairs"]]
            assert [int(values.split(", ")[0]) for values, _ in told] == starts
            for start, (values, output) in zip(starts, told, strict=True):
                assert values.split(", ")[-1] == output
                assert run(with_input(row.code, {"start": start}))["output"] == int(output)


def test_a_program_names_all_seeds_whose_functions_it_has(rows: list[Any]) -> None:
    assert all(row.code.count("def step_") == len(row.seed_ids) > 1 for row in rows)


def test_bands_tell_easy_programs_from_hard_ones(rows: list[Any]) -> None:
    for row in rows:
        if row.task == "run_steps":
            is_easy = int(json.loads(row.answer)[0]) <= 30
            assert json.loads(row.shown)["band"] == ("easy" if is_easy else "hard")
