"""The stages of augmentation count every redraw, and their rows are the same for any workers."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import FILTER, SANDBOX
from tests.recipes.augment.seeds import AUGMENTATION, PENCILS, judged, variants
from transforms.engine.losers import Limit
from transforms.engine.outcomes import SumTallies, counts_of
from transforms.engine.records import Seed
from transforms.recipes.augment.stages import Augment, same_problem
from transforms.stages.unify import ValidateSeeds

FEW = AUGMENTATION.model_copy(update={"rows_per_seed": 3})


@pytest.mark.parametrize("workers", [1, 2])
def test_redraws_are_kept_or_rejected_and_counted(workers):
    bare = Seed.make(problem="How many?", answer="7", source="test", license="CC0-1.0")
    found = judged(PENCILS, FEW)
    with TestPipeline(**on_workers(workers)) as pipeline:
        seeds = pipeline | beam.Create([PENCILS, bare])
        outcome = seeds | Augment(augmentation=FEW, sandbox=SANDBOX)
        ends = (outcome.entered, outcome.kept, outcome.rejected)
        tallies = counts_of("augment", ends) | "All" >> beam.Flatten()
        sums = (
            tallies
            | beam.CombineGlobally(SumTallies())
            | beam.FlatMap(dict.items)
            | beam.MapTuple(lambda key, amount: (*key[1:], amount))
            | beam.Filter(lambda sum: sum[1] in ("", "not_redrawable"))
        )
        assert_that(outcome.kept, equal_to(variants(PENCILS, FEW)), label="kept")
        assert_that(
            sums,
            equal_to(
                [("in", "", len(found) + 1), ("kept", "", 3), ("rejected", "not_redrawable", 1)]
            ),
            label="counted",
        )


def test_a_row_whose_program_gives_another_answer_is_rejected():
    right, wrong = variants(PENCILS)[:2]
    wrong = type(wrong)(**{**vars(wrong), "answer": "-1"})
    with TestPipeline(**on_workers(1)) as pipeline:
        validate = ValidateSeeds(sandbox=SANDBOX, filter=FILTER)
        outcome = pipeline | beam.Create([right, wrong]) | validate
        lost = outcome.rejected | beam.Map(lambda item: (item.id, item.reason, item.seed_ids))
        assert_that(outcome.kept, equal_to([right]), label="kept")
        assert_that(lost, equal_to([(wrong.id, "answer_mismatch", (PENCILS.id,))]), label="lost")


def test_of_equal_problems_one_stays():
    one, other = variants(PENCILS)[:2]
    same = type(one)(**{**vars(one), "id": "f" * 32})
    with TestPipeline(**on_workers(1)) as pipeline:
        limit = Limit(name="distinct", key=same_problem, reason="duplicate_instruction")
        outcome = pipeline | beam.Create([same, one, other]) | limit
        lost = outcome.rejected | beam.Map(lambda item: (item.id, item.reason))
        assert_that(outcome.kept, equal_to([one, other]), label="kept")
        assert_that(lost, equal_to([(same.id, "duplicate_instruction")]), label="lost")
