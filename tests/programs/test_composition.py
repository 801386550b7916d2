"""Composed programs run, and count their steps as the trace does without giving anything else."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs.facts.running import traced
from transforms.engine.paths import DATA
from transforms.programs.composition import COUNTER, Unit, compose, counted, counting_lines, unit_of
from transforms.programs.facts import Kind, final_values
from transforms.programs.form import parse

_PATHS = ("short_number_theory", "short_rates", "short_logic_search")
_CODES = [
    json.loads(line)["code"]
    for name in _PATHS
    for line in (DATA / "seeds" / f"{name}.jsonl").read_text().splitlines()
]
UNITS = [unit for code in _CODES if (unit := unit_of(code))]


def ends(code: str) -> tuple[dict[str, Any], int]:
    """The variables of a program at its end, and how often it counted."""
    trace = traced(code)
    lines = counting_lines(code)
    raised = sum(event.kind is Kind.LINE and event.line in lines for event in trace.events)
    return final_values(trace), raised


@settings(max_examples=30)
@given(st.lists(st.sampled_from(UNITS), min_size=2, max_size=5), st.integers(0, 1000))
def test_a_program_that_counts_gives_what_it_gives_without(units: list[Unit], seed: int) -> None:
    code = compose(units, random.Random(seed))
    values, raised = ends(code.counting)
    assert values[COUNTER] == raised > len(units)
    output = final_values(traced(code.plain)).get("output")
    assert values.get("output") == output
    if output is not None:
        steps, *_, last = final_values(traced(code.staged))["output"]
        assert (steps, last) == (raised, output)


def test_a_program_is_composed_of_each_function_once_and_the_same_again() -> None:
    code, *_ = compose(UNITS[:4], random.Random(3))
    assert [code.count(f"def step_{number}(") for number in range(1, 6)] == [1, 1, 1, 1, 0]
    assert code == compose(UNITS[:4], random.Random(3)).plain


COUNTED = '''
def solution(n):
    """Counts down."""
    import math
    for i in range(n):
        if i:
            n -= 1
        else:
            pass
    print(n)
    return helper(n)

def helper(n):
    return [m for m in range(n)]

class Kept:
    limit = 3

input = {"n": 4}
output = solution(**input)
'''


def test_assignments_returns_and_calls_within_functions_are_the_steps() -> None:
    values, raised = ends(f"{COUNTER} = 0\n{counted(parse(COUNTED))}")
    assert values[COUNTER] == raised == 3 + 1 + 1 + 1  # n -= 1, both returns, print


@pytest.mark.parametrize(
    "code",
    [
        COUNTED,
        "input = {'n': 0}\ndef solution(n):\n    return n\noutput = solution(**input)",
        "input = {'n': 5}\ndef solution(n):\n    run_steps = n\noutput = solution(**input)",
    ],
    ids=["helpers", "no integer to compute", "a counter of its own"],
)
def test_a_program_that_cannot_be_composed_is_no_unit(code: str) -> None:
    assert unit_of(code) is None
