"""Blocks give back what was put into them, each record once."""

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.engine import blocks
from transforms.engine.blocks import PackByKey, pack, unpack


@given(st.lists(st.tuples(st.text(), st.integers())))
def test_a_block_gives_its_records_back_in_their_order(records):
    assert unpack(pack(records)) == records


def test_no_record_is_lost_where_blocks_are_handed_on_before_the_bundle_ends(monkeypatch):
    monkeypatch.setattr(blocks, "_GATHERED", 10)
    with TestPipeline(**on_workers(1)) as pipeline:
        found = (
            pipeline
            | beam.Create(range(95))
            | beam.ParDo(PackByKey(lambda number: number % 4))
            | beam.FlatMapTuple(lambda key, block: [(key, number) for number in unpack(block)])
        )
        assert_that(found, equal_to([(number % 4, number) for number in range(95)]))
