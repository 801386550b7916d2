"""Questions about pieces of a run, its control and its objects have the answers of that run."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.facts.running import traced
from transforms.programs.questions import Question, strict
from transforms.programs.questions.control import (
    asked_of_aliases,
    asked_of_branches,
    asked_of_iterations,
    asked_of_loop_bodies,
    asked_of_loop_ends,
)
from transforms.programs.questions.pieces import asked_of_blocks, asked_of_statements

PROGRAM = textwrap.dedent("""\
    import math
    input = {"sizes": [4, 9, 16, 25]}
    LIMIT = 3
    def root(n):
        return math.isqrt(n)
    def solution(sizes):
        total = 0
        roots = []
        for size in sizes:
            side = root(size)
            if side > LIMIT:
                total += side * 10
            roots.append(side)
        last = roots
        rest = roots[1:]
        return total + len(rest) + len(last)
    output = solution(**input)
    """)


@pytest.fixture(scope="module")
def trace() -> Any:
    return traced(PROGRAM)


def told(questions: list[Question]) -> dict[tuple[Any, ...], tuple[str, ...]]:
    return {(q.line, q.variable or q.params.get("time")): q.golds for q in questions}


def test_a_statement_is_asked_about_with_the_variables_that_it_reads(trace: Any) -> None:
    by_line = {q.line: q for q in asked_of_statements(PROGRAM, trace)}
    assert (by_line[10].golds, by_line[10].params["given"]) == (("4",), {"size": "16"})
    assert by_line[12].params["given"] == {"side": "5", "total": "40"}
    assert 7 not in by_line, "a literal shows"


def test_blocks_end_where_their_last_statement_does(trace: Any) -> None:
    [block] = [
        q for q in asked_of_blocks(PROGRAM, trace) if q.line == 9 and q.params["last_line"] == 15
    ]
    assert (block.variable, block.golds) == ("rest", ("[3, 4, 5]",))


def test_a_branch_is_asked_about_once_for_each_outcome(trace: Any) -> None:
    asked = {q.golds: q.params["time"] for q in asked_of_branches(PROGRAM, trace)}
    assert asked == {("False",): 2, ("True",): 4}


def test_iterations_are_the_steps_from_the_header_into_the_body(trace: Any) -> None:
    assert told(asked_of_iterations(PROGRAM, trace)) == {(9, 1): ("4",)}


def test_the_iterations_of_a_loop_whose_body_begins_with_a_loop_are_its_own() -> None:
    code = "n = 0\nfor i in range(3):\n    for j in range(5):\n        n += 1\n"
    golds = told(asked_of_iterations(code, traced(code)))
    assert golds == {(2, 1): ("3",), (3, 2): ("5",)}


def test_a_loop_body_is_asked_about_at_a_time_after_the_first(trace: Any) -> None:
    [side] = asked_of_loop_bodies(PROGRAM, trace)
    assert (side.line, side.params["time"], side.golds) == (10, 3, ("4",))


def test_what_a_loop_leaves_behind_is_asked_for(trace: Any) -> None:
    golds = told(asked_of_loop_ends(PROGRAM, trace))
    assert golds == {(9, "side"): ("5",), (9, "total"): ("90",)}


def test_aliases_are_the_same_object_and_not_equal_ones(trace: Any) -> None:
    golds = {
        (q.line, q.variable, q.params["other"]): q.golds for q in asked_of_aliases(PROGRAM, trace)
    }
    assert golds[14, "last", "roots"] == ("True",)
    assert golds[15, "rest", "roots"] == ("False",)


def test_the_alias_of_a_copy_that_is_equal_is_false() -> None:
    code = "a = [1]\nb = list(a)\nc = b\n"
    golds = {(q.variable, q.params["other"]): q.golds for q in asked_of_aliases(code, traced(code))}
    assert golds == {("b", "a"): ("False",), ("c", "b"): ("True",)}


def test_a_run_without_aliases_is_not_asked_about_them_and_one_with_has_both_answers() -> None:
    code = "a = [1]\nb = list(a)\n"
    assert asked_of_aliases(code, traced(code)) == []
    code = "a = [1]\nb = a\nc = [2]\n"
    golds = {(q.variable, q.params["other"]): q.golds for q in asked_of_aliases(code, traced(code))}
    assert golds[("b", "a")] == ("True",) and golds[("c", "a")] == ("False",)


def test_a_block_is_asked_for_what_it_computes_and_not_for_its_loops_variable() -> None:
    code = (
        "input = {'n': 3}\ndef solution(n):\n    squares = [0] * n\n    for i in range(n):\n"
        "        squares[i] = i * i\n    return squares\noutput = solution(**input)\n"
    )
    asked = asked_of_blocks(code, traced(code))
    assert {question.variable for question in asked if question.line == 3} == {"squares"}


def test_no_branch_is_asked_about_that_hangs_on_the_last_digit_of_a_float() -> None:
    code = (
        "x = 4 / 3\nif x == 1:\n    y = 1\nif x > 1:\n    y = 2\nz = 0.5\nif z == 1:\n    y = 3\n"
    )
    assert [q.line for q in asked_of_branches(code, traced(code))] == [4, 7]


def test_lines_of_several_frames_are_not_asked_about_by_time() -> None:
    code = "def f(n):\n    if n:\n        return f(n - 1)\n    return 0\nf(3)\n"
    assert asked_of_branches(code, traced(code)) == []


_NAMES = ("a", "b", "c")
_EXPRESSIONS = st.sampled_from(
    ["{0} + 1", "{0} * {1}", "[{0}] * 2", "str({0})", "len(str({1}))", "7"]
)


@st.composite
def _statement(draw: st.DrawFn, depth: int = 2) -> str:
    name, other, third = (draw(st.sampled_from(_NAMES)) for _ in range(3))
    kind = draw(st.sampled_from(["assign", "assign", "aug", "if", "for"] if depth else ["assign"]))
    if kind == "assign":
        return f"{name} = {draw(_EXPRESSIONS).format(other, third)}"
    if kind == "aug":
        return f"{name} += {name}"
    body = textwrap.indent(
        "\n".join(draw(st.lists(_statement(depth - 1), min_size=1, max_size=2))), "    "
    )
    header = (
        f"if len(str({name})) > 2:"
        if kind == "if"
        else f"for {name} in range({draw(st.integers(0, 3))}):"
    )
    return f"{header}\n{body}"


@given(st.lists(_statement(), min_size=2, max_size=5))
def test_the_gold_of_a_block_is_what_it_gives_alone(body: list[str]) -> None:
    code = "def f(a, b, c):\n" + textwrap.indent("\n".join(body), "    ") + "\nf(2, 3, 'x')\n"
    trace = traced(code)
    if trace.cut:
        return
    for question in [*asked_of_statements(code, trace), *asked_of_blocks(code, trace)]:
        variables: dict[str, Any] = {}
        ast.parse(question.alone or "")
        exec(question.alone or "", variables)
        assert strict(variables["output"], question.golds[0])


@pytest.mark.parametrize("ask", [asked_of_statements, asked_of_blocks, asked_of_loop_ends])
def test_what_takes_a_hundred_steps_to_follow_is_not_asked(ask: Any) -> None:
    code = textwrap.dedent("""\
        def far(n):
            while n > 1:
                n -= 1
            return n
        def solution(n):
            total = 0
            for i in range(n):
                total += i
            last = far(total)
            return last + total
        output = solution(**input)
        """)

    def asked(n: int) -> set[int | None]:
        own = f"input = {{'n': {n}}}\n{code}"
        return {question.line for question in ask(own, traced(own))}

    assert asked(5) & {3, 7, 8, 10}, "a loop, what ends with one, or a call"
    assert not asked(60) & {3, 7, 8, 10}
