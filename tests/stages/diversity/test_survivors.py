"""Which rows survive depends on the rows alone: not on their order, the workers, or a retry."""

import json
import random
from functools import cache

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from pipelines.benches.synthetic.benchmark import as_example
from pipelines.benches.synthetic.problems import problem
from tests.beam import on_workers
from tests.programs_for_tests import DEDUP, FILTER, SPAM, execution
from transforms.stages.diversity.instructions import Deduplicate
from transforms.stages.diversity.programs import DeduplicatePrograms
from transforms.stages.filtering import CapTrivial

ROWS = 300
FEW_TRIVIAL = FILTER.model_copy(update={"max_trivial_share": 0.03})


@cache
def rows():
    return [problem(index) for index in range(ROWS)]


def judge(pcoll):
    """The stages that compare rows with each other, and what each of them kept and rejected."""
    unlike = pcoll | "Programs" >> DeduplicatePrograms(dedup=DEDUP)
    capped = unlike.kept | "Trivial" >> CapTrivial(filter=FEW_TRIVIAL)
    examples = capped.kept | "Examples" >> beam.Map(as_example)
    said_once = examples | "Instructions" >> Deduplicate(dedup=DEDUP)
    rejected = (
        (unlike.rejected, capped.rejected, said_once.rejected)
        | "All" >> beam.Flatten()
        | "Rejects" >> beam.Map(lambda item: (item.id, item.reason, item.detail))
    )
    return (said_once.kept | "Ids" >> beam.Map(lambda row: (row.id, "", "")), rejected) | (
        "Both" >> beam.Flatten()
    )


@pytest.fixture(scope="module")
def in_order(tmp_path_factory):
    """What one worker finds in the rows as they come."""
    path = tmp_path_factory.mktemp("survivors") / "found.json"
    with TestPipeline(**on_workers(1)) as pipeline:
        (
            pipeline
            | beam.Create(rows())
            | beam.ptransform_fn(judge)()
            | beam.combiners.ToList()
            | "Write" >> beam.Map(lambda items: path.write_text(json.dumps(sorted(items))))
        )
    return [tuple(item) for item in json.loads(path.read_text())]


def test_every_reason_of_these_stages_occurs_in_the_rows(in_order):
    assert {reason for _, reason, _ in in_order} == {
        "",
        "duplicate_program",
        "near_duplicate",
        "fingerprint_full",
        "trivial_over_share",
        "duplicate_instruction",
    }
    assert len(in_order) == ROWS


@pytest.mark.parametrize(
    ("workers", "seed", "flags"),
    [(1, 1, ()), (1, 2, ()), (1, 3, ("--direct_runner_bundle_repeat=1",)), (2, 4, ())],
)
def test_any_order_and_number_of_workers_gives_the_same(workers, seed, flags, in_order):
    shuffled = list(rows())
    random.Random(seed).shuffle(shuffled)
    with TestPipeline(**on_workers(workers, *flags)) as pipeline:
        found = pipeline | beam.Create(shuffled) | beam.ptransform_fn(judge)()
        assert_that(found, equal_to(in_order))


def check_dedup(executions, kept, reason):
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(executions) | DeduplicatePrograms(dedup=DEDUP)
        ids = outcome.kept | beam.Map(lambda record: record.id)
        reasons = outcome.rejected | "Reasons" >> beam.Map(lambda item: item.reason)
        assert_that(ids, equal_to(kept), label="kept")
        assert_that(reasons, equal_to([reason] * (len(executions) - len(kept))), label="rejected")


def test_of_programs_that_are_all_equal_one_stays():
    many = [execution(SPAM + f"# {n:05d}\n", id=f"{n:05d}") for n in range(3000)]
    check_dedup(many, kept=["00000"], reason="duplicate_program")


def test_of_programs_that_all_have_one_structure_the_first_stay():
    def renamed(n):
        names = {"emails": f"e{n}", "percent_spam": f"p{n}", "days": f"d{n}", "spam": f"s{n}"}
        code = SPAM.replace("answered", f"a{n}")
        for old, new in names.items():
            code = code.replace(old, new)
        return execution(code, id=f"{n:05d}")

    many = [renamed(n) for n in range(10_000, 12_000)]
    check_dedup(many, kept=["10000", "10001"], reason="fingerprint_full")
