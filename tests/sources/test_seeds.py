"""The seeds that ship: every one is run, and is what its own solution says."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.programs_for_tests import FILTER, SANDBOX, program
from transforms.engine.accounting import first_rejection
from transforms.engine.paths import DATA
from transforms.models.driver import drive
from transforms.programs import fingerprint
from transforms.programs.checks import FormOf, form_checks, run_checks
from transforms.stages.execute import execute
from transforms.text.answers import compare_plain, extract_answer

FILES = sorted((DATA / "seeds").glob("*.jsonl"))
ROWS = [json.loads(line) for path in FILES for line in Path(path).read_text().splitlines()]


@pytest.fixture(scope="module")
def executions():
    records = [program(row["code"], id=str(index)) for index, row in enumerate(ROWS)]
    return drive(records, lambda record: execute(record, "always"), sandbox=SANDBOX)


def test_there_are_many_seeds_of_many_kinds():
    kinds = Counter(row["kind"] for row in ROWS)
    assert len(ROWS) >= 120
    assert len(kinds) >= 12
    assert min(kinds.values()) >= 10


def test_every_seed_has_the_fields_of_a_seed():
    for row in ROWS:
        assert set(row) == {"problem", "code", "solution", "answer", "kind", "source", "license"}
        assert row["license"] == "Apache-2.0"


def test_no_problem_appears_twice_and_no_structure_twice():
    assert len({row["problem"] for row in ROWS}) == len(ROWS)
    shapes = Counter(fingerprint(row["code"]) for row in ROWS)
    twice = {shape for shape, count in shapes.items() if count > 1}
    assert not [row["problem"] for row in ROWS if fingerprint(row["code"]) in twice]


def test_no_solution_divides_by_a_fraction_without_brackets():
    """`7/8 ÷ 7/24` can be read as `(7/8 ÷ 7) / 24`."""
    assert not [row for row in ROWS if re.search(r"÷ \d+/\d", row["solution"])]


def test_every_program_passes_the_checks_that_written_programs_must_pass(executions):
    form, run = FormOf(form_checks(FILTER)), run_checks(FILTER)
    refused = {
        ROWS[int(record.id)]["problem"]: verdict
        for record in executions
        if not (verdict := first_rejection((form, *run), record)).kept
    }
    assert not refused


def test_every_program_gives_the_stated_answer(executions):
    wrong = {
        row["problem"]: (execution.output, row["answer"])
        for row, execution in zip(ROWS, executions, strict=True)
        if compare_plain(execution.output, row["answer"]) is not True
    }
    assert not wrong


def test_every_solution_ends_in_the_answer_that_the_program_gives(executions):
    wrong = {
        row["problem"]: (execution.output, extract_answer(row["solution"]))
        for row, execution in zip(ROWS, executions, strict=True)
        if compare_plain(execution.output, extract_answer(row["solution"]) or "") is not True
    }
    assert not wrong
