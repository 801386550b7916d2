"""Of instructions that say the same, one stays: the same one, whoever comes first."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import DEDUP
from transforms.engine.records import Example, Seed
from transforms.engine.tables import write_table
from transforms.stages.diversity.instructions import Deduplicate

LONG = (
    "A baker makes 12 trays of 24 rolls every morning and sells 7 rolls out of 8 before noon. In "
    "the afternoon half of what is left goes to the school at the end of the street. How many "
    "rolls are left in the evening of a day on which the baker also gives 5 rolls to the postman?"
)


def example(id, instruction, code="x = 1"):
    return Example(
        id=id,
        recipe="caco",
        kind=None,
        instruction=instruction,
        solution="",
        code=code,
        input="{}",
        answer="1",
        answer_type="integer",
        messages=(),
        agreement=1.0,
        attempts=1,
        difficulty=0.0,
        seed_ids=(),
        source="test",
        license="CC0-1.0",
        calls=(),
        tokens=1,
        run_id="r",
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_equal_and_nearly_equal_instructions_are_one_example(workers):
    examples = [
        example("long code", LONG, code="x = 1  # long"),
        example("same words", LONG.upper().replace(",", ""), code="x = 1"),
        example("one number", LONG.replace("5 rolls", "6 rolls"), code="x = 123"),
        example("other", "What is the sum of the digits of 2 to the power of 100?"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(examples) | Deduplicate(dedup=DEDUP)
        kept = outcome.kept | "Kept" >> beam.Map(lambda e: e.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(kept, equal_to(["same words", "other"]), label="kept")
        assert_that(
            lost,
            equal_to([("long code", "duplicate_instruction"), ("one number", "near_duplicate")]),
            label="lost",
        )


@pytest.mark.parametrize("workers", [1, 2])
def test_what_says_what_a_seed_says_is_a_copy_of_it(workers, tmp_path):
    seed = Seed.make(problem=LONG, source="test", license="CC0-1.0", code="x = 1", answer="1")
    write_table(str(tmp_path / "part-0.parquet"), [seed], Seed, "zstd")
    examples = [
        example("equal", LONG.upper()),
        example("one number", LONG.replace("5 rolls", "6 rolls")),
        example("other", "What is the sum of the digits of 2 to the power of 100?"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(examples) | Deduplicate(dedup=DEDUP, seeds=str(tmp_path))
        kept = outcome.kept | "Kept" >> beam.Map(lambda e: e.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(kept, equal_to(["other"]), label="kept")
        assert_that(
            lost,
            equal_to([("equal", "copy_of_seed"), ("one number", "copy_of_seed")]),
            label="lost",
        )
