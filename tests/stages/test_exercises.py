"""Exercises: the same from any number of workers, only from whole traces, and fairly drawn."""

from __future__ import annotations

import pickle
import textwrap

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.recipes.execution.playing import played, seed_of, stage
from transforms.programs.questions import Question
from transforms.stages.exercises import drawn, told

LOOP = textwrap.dedent("""\
    input = {"n": 6}
    def solution(n):
        words = set()
        for i in range(n):
            if i % 2:
                words |= {f"odd {i}"}
        return len(words)
    output = solution(**input)
    """)


def test_a_program_that_is_asked_about_once_more_gives_the_same_exercises() -> None:
    ask = stage("reval", "ask")
    assert played(ask, seed_of(LOOP)) == played(pickle.loads(pickle.dumps(ask)), seed_of(LOOP))


@pytest.mark.parametrize("workers", [1, 2])
def test_exercises_are_the_same_for_any_number_of_workers(workers: int) -> None:
    ask = stage("reval", "ask", "sandbox.slots=1")
    seeds = [seed_of(LOOP.replace("6", str(n))) for n in range(5, 8)]
    expected = [row for row in played(ask, *seeds)[0]]
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(seeds) | ask
        assert_that(outcome.kept, equal_to(expected))


def test_no_question_is_made_from_a_trace_that_was_cut() -> None:
    assert played(stage("reval", "ask", "recipe.stages.ask.events=20"), seed_of(LOOP)) == (
        [],
        ["trace_cut"],
    )


def test_a_program_that_fails_or_is_too_long_or_leaves_nothing_to_ask_is_rejected() -> None:
    ask = stage("reval", "ask", "recipe.stages.ask.lines=9")
    failing, long, bare = "output = 1 / 0", LOOP + "\n" * 5 + "a = 1", "input = {}"
    _, reasons = played(ask, seed_of(failing), seed_of(long), seed_of(bare))
    assert reasons == ["runtime_error", "too_long", "no_question"]


def test_a_question_whose_gold_differs_where_it_is_computed_alone_is_rejected() -> None:
    ask = stage("reval", "ask")
    ask.ask = (lambda code, trace: [Question("k", ("1",), alone="output = repr(1.0)")],)
    assert played(ask, seed_of(LOOP))[1] == ["differs_alone"]


@given(st.lists(st.booleans(), min_size=1), st.integers(1, 30))
def test_answers_of_few_values_come_about_equally_often(answers: list[bool], most: int) -> None:
    questions = [Question("k", (repr(answer),), line) for line, answer in enumerate(answers)]
    chosen = drawn("seed", questions, most)
    yes, no = (sum(q.golds == (gold,) for q in chosen) for gold in ("True", "False"))
    assert len(chosen) == min(most, len(answers))
    assert min(yes, no) >= min(len(chosen) // 2, answers.count(True), answers.count(False))


RUN = [
    "[L2] n = f(1): calls f(n=1)",
    "[L5] return 2: returns 2",
    "[L2] n = f(1): `n = 2`",
    "[L3] m",
]


@pytest.mark.parametrize(
    ("question", "lines"),
    [
        (Question("output", ("2",)), 4),
        (Question("state", ("2",), 2, "n"), 3),
        (Question("branch", ("True",), 2, params={"time": 2}), 4),
        (Question("statement", ("2",), 2, alone="output = 2"), 0),
    ],
)
def test_a_run_is_told_up_to_where_the_answer_is_known(question: Question, lines: int) -> None:
    assert [*filter(None, told(question, RUN, "").split("\n"))][1:] == RUN[:lines]


@pytest.mark.parametrize(
    "line",
    ["[L2] x: x is not told", "[L2] x: `x = 0.12345678`", "[L2] x: `x = '```'`", "[L2]" * 2000],
)
def test_a_run_that_a_reader_cannot_follow_is_not_told(line: str) -> None:
    assert told(Question("output", ("2",)), [*RUN, line], "") == ""
    assert told(Question("output", ("2",)), [*RUN] * 26, "") == ""
