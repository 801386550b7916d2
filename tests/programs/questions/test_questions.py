"""Questions have the answers of the run, and only those count as right."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.facts.running import traced
from transforms.programs.facts import CutTrace
from transforms.programs.questions import (
    NotLiteral,
    asked_of_coverage,
    asked_of_final_values,
    asked_of_next_line,
    asked_of_output,
    asked_of_state,
    read_literal,
    strict,
    tolerant,
)

PROGRAM = textwrap.dedent("""\
    import math
    input = {"n": 3}
    def solution(n):
        '''Adds up.'''
        total = 0
        for i in range(n):
            if i > 5:
                total = -1
            total += i
        return (total, "done")
    kept = [1]
    kept.append(2)
    limit = 7
    (a, b) = output = solution(**input)
    """)


@pytest.fixture(scope="module")
def trace():
    return traced(PROGRAM)


def asked(made):
    return {(question.line, question.variable): question.golds for question in made}


def test_a_line_is_covered_or_not(trace):
    golds = asked(asked_of_coverage(PROGRAM, trace))
    assert {line for (line, _), gold in golds.items() if gold == ("False",)} == {8}
    assert (4, None) not in golds, "a docstring runs no line"


def test_the_next_line_is_one_of_those_seen(trace):
    golds = asked(asked_of_next_line(PROGRAM, trace))
    assert golds[6, None] == ("7", "10")
    assert golds[10, None] == golds[14, None] == ("-1",)
    assert (8, None) not in golds


def test_a_state_has_an_answer_for_each_run_of_its_line(trace):
    assert asked(asked_of_state(PROGRAM, trace)) == {
        (9, "total"): ("0", "1", "3"),
        (14, "a"): ("3",),
        (14, "b"): ("'done'",),
        (14, "output"): ("(3, 'done')",),
    }


def test_final_values_leave_out_what_the_code_shows(trace):
    assert asked(asked_of_final_values(PROGRAM, trace)) == {
        (None, "kept"): ("[1, 2]",), (None, "a"): ("3",), (None, "b"): ("'done'",),
    }  # fmt: skip


def test_the_output_is_asked_for_as_a_literal(trace):
    [question] = asked_of_output(PROGRAM, trace)
    assert question.is_right("( 3,'done' )")
    assert not question.is_right("[3, 'done']")
    assert not question.is_right("solution(**input)")


@pytest.mark.parametrize(
    "ask",
    [
        asked_of_coverage, asked_of_next_line, asked_of_state, asked_of_final_values,
        asked_of_output,
    ],
)  # fmt: skip
def test_nothing_is_asked_of_a_trace_that_was_cut(ask):
    with pytest.raises(CutTrace):
        ask(PROGRAM, traced(PROGRAM, events=5))


@pytest.mark.parametrize(
    "output",
    ["print", "float('nan')", "'x' * 1000", "__import__('fractions').Fraction(1)", "[-(10**9)]"],
)
def test_an_output_that_is_no_short_literal_is_not_asked_for(output):
    assert asked_of_output("", traced(f"output = {output}")) == []


def test_a_variable_of_a_comprehension_is_not_that_of_its_line():
    code = "x = 5 + 0\nx = sum([x for x in (1, 2)])"
    assert asked(asked_of_state(code, traced(code))) == {(1, "x"): ("5",), (2, "x"): ("3",)}


def test_every_gold_answers_its_own_question(trace):
    for ask in (asked_of_coverage, asked_of_next_line, asked_of_state, asked_of_final_values):
        for question in ask(PROGRAM, trace):
            assert all(question.is_right(gold) for gold in question.golds)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(VALUES)
def test_a_value_is_right_under_both_graders_when_it_is_the_gold(value):
    assert strict(repr(value), repr(value))
    text_keys = tolerant(repr(value), repr(value))
    assert text_keys or "{" in repr(value)  # keys that are one as text


@given(VALUES, VALUES)
def test_a_strict_answer_is_equal_in_value(one, other):
    if strict(repr(one), repr(other)):
        assert one == other


@pytest.mark.parametrize(
    ("answer", "gold", "is_strict", "is_tolerant"),
    [
        ("(1, 2)", "[1, 2]", False, True),
        ("1.0", "1", False, True),
        ("1", "True", False, False),
        ("true", "True", False, True),
        ("null", "None", False, True),
        ('{"1": 2}', "{1: 2}", False, True),
        ("{'b': 1, 'a': 2}", "{'a': 2, 'b': 1}", True, True),
        ("[2, 1]", "[1, 2]", False, False),
        ("[1, 2]", "{2, 1}", False, True),
        ("{1, 2}", "{2, 1}", True, True),
        ("{True, 2}", "{1, 2}", False, False),
        ("0.1", "0.10000000001", False, True),
        ("0.1", "0.2", False, False),
        ("'a'", "'A'", False, False),
        ("-0.0", "0.0", False, True),
        ("b'a'", "'a'", False, False),
        ("NaN", "0.0", False, False),
        ("1" + "0" * 400, "1.5", False, False),
        ("", "''", False, False),
        ("set()", "set()", True, True),
    ],
)
def test_what_each_grader_forgives(answer, gold, is_strict, is_tolerant):
    assert (strict(answer, gold), tolerant(answer, gold)) == (is_strict, is_tolerant)


@pytest.mark.parametrize(
    "text",
    ["f(1)", "x", "1; 2", "x = 1", "1 + 1", "[" * 5000, "(" * 50 + "1", "{[]: 1}", "9" * 30_000,
     "__import__('os')", "1 if True else 2", "\0"],
)  # fmt: skip
def test_what_is_no_literal_is_refused(text):
    with pytest.raises(NotLiteral):
        read_literal(text)
