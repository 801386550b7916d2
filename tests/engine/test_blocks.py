"""Blocks give back what was put into them, each record once."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.engine import blocks
from transforms.engine.blocks import (
    PackByKey,
    Spread,
    Together,
    pack,
    records_of,
    spilled_to,
    unpack,
)
from transforms.engine.records import Seed


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


def seeds(count):
    return [Seed.make(problem=f"{n}", source="test", license="CC0-1.0") for n in range(count)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_pipeline_keeps_for_later_lies_on_disk_and_comes_back_whole(tmp_path, workers):
    some, others = seeds(60)[:20], seeds(60)[20:]
    with TestPipeline(**on_workers(workers)) as pipeline, spilled_to(str(tmp_path)):
        together = (
            pipeline | "Some" >> beam.Create(some),
            pipeline | "Others" >> beam.Create(others),
        ) | Together()
        packed = together | Spread() | beam.ParDo(PackByKey(lambda seed: seed.id[0]))
        assert_that(
            packed | beam.FlatMapTuple(lambda _, block: unpack(block)), equal_to(some + others)
        )
        in_memory = packed | beam.Filter(lambda keyed: isinstance(keyed[1][1], bytes))
        assert_that(in_memory, equal_to([]), label="in memory")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > 0


def test_blocks_on_disk_can_be_gone_through_again(tmp_path):
    with spilled_to(str(tmp_path)):
        packing = PackByKey(lambda number: number % 2)
    packing.start_bundle()
    assert not [block for number in range(10) for block in packing.process(number)]
    blocks = [windowed.value[1] for windowed in packing.finish_bundle()]
    assert [sorted(records_of(blocks)) for _ in range(2)] == [list(range(10))] * 2


def test_on_disk_a_bundle_has_one_block_a_key_however_many_records(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_GATHERED", 10)
    with spilled_to(str(tmp_path)):
        packing = PackByKey(lambda number: number % 4)
    packing.start_bundle()
    early = [keyed for number in range(95) for keyed in packing.process(number)]
    late = dict(windowed.value for windowed in packing.finish_bundle())
    assert (early, sorted(late)) == ([], [0, 1, 2, 3])
    assert {key: list(records_of([block])) for key, block in late.items()} == {
        key: list(range(key, 95, 4)) for key in range(4)
    }
