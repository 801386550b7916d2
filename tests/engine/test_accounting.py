"""Every record is kept or rejected, with a reason, and counted once."""

from dataclasses import dataclass
from enum import StrEnum

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.engine.accounting import (
    StageCount,
    Verdict,
    first_rejection,
    keep,
    put_off,
    reject,
    rejected,
)
from transforms.engine.errors import AccountingError
from transforms.engine.outcomes import SumTallies, counts_of
from transforms.engine.records import Seed
from transforms.engine.segments import check_segment
from transforms.engine.stage import Filter
from transforms.programs.checks import FormReason, OutputReason


def seed(number: int) -> Seed:
    return Seed.make(problem=f"problem {number}", source="test", license="CC0-1.0")


@dataclass(frozen=True)
class IsEven:
    def __call__(self, record: Seed) -> Verdict:
        number = int(record.problem.split()[1])
        return keep() if number % 2 == 0 else reject(FormReason.TOO_SHORT, f"{number} is odd")


@dataclass(frozen=True)
class IsKnown:
    """Puts off what ends in 4, rejects what ends in 5 for a reason of its own."""

    def __call__(self, record: Seed) -> Verdict:
        last = record.problem[-1]
        return {"4": put_off("timeout: late"), "5": reject("five")}.get(last, keep())


@dataclass(frozen=True)
class IsSmall:
    def __call__(self, record: Seed) -> Verdict:
        return keep() if len(record.problem) < 10 else reject(OutputReason.OUTPUT_TOO_LONG)


def test_the_first_check_that_rejects_gives_the_reason():
    verdict = first_rejection((IsSmall(), IsEven()), seed(101))
    assert verdict.reason is OutputReason.OUTPUT_TOO_LONG


def test_a_reject_carries_the_record_its_reason_and_its_seeds():
    record = seed(1)
    item = rejected("form", record, reject(FormReason.TOO_SHORT, "x" * 1000))
    assert (item.id, item.stage, item.reason) == (record.id, "form", "too_short")
    assert '"problem": "problem 1"' in item.record
    assert len(item.detail) == 500
    assert item.seed_ids == (record.id,)


@pytest.mark.parametrize("reason", ["too wordy", StrEnum("Own", {"WORDY": "too wordy"}).WORDY])
def test_a_reason_may_be_any_string_of_a_user(reason):
    assert rejected("mine", seed(1), reject(reason)).reason == "too wordy"


def test_a_record_that_is_put_off_quotes_the_error():
    verdict = put_off("timeout: no answer in 60 s")
    assert (verdict.kept, verdict.unanswered) == (False, True)
    item = rejected("solve", seed(1), verdict)
    assert (item.reason, item.detail) == ("unanswered", "timeout: no answer in 60 s")


def test_a_kept_record_cannot_be_made_a_reject():
    with pytest.raises(ValueError):
        rejected("form", seed(1), keep())


@pytest.mark.parametrize("workers", [1, 2])
def test_checks_split_records_and_the_counts_add_up(workers):
    with TestPipeline(**on_workers(workers)) as pipeline:
        records = pipeline | beam.Create([seed(n) for n in range(100)])
        outcome = records | Filter(name="form", checks=(IsKnown(), IsEven()))
        ends = (records, outcome.kept, outcome.rejected, outcome.unanswered)
        counts = counts_of("form", ends) | "All" >> beam.Flatten()
        summed = counts | beam.CombineGlobally(SumTallies()) | beam.FlatMap(dict.items)
        amounts = {("in", ""): 100, ("kept", ""): 40, ("unanswered", ""): 10}
        amounts |= {("rejected", "five"): 10, ("rejected", "too_short"): 40}
        expected = [(("form", *key), amount) for key, amount in amounts.items()]
        assert_that(summed, equal_to(expected))


@given(
    st.integers(0, 10),
    st.integers(0, 10),
    st.lists(st.integers(1, 5), max_size=3),
    st.integers(0, 10),
)
def test_a_count_balances_just_where_every_record_has_an_end(entered, kept, refused, put_off):
    count = StageCount(entered, kept, {str(i): n for i, n in enumerate(refused)}, put_off)
    assert count.balanced is (entered == kept + sum(refused) + put_off)


def entry(**changes):
    stages = [
        {"name": "one", "draws": False, "in": 10, "kept": 7, "rejected": {"timeout": 3}},
        {"name": "two", "draws": False, "in": 7, "kept": 7, "rejected": {}},
    ]
    stages[1].update(changes)
    return {"name": "segment", "folder": "stages/01-segment", "rows": 7, "stages": stages}


def test_a_segment_that_adds_up_passes():
    check_segment(entry(), 3, 0)
    check_segment({**entry(**{"kept": 5, "unanswered": 2}), "rows": 5}, 3, 2)


@pytest.mark.parametrize(
    ("changes", "written", "message"),
    [
        ({"kept": 6}, (3, 0), r"7 in, but 6 kept \+ 0 rejected \+ 0 unanswered"),
        ({"unanswered": 1}, (3, 1), r"7 in, but 7 kept \+ 0 rejected \+ 1 unanswered"),
        (
            {"in": 8, "kept": 7, "rejected": {"timeout": 1}},
            (4, 0),
            "one kept 7, but stage two took in 8",
        ),
        ({"in": 7, "kept": 5, "rejected": {"timeout": 2}}, (5, 0), "5 records kept, but 7 rows"),
        ({}, (2, 0), "3 records rejected, but 2 rows written to rejects"),
        ({}, (3, 1), "0 records unanswered, but 1 rows written to unanswered"),
    ],
)
def test_a_segment_that_does_not_add_up_fails_the_run(changes, written, message):
    with pytest.raises(AccountingError, match=message):
        check_segment(entry(**changes), *written)


def test_a_stage_that_draws_anew_may_take_in_another_number():
    check_segment(
        entry(**{"draws": True, "in": 20, "kept": 7, "rejected": {"timeout": 13}}),
        rejects_written=16,
        unanswered_written=0,
    )
