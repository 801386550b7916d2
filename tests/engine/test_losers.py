"""Which duplicate stays follows a stated order, whoever comes first."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.engine.blocks import pack
from transforms.engine.losers import DropLosers, LimitPerKey, over_limit
from transforms.engine.records import Seed
from transforms.programs.checks import FormReason
from transforms.stages.diversity.reasons import Sameness


@given(
    st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), unique=True, min_size=1),
    st.integers(1, 5),
    st.randoms(),
)
def test_the_smallest_stay_in_any_order_of_arrival(group, limit, random):
    shuffled = list(group)
    random.shuffle(shuffled)
    claims = [pack([("key", *one)]) for one in shuffled]
    lost = sorted(record_id for record_id, _ in over_limit(claims, limit, FormReason.TOO_SHORT))
    assert lost == sorted(record_id for _, record_id in sorted(group)[limit:])


def records():
    return [
        Seed.make(problem=f"{letter} {'x' * size}", source="test", license="CC0-1.0")
        for letter in "ab"
        for size in (3, 1, 2)
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_shortest_of_each_key_stays_on_any_number_of_workers(workers):
    with TestPipeline(**on_workers(workers)) as pipeline:
        seeds = pipeline | beam.Create(records())
        losers = seeds | LimitPerKey(
            key=lambda seed: seed.problem[0],
            order=lambda seed: len(seed.problem),
            limit=1,
            reason=Sameness.DUPLICATE_PROGRAM,
        )
        outcome = seeds | DropLosers("test", losers)
        kept = outcome.kept | "Problems" >> beam.Map(lambda seed: seed.problem)
        reasons = outcome.rejected | "Reasons" >> beam.Map(lambda item: item.reason)
        assert_that(kept, equal_to(["a x", "b x"]), label="kept")
        assert_that(reasons, equal_to(["duplicate_program"] * 4), label="rejected")
