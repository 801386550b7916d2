"""CodeI/O programs in the unified form; their generators run in the sandbox alone."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.sources.reading import SANDBOX, read
from transforms import programs
from transforms.engine.accounting import Verdict
from transforms.engine.records import Seed
from transforms.models.driver import drive
from transforms.sources import codeio
from transforms.sources.codeio import CodeIOSource
from transforms.sources.rows import Row

SOURCE = CodeIOSource(type="codeio")
CODE = '''# import necessary packages
import math, os
from sys import argv

# all class and function definitions in the code file, if any
# area of a circle, scaled
def area(r, scale=1):
    return math.pi * r * r * scale  # pi r^2

# main function
def main_solution(radius, digits=2):
    """Rounds."""
    # the area itself
    value = area(radius)
    return round(value, digits)

FACTOR = 3
'''
GENERATOR = "def generate_inputs(rng: Random) -> dict:\n    return {'radius': rng.randint(1, 9)}"


def row(**change: Any) -> Row:
    fields = {
        "task_description": "What is the area?",
        "input_output_spec": "Input: radius",
        "code_sample": CODE,
        "input_generator": GENERATOR,
    }
    return Row.make(codeio.NAME, json.dumps({**fields, **change}), "program 0")


def converted(row: Row) -> Seed | Verdict:
    [(_, made)] = drive([row], partial(codeio.seed_of, source=SOURCE), sandbox=SANDBOX)
    return made


def test_a_program_comes_out_in_the_unified_form_with_its_own_comments() -> None:
    assert codeio.unified(CODE, {"radius": 4}) == (
        "import math\n\n"
        "input = {'radius': 4}\n\n"
        "# area of a circle, scaled\n"
        "def area(r, scale=1):\n"
        "    return math.pi * r * r * scale  # pi r^2\n\n"
        "def solution(radius, digits=2):\n"
        '    """Rounds."""\n'
        "    # the area itself\n"
        "    value = area(radius)\n"
        "    return round(value, digits)\n\n"
        "FACTOR = 3\n\n"
        "output = solution(**input)\n"
    )


def test_a_seed_states_its_input_and_leaves_the_answer_to_the_sandbox() -> None:
    seed = converted(row(difficulty=8))
    assert isinstance(seed, Seed) and seed.code is not None and seed.answer is None
    drawn = programs.literal_input(programs.parse(seed.code))
    assert drawn is not None and seed.problem == (
        "What is the area?\n\nInput: radius\n\nWhat is the output for this input?\n"
        f"  radius = {drawn['radius']}"
    )
    told = json.loads(seed.metadata)
    assert (seed.kind, told["difficulty"], told["task_description"]) == (
        "codeio", 8, "What is the area?",
    )  # fmt: skip
    assert "def generate_inputs" in told["input_generator"] and "code_sample" not in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"input_generator": "def generate_inputs(rng):\n    1 / 0"}, "ended with runtime_error"),
        ({"input_generator": "def generate_inputs(rng):\n    return {'radius': 1j}"}, "not JSON"),
        ({"input_generator": "def generate_inputs(rng):\n    return [1]"}, "not an object"),
        ({"input_generator": "def generate_inputs(rng):\n    return {'x': 1}"}, "gives x"),
        (
            {"input_generator": "def generate_inputs(rng):\n    return {'radius': 'x' * 3000}"},
            "characters",
        ),
        ({"code_sample": CODE.replace("main_solution", "main")}, "no main_solution"),
        ({"code_sample": CODE.replace("def area", "def output")}, "defines output itself"),
        ({"code_sample": CODE.replace("math.pi", "len(argv)")}, "imports sys"),
        ({"code_sample": CODE.replace("math.pi", "eval('3')")}, "uses eval"),
        ({"code_sample": CODE + "main_solution(1)\n"}, "uses main_solution by name"),
    ],
)
def test_a_program_that_cannot_be_converted_says_why(change: dict, said: str) -> None:
    verdict = converted(row(**change))
    assert isinstance(verdict, Verdict) and verdict.reason == "not_convertible"
    assert said in verdict.detail


def test_a_row_without_a_generator_misses_a_field() -> None:
    verdict = converted(row(input_generator=None))
    assert isinstance(verdict, Verdict) and verdict.reason == "missing_field"


def test_the_shipped_programs_are_read_and_accounted_for(tmp_path: Path) -> None:
    seen = read(tmp_path, 2, type="codeio", limit=8)
    assert len(seen.rows) == 8 and len(seen.seeds) >= 4
    assert set(seen.reasons) <= {"not_convertible"}
    assert all(programs.is_unified(programs.parse(seed["code"])) for seed in seen.seeds)


def test_another_seed_draws_other_inputs(tmp_path: Path) -> None:
    problems = [
        {s["problem"] for s in read(tmp_path, type="codeio", seed=seed, limit=4).seeds}
        for seed in (0, 0, 1)
    ]
    assert problems[0] == problems[1] and problems[0] != problems[2]
