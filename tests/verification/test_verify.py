"""An instruction is accepted where enough of its solutions agree with the program."""

import json

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX, execution
from transforms.records import Attempt, Attempts, grow
from transforms.settings import VerifySettings
from transforms.verification.answers import extract_answer
from transforms.verification.judge import CompareAnswers, Comparison, Pair
from transforms.verification.verify import (
    Verify,
    answer_type,
    example,
    final_answer,
    judge_agreement,
)


def attempts(*texts, output="560", id="a"):
    return grow(
        Attempts,
        execution(output=output, id=id),
        instruction=f"How many emails does {id} answer?",
        reverse_model="m",
        solve_model="m",
        attempts=tuple(Attempt(text, "stop") for text in texts),
    )


def check(records, least, kept, lost):
    """Runs Verify and compares (instruction's fifth word, agreement, attempts) and reasons."""
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = (
            pipeline
            | beam.Create(records)
            | Verify(VerifySettings(min_agreement=least), SANDBOX, "caco", "run")
        )
        accepted = outcome.kept | "Kept" >> beam.Map(
            lambda e: (e.instruction.split()[4], e.agreement, e.attempts)
        )
        refused = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.reason, item.detail))
        assert_that(accepted, equal_to(kept), label="kept")
        assert_that(refused, equal_to(lost), label="lost")


def test_agreement_is_the_share_of_attempts_that_match():
    check(
        [
            attempts("The answer is 560.", "So \\boxed{560}", "The answer is 559.", "", id="a"),
            attempts("The answer is 1.", "The answer is 560.", "The answer is 2.", id="b"),
            attempts("I do not know", "", id="c"),
        ],
        least=0.5,
        kept=[("a", 0.5, 4)],
        lost=[
            ("low_agreement", "0.33: program gives 560, attempts say 1, 560, 2"),
            ("no_answer_found", "in 2 attempts"),
        ],
    )


def test_an_accepted_row_shows_the_first_solution_that_agrees():
    record = attempts("The answer is 1.", "So it is 560.")
    marked, verdict = judge_agreement(record, (False, True), 0.5)
    row = example(marked, "caco", "run")
    assert verdict.kept
    assert row.solution == "So it is 560."
    assert [turn.role for turn in row.messages] == ["user", "assistant"]
    assert (row.answer, row.agreement, row.difficulty) == ("560", 0.5, 0.5)


def test_a_solution_that_was_cut_off_has_no_final_answer():
    assert final_answer("So far the sum is 560", "length") is None
    assert final_answer("The answer is 560.", "stop") == "560"


@pytest.mark.parametrize(
    ("output", "name"),
    [
        ("1", "integer"),
        ("1.5", "float"),
        ('"a"', "string"),
        ("true", "boolean"),
        ("[1]", "list"),
        ('{"a": 1}', "object"),
    ],
)
def test_the_answer_type_is_that_of_the_output(output, name):
    assert answer_type(output) == name


@pytest.mark.parametrize("workers", [1, 2])
def test_symbolic_answers_are_compared_in_the_sandbox_on_any_number_of_workers(workers):
    pairs = (
        Pair(json.dumps("2*sqrt(3)"), "\\sqrt{12}"),
        Pair(json.dumps("2*sqrt(3)"), "3.5"),
        Pair("560", "560"),
        Pair("560", None),
    )
    with TestPipeline(**on_workers(workers)) as pipeline:
        compared = pipeline | beam.Create([Comparison("record", pairs)]) | CompareAnswers(SANDBOX)
        assert_that(compared, equal_to([("record", (True, False, True, False))]))


def test_an_answer_that_is_code_is_not_run_by_the_comparison(tmp_path):
    target = tmp_path / "written"
    hostile = f"__import__('pathlib').Path({str(target)!r}).write_text('x')"
    texts = (f"The answer is {hostile}", f"\\boxed{{{hostile}}}")
    pairs = tuple(Pair("560", extract_answer(text), text) for text in texts)
    with TestPipeline(**on_workers(1)) as pipeline:
        compared = pipeline | beam.Create([Comparison("record", pairs)]) | CompareAnswers(SANDBOX)
        assert_that(compared, equal_to([("record", (False, False))]))
    assert not target.exists()
