"""A seed is kept when a program gives its answer, and says why when none does."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from tests.beam import on_workers
from tests.programs_for_tests import FILTER, SANDBOX, SPAM
from transforms.engine.records import Seed
from transforms.stages.unify import ValidateSeeds, plain_answer


def seed(problem, answer, code):
    return Seed.make(
        problem=problem, answer=answer, code=code, source="test", license="CC0-1.0", kind="rates"
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_seeds_are_kept_when_their_code_gives_their_answer(workers):
    seeds = [
        seed("right", "560", SPAM),
        seed("same value", "560.0", SPAM),
        seed("no answer yet", None, SPAM),
        seed("no code yet", "7", None),
        seed("wrong", "561", SPAM),
        seed("crash", "560", SPAM.replace("// 100", "// 0")),
        seed("bad form", "560", "output = 560"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(seeds) | ValidateSeeds(sandbox=SANDBOX, filter=FILTER)
        kept = outcome.kept | "Kept" >> beam.Map(lambda s: (s.problem, s.answer, s.output))
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: item.reason)
        assert_that(
            kept,
            equal_to(
                [
                    ("right", "560", "560"),
                    ("same value", "560.0", "560"),
                    ("no answer yet", "560", "560"),
                    ("no code yet", "7", None),
                ]
            ),
            label="kept",
        )
        assert_that(
            lost, equal_to(["answer_mismatch", "runtime_error", "not_unified"]), label="lost"
        )


def test_a_text_answer_is_stated_without_quotes():
    assert plain_answer('"Thursday"') == "Thursday"
    assert plain_answer("[1, 2]") == "[1, 2]"
