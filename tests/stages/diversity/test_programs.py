"""Of programs that compute the same, few stay: the same ones, whoever comes first."""

import random

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import DEDUP, SPAM, execution
from transforms.engine.records import Seed
from transforms.engine.tables import write_table
from transforms.stages.diversity.programs import DeduplicatePrograms


def renamed(name, number):
    return SPAM.replace("answered", name).replace("160", str(number))


@pytest.mark.parametrize("workers", [1, 2])
def test_of_one_structure_the_shortest_programs_stay(workers):
    programs = [
        execution(renamed("number_of_answered_emails", 1), id="long"),
        execution(renamed("a", 20), id="short"),
        execution(renamed("done", 300), id="middle"),
        execution(renamed("done", 300) + "\n# done", id="comment"),
        execution(SPAM.replace("answered * days", "answered + days"), id="other"),
    ]
    random.Random(workers).shuffle(programs)
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(programs) | DeduplicatePrograms(dedup=DEDUP)
        kept = outcome.kept | "Kept" >> beam.Map(lambda record: record.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(kept, equal_to(["short", "middle", "other"]), label="kept")
        assert_that(
            lost,
            equal_to([("long", "fingerprint_full"), ("comment", "duplicate_program")]),
            label="lost",
        )


def test_a_program_that_differs_in_one_place_is_a_near_duplicate():
    steps = [f"    step{n} = emails * {n} + percent_spam - days // {n + 1}" for n in range(20)]
    long = SPAM.replace("    answered =", "\n".join([*steps, "    answered ="]), 1)
    programs = [
        execution(long, id="one"),
        execution(long.replace("emails * 7", "emails + 7"), id="two"),
    ]
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(programs) | DeduplicatePrograms(dedup=DEDUP)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(lost, equal_to([("two", "near_duplicate")]), label="lost")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_seed_s_program_is_a_copy_and_takes_no_place_of_its_structure(workers, tmp_path):
    seeds = [
        Seed.make(problem="p", source="test", license="CC0-1.0", code=SPAM, answer="1"),
        Seed.make(problem="q", source="test", license="CC0-1.0", answer="1"),
    ]
    write_table(str(tmp_path / "part-0.parquet"), seeds, Seed, "zstd")
    programs = [
        execution(SPAM + "\n# done", id="copy"),
        *(execution(renamed("done", number), id=str(number)) for number in (20, 300, 4000)),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = (
            pipeline
            | beam.Create(programs)
            | DeduplicatePrograms(
                dedup=DEDUP.model_copy(update={"max_per_fingerprint": 3}), seeds=str(tmp_path)
            )
        )
        kept = outcome.kept | "Kept" >> beam.Map(lambda record: record.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(kept, equal_to(["20", "300", "4000"]), label="kept")
        assert_that(lost, equal_to([("copy", "copy_of_seed")]), label="lost")
