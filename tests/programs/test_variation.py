"""Drawn inputs are like the program's own, differ, and are the same each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.programs.variation import drawn_inputs, likely_inputs, oddities, unlike

VALUES = st.recursive(
    st.booleans() | st.integers(-500, 500) | st.floats(-100, 100) | st.text(max_size=5) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
INPUTS = st.dictionaries(st.text(min_size=1, max_size=3), VALUES, min_size=1, max_size=3)


@given(INPUTS)
def test_drawn_inputs_are_like_the_own_and_all_different(own):
    drawn = list(drawn_inputs("id", own, 5))
    assert not any(unlike(each, own) for each in drawn)
    assert len({repr(each) for each in [*drawn, own]}) == len(drawn) + 1
    assert repr(drawn) == repr(list(drawn_inputs("id", own, 5)))


@given(INPUTS)
def test_a_program_s_own_input_is_like_itself(own):
    assert unlike(own, own) == ""


@pytest.mark.parametrize("value", [-1, True, 2.5, "3", None, 10**9, [3], float("nan")])
def test_other_types_signs_and_sizes_are_told_apart(value):
    assert unlike({"n": value}, {"n": 3})


def test_items_are_like_any_of_the_own_ones():
    assert unlike({"n": ["a", 2]}, {"n": [1, "b"]}) == ""
    assert unlike({"n": [2.5]}, {"n": [1, "b"]})
    assert unlike({"n": [1]}, {"n": []})


@given(INPUTS)
def test_likely_inputs_are_those_of_fewest_oddities_and_the_same_again(own):
    likely = likely_inputs("id", own, 5)
    assert likely == likely_inputs("id", own, 5)
    drawn = sorted(oddities(each, own) for each in drawn_inputs("id", own, 50))
    assert [oddities(each, own) for each in likely] == drawn[:5]
