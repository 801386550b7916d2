"""Loops, branches and next lines that follow from a trace are those of the run."""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs.facts.running import traced
from transforms.programs.facts import END, branches, coverage, loops, next_lines, steps


class Counts:
    """Counts beside the trace: a program hands its iterables and conditions through it."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []
        self.outcomes: Counter[tuple[int, bool]] = Counter()

    def too_many(self) -> bool:
        return self.outcomes.total() > 200

    def over(self, line: int, items: Iterable[int]) -> Iterator[int]:
        run = [line, 0]
        self.runs.append(run)
        for item in items:
            run[1] += 1
            yield item

    def whether(self, line: int, outcome: bool) -> bool:
        self.outcomes[line, bool(outcome)] += 1
        if self.too_many():
            raise RuntimeError("the program drawn may never end")
        return outcome


SIMPLE = st.sampled_from(["n += 1", "n -= 2", "n = n * 3 % 7", "pass"])
JUMPS = st.sampled_from(["n += 1", "break", "continue", "n -= 1"])


def block(statements: list[list[str]]) -> list[str]:
    return ["    " + line for lines in statements for line in lines]


def loop(draw_body: list[list[str]], items: int, jump: list[str], other: list[list[str]]):
    lines = [f"for _ in over(LINE, range({items})):", *block(draw_body), *jump]
    return [*lines, "else:", *block(other)] if other else lines


def jump(keyword: str) -> list[str]:
    return ["    if whether(LINE, n % 3 == 1):", f"        {keyword}"]


STATEMENTS = st.recursive(
    SIMPLE.map(lambda line: [line]),
    lambda inner: (
        st.builds(
            loop,
            st.lists(inner, min_size=1, max_size=3),
            st.integers(0, 3),
            st.just([]) | JUMPS.map(jump),
            st.just([]) | st.lists(inner, min_size=1, max_size=2),
        )
        | st.builds(
            lambda body, other: [
                "if whether(LINE, n % 2 == 0):",
                *block(body),
                *(["else:", *block(other)] if other else []),
            ],
            st.lists(inner, min_size=1, max_size=2),
            st.just([]) | st.lists(inner, min_size=1, max_size=2),
        )
        | st.builds(
            lambda body, turns: [
                f"left = n + {turns}",
                "while whether(LINE, left > n and n < 40):",
                *block(body),
                "    left -= 1",
                "    n += 1",
            ],
            st.lists(inner, min_size=1, max_size=2),
            st.integers(0, 3),
        )
    ),
    max_leaves=8,
)


def program(statements: list[list[str]]) -> str:
    """A function of the statements, each loop and condition with its line."""
    lines = ["def f():", "    n = 0", *block(statements), "f()"]
    return "\n".join(
        line.replace("LINE", str(number)) for number, line in enumerate(lines, start=1)
    )


@settings(max_examples=100)
@given(st.lists(STATEMENTS, min_size=1, max_size=3).map(program))
def test_loops_and_branches_are_as_the_program_itself_counts_them(code):
    counts = Counts()
    trace = traced(code, over=counts.over, whether=counts.whether)
    if counts.too_many() or trace.cut:
        return
    tree = ast.parse(code)
    whiles = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.While)}
    ran = loops(trace, tree)
    assert sorted([run.line, run.iterations] for run in ran if run.line not in whiles) == sorted(
        counts.runs
    )
    outcomes = Counter((branch.line, branch.taken) for branch in branches(trace, tree))
    assert outcomes == counts.outcomes
    entered = Counter({run.line: 0 for run in ran if run.line in whiles})
    for run in ran:
        if run.line in whiles:
            entered[run.line] += run.iterations
    assert all(entered[line] == counts.outcomes[line, True] for line in whiles)


def counted(code: str) -> list[tuple[int, int]]:
    code = textwrap.dedent(code).strip("\n")
    return [(run.line, run.iterations) for run in loops(traced(code), ast.parse(code))]


def test_an_endless_loop_counts_the_iterations_until_it_is_left():
    code = """
        n = 0
        while True:
            n += 1
            if n == 2:
                continue
            if n > 3:
                break
        """
    assert counted(code) == [(2, 4)]


def test_a_loop_that_is_the_first_and_only_statement_of_another_begins_anew():
    code = """
        n = 0
        while n < 3:
            for _ in range(2):
                n += 1
        """
    assert counted(code) == [(2, 2), (3, 2), (3, 2)]


def test_the_else_of_a_loop_is_no_iteration():
    assert counted("for i in ():\n    i\nelse:\n    x = 1") == [(1, 0)]
    assert counted("n = 2\nwhile n:\n    n -= 1\nelse:\n    x = 1") == [(2, 2)]


def test_a_loop_in_a_recursive_function_is_counted_frame_by_frame():
    code = """
        def f(n):
            for i in range(n):
                f(i)
        f(2)
        """
    assert counted(code) == [(2, 2), (2, 0), (2, 1), (2, 0)]


def test_a_loop_left_by_an_exception_has_begun_that_iteration():
    code = """
        try:
            for i in (1, 0, 1):
                1 / i
        except ZeroDivisionError:
            pass
        """
    assert counted(code) == [(2, 2)]


def test_a_loop_whose_header_fails_has_no_count():
    code = """
        try:
            for i in None:
                pass
        except TypeError:
            pass
        """
    assert counted(code) == []


@pytest.mark.parametrize(
    "code",
    [
        "for i in range(3): pass",
        "n = 3\nwhile n: n -= 1",
        "for i in range(\n    3\n):\n    pass",
        "for i in [j for j in range(3)]:\n    pass",
    ],
)
def test_a_loop_whose_lines_do_not_tell_its_iterations_is_left_out(code):
    assert counted(code) == []


def test_the_next_lines_are_those_of_the_same_frame():
    code = "def f(x):\n    if x:\n        return 1\nf(0)\nf(1)\n"
    trace = traced(code)
    assert next_lines(trace, 2) == (END, 3)
    assert next_lines(trace, 4) == (5,)
    assert next_lines(trace, 5) == (END,)
    assert next_lines(trace, 7) == ()


def test_the_next_line_after_an_exception_is_its_handlers():
    trace = traced("try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass")
    assert next_lines(trace, 2) == (3,)


def test_a_condition_at_the_end_of_a_function_has_its_outcome():
    code = "def f(x):\n    if x:\n        x = 1\nf(0)\nf(1)"
    assert [b.taken for b in branches(traced(code), ast.parse(code))] == [False, True]


def test_a_condition_that_fails_has_no_outcome():
    code = "try:\n    if 1 / 0:\n        pass\nexcept ZeroDivisionError:\n    pass"
    assert branches(traced(code), ast.parse(code)) == []


def test_lines_are_covered_and_counted_as_they_run():
    trace = traced("for i in range(2):\n    if i > 5:\n        x = 1\ny = 1")
    assert coverage(trace) == {1, 2, 4}
    assert steps(trace) == 6
