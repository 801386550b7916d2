"""Examples are drawn from ids alone, out of a bounded pool."""

import pickle
from collections import Counter
from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.engine.records import Seed
from transforms.models.pool import Pool, SeedPool, combined_license, combined_source, draw_shots

POOL = Pool(
    Seed.make(problem=f"p{n}", source="s", license="MIT" if n % 2 else "CC0-1.0", code="x = 1")
    for n in range(50)
)


def test_the_same_record_is_shown_the_same_seeds():
    assert draw_shots(POOL, 4, 0, "program", 7) == draw_shots(POOL, 4, 0, "program", 7)
    assert draw_shots(POOL, 4, 0, "program", 7) != draw_shots(POOL, 4, 0, "program", 8)
    assert draw_shots(POOL, 4, 0, "program", 7) != draw_shots(POOL, 4, 1, "program", 7)


def test_a_small_pool_gives_what_it_has_and_no_seed_twice():
    assert len(set(draw_shots(Pool(POOL[:3]), 8, 0, "x"))) == 3
    assert draw_shots(Pool(), 4, 0, "x") == ()


def test_one_seed_more_changes_only_the_draws_that_show_it():
    before = [draw_shots(Pool(POOL[1:]), 2, 0, "program", n) for n in range(1000)]
    after = [draw_shots(POOL, 2, 0, "program", n) for n in range(1000)]
    shown = [POOL[0] in shots for shots in after]
    assert [one != other for one, other in zip(before, after, strict=True)] == shown
    assert 20 <= sum(shown) <= 60  # 2 of 50, so 40 of 1,000


def test_every_seed_is_shown_about_as_often_as_any_other():
    shown = Counter(shot.id for n in range(2000) for shot in draw_shots(POOL, 4, 0, "x", n))
    assert len(shown) == 50
    assert 100 <= min(shown.values()) <= max(shown.values()) <= 230  # 160 on average


KINDS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.none() | st.just("so")))


@given(KINDS)
def test_a_pool_parts_its_seeds_by_kind_and_by_solution_and_travels_with_both(kinds):
    seeds = [
        replace(POOL[0], id=str(n), kind=kind, solution=solution)
        for n, (kind, solution) in enumerate(kinds)
    ]
    pool = Pool(seeds)
    assert [*pool.solved] == [seed for seed in seeds if seed.solution]
    assert {seed for of_kind in pool.by_kind.values() for seed in of_kind} == {
        seed for seed in seeds if seed.kind
    }
    assert all({seed.kind for seed in of_kind} == {kind} for kind, of_kind in pool.by_kind.items())
    assert pickle.loads(pickle.dumps(pool)).by_kind == pool.by_kind


def test_licences_and_sources_of_all_seeds_shown_are_named():
    assert combined_license(POOL[:2]) == "CC0-1.0 AND MIT"
    assert combined_source(POOL[:2]) == "s"


@pytest.mark.parametrize("workers", [1, 2])
def test_the_pool_is_the_same_for_any_order_and_number_of_workers(workers):
    without_code = Seed.make(problem="no code", source="s", license="MIT")

    def pool(name, seeds):
        created = pipeline | f"{name} seeds" >> beam.Create([*seeds, without_code])
        return created | f"{name} pool" >> SeedPool(10) | name >> beam.Map(tuple)

    with TestPipeline(**on_workers(workers)) as pipeline:
        both = (pool("forwards", POOL), pool("backwards", POOL[::-1])) | beam.Flatten()
        sizes = both | "Size" >> beam.Map(len)
        distinct = both | beam.Distinct() | beam.combiners.Count.Globally()
        assert_that(sizes, equal_to([10, 10]), label="sizes")
        assert_that(distinct, equal_to([1]), label="same")
