"""Programs on tests: what they pass, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stages.trajectories.talking import played, script
from transforms.engine.records import Seed
from transforms.stages.trajectories.tested import Case, Outcome, cases_of, on_tests, told

CASES = [Case("1 2\n", "3"), Case("2 2\n", "4\n"), Case("-1 1\n", "0")]
RIGHT = "print(sum(map(int, input().split())))"
WRONG = "a, b = map(int, input().split())\nif a > 0:\n    b += 1\ntotal = a + b\nprint(total)"


def outcomes(code: str) -> list[Outcome]:
    made: list[Outcome] = played(on_tests(code, CASES), script()).result
    return made


@pytest.mark.parametrize(
    "code",
    [
        RIGHT,
        "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))\nsys.exit(0)",
        "print(sum(map(int, open(0).read().split())), '\\n')\nexit()",
    ],
)
def test_a_program_reads_standard_input_in_any_way(code: str) -> None:
    assert [each.passed for each in outcomes(code)] == [True] * 3


def test_a_program_that_fails_does_not_pass_with_the_right_output() -> None:
    [each, *_] = outcomes("print(3)\nraise ValueError('late')")
    assert (each.printed.strip(), each.fault, each.passed) == ("3", "ValueError: late", False)


def test_a_program_that_never_ends_passes_no_test() -> None:
    each = played(on_tests("while True: pass", CASES[:1]), script()).result[0]
    assert not each.passed and each.fault.startswith("over")


def told_of(grain: Any) -> list[Outcome]:
    made: list[Outcome] = played(told(WRONG, outcomes(WRONG), grain), script()).result
    return made


def test_four_grains_tell_nothing_failures_all_and_a_trace() -> None:
    seen = outcomes(WRONG)
    assert [each.passed for each in seen] == [False, False, True]
    assert [told_of(grain) for grain in ("binary", "failed", "all")] == [[], seen[:2], seen]
    [traced] = told_of("trace")
    assert traced.test == CASES[0]
    assert traced.trace == (
        "a, b = map(int, input().split())\nif a > 0:\n    b += 1\ntotal = a + b\nprint(total)\n"
        "  # a = 1\n  # b = 3\n  # total = 4\n"
    )


def test_a_loop_is_a_block_for_each_time_that_it_is_gone_through() -> None:
    code = "n = int(input()[0])\nfor i in range(2):\n    n += i\nprint(n)"
    [traced] = played(told(code, [Outcome(CASES[0], "")], "trace"), script()).result
    assert traced.trace == (
        "n = int(input()[0])\nfor i in range(2):\n    n += i\n  # n = 1\n  # i = 0\n"
        "for i in range(2):\n    n += i\n  # i = 1\n  # n = 2\n"
        "for i in range(2):\nprint(n)\n"
    )


def test_tests_are_read_in_the_form_of_code_contests() -> None:
    columns = {"public_tests": {"input": ["1"], "output": ["2"]}, "odd": {"input": "1"}}
    seed = Seed.make(problem="p", source="s", license="MIT", metadata=json.dumps(columns))
    assert cases_of(seed, "public_tests", "odd", "none") == (Case("1", "2"),)
