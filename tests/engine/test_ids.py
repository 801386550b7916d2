"""Ids and seeds are functions of content."""

import json

from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.ids import canonical_json, content_id, derived_seed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_an_id_does_not_depend_on_the_order_of_keys(value):
    backwards = dict(reversed(list(value.items())))
    assert content_id("x", value) == content_id("x", backwards)


@given(json_values, json_values)
def test_different_content_has_different_ids(one, other):
    same = canonical_json(one) == canonical_json(other)
    assert (content_id("x", one) == content_id("x", other)) is same


def test_parts_are_kept_apart():
    assert content_id("x", "ab", "c") != content_id("x", "a", "bc")
    assert content_id("x", "a") != content_id("y", "a")


@given(json_values)
def test_canonical_json_reads_back_as_the_value(value):
    assert json.loads(canonical_json(value)) == value


@given(st.integers(0, 2**31), st.text())
def test_a_seed_has_31_bits_and_is_the_same_each_time(seed, name):
    first = derived_seed(seed, name)
    assert first == derived_seed(seed, name)
    assert 0 <= first < 2**31


def test_neighbouring_run_seeds_share_no_stream():
    one = {derived_seed(0, index) for index in range(1000)}
    other = {derived_seed(1, index) for index in range(1000)}
    assert len(one) == len(other) == 1000
    assert not one & other
