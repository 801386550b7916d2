"""CRUXEval: its own rows pass the filters and reproduce, and hard operations do not pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.programs_for_tests import SANDBOX
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.models.driver import drive
from transforms.recipes.cruxeval import simple
from transforms.sandbox.sandbox import Job, Sandbox
from transforms.sources.published import cruxeval_rows
from transforms.stages.graders import Fault, grade

PATH = Path(__file__).with_name("cruxeval.jsonl")


def program(expression: str, value: object = 7) -> str:
    code = f"def solution(x):\n    y = {expression}\n    return y"
    return f"input = {{'x': {value!r}}}\n\n{code}\n\noutput = solution(**input)\n"


def test_the_outputs_of_the_benchmark_reproduce() -> None:
    listed = [json.loads(line) for line in PATH.read_text().splitlines()]
    codes = [f"{row['code']}\noutput = f({row['input']}) == {row['output']}" for row in listed]
    with Sandbox(SANDBOX) as box:
        outputs = [result.output for result in box.run(map(Job, codes))]
    assert outputs == ["true"] * 25


def test_the_programs_of_the_benchmark_pass_the_filters_made_after_it() -> None:
    seeds = [seed_of(row["code"]) for row in cruxeval_rows(str(PATH))]
    assert len(seeds) == 25
    assert all(simple(seed).kept for seed in seeds)
    assert played(stage("cruxeval", "easy"), *seeds)[1] == []


HARD = ["x * 8", "x - 4", "8 + x", "2 ** x", "[0] * 5 + [1] * x", "'abcd' + 'x' * x"]
EASY = ["x * 3", "x + 1", "2 ** 1", "[0] * x + [1]", "'a' + 'x' * x", "'%s-%s-%s' % ('a', 1, 2)"]


def test_operations_that_need_a_calculator_are_rejected() -> None:
    seeds = [seed_of(program(expression)) for expression in HARD + EASY]
    kept, reasons = played(stage("cruxeval", "easy"), *seeds)
    assert [seed.code for seed in kept] == [program(expression) for expression in EASY]
    assert reasons == ["hard_operation"] * len(HARD)


@pytest.mark.parametrize("expression", ["x", "[x]", "{'x': x}", "{'y': x}"])
def test_an_output_that_copies_the_input_is_rejected(expression: str) -> None:
    outputs = {"x": "7", "{'x': x}": '{"x": 7}', "{'y': x}": '{"y": 7}'}
    seed = seed_of(program(expression), output=outputs.get(expression, "[7]"))
    assert played(stage("cruxeval", "easy"), seed)[1] == ["copied_input"]


def test_an_assignment_that_adds_is_an_operation_too() -> None:
    hard = program("x").replace("return", "y += 9\n    return")
    listed = program("x", [1, 2, 3, 4]).replace("return", "y += [5]\n    return")
    assert played(stage("cruxeval", "easy"), seed_of(hard), seed_of(listed))[1] == [
        "hard_operation"
    ]


@pytest.mark.parametrize("expression", ["x / 2", "0.5 * x", "eval('x')", "set([x])", "x.hash"])
def test_what_the_benchmark_leaves_out_is_not_simple(expression: str) -> None:
    assert simple(seed_of(program(expression))).reason == "not_simple"


def test_no_function_of_a_program_is_long() -> None:
    lines = "\n".join(f"    a{line} = n" for line in range(13))
    code = f"def helper(n):\n{lines}\n    return n\n" + program("helper(x)")
    assert simple(seed_of(code)).detail == "a function of 15 lines"


def test_an_input_is_right_where_it_gives_the_output_and_no_call_is() -> None:
    kept, _ = played(stage("cruxeval", "ask"), seed_of(program("x % 3"), output="1"))
    task = next(row for row in kept if row.task == "input")
    answers = ["{'x': 4}", "{'x': 5}", "{'x': solution(4)}", "solution(4)"]
    responses = [f"```\n{answer}\n```" for answer in answers]
    marks = drive(responses, lambda text: grade(task, text), sandbox=SANDBOX)
    faults = [None, Fault.WRONG_ANSWER, Fault.NO_ANSWER, Fault.NO_ANSWER]
    assert [mark.fault for mark in marks] == faults
