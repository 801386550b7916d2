"""New inputs keep what a problem says of the old ones."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.recipes.augment.redraws import find_slots, keeps_relations, numbers_in, redraw
from transforms.text.numerals import numerals


def slots(problem, inputs):
    return find_slots(problem, numerals(problem), inputs)


def paths(problem, inputs):
    return {slot.path for slot in slots(problem, inputs)}


def test_a_value_that_the_text_states_once_is_a_slot():
    inputs = {"boxes": 6, "each": 24, "unsaid": 9}
    assert paths("6 boxes with 24 pencils each", inputs) == {("boxes",), ("each",)}


def test_a_value_that_cannot_be_told_from_another_is_no_slot():
    assert paths("2 of them, to 2 decimal places", {"n": 2}) == {("n",)}
    assert paths("4 boys and 4 girls", {"boys": 4}) == set()


def test_a_list_is_found_in_its_order():
    inputs = {"price": {"juice": 3, "badge": 2}, "bought": [2, 3], "money": 80}
    text = "Juice costs 3 and a badge 2. With 80 she buys 2 juices and 3 badges."
    found = {slot.path: slot.numerals for slot in slots(text, inputs)}
    assert found["price", "badge"] == (1,) and found["bought", 1] == (4,)


def test_years_zero_and_one_stay():
    assert paths("In 2025 there is 1 cat and 0 dogs", {"year": 2025, "cats": 1, "dogs": 0}) == set()


TEXT = "Of 240 tins 15% are red. They lie on shelves of 7, 12, 9 and 12, each 1.25 m wide."
INPUTS = {"tins": 240, "percent": 15, "shelves": [7, 12, 9, 12], "wide": 1.25}


@settings(max_examples=300)
@given(st.integers(0, 2**31), st.floats(1.1, 4))
def test_type_sign_decimals_and_order_are_kept(seed, spread):
    found = slots(TEXT, INPUTS)
    new = redraw(INPUTS, found, spread, random.Random(seed))
    before, after = dict(numbers_in(INPUTS)), dict(numbers_in(new))
    assert list(before) == list(after)
    for path, value in after.items():
        assert type(value) is type(before[path]) and value > 0
    assert after["tins",] % 10 == 0 and after["percent",] < 100
    assert round(after["wide",] * 100) == pytest.approx(after["wide",] * 100)
    a, b, c, d = new["shelves"]
    if len({a, b, c, d} ^ {7, 12, 9}) == 6:  # all of them were drawn
        assert a < c < b == d


@given(st.integers(0, 2**31))
def test_the_same_seed_draws_the_same(seed):
    found = slots(TEXT, INPUTS)
    one, other = (redraw(INPUTS, found, 1.67, random.Random(seed)) for _ in range(2))
    assert one == other != INPUTS


def test_a_sum_of_a_hundred_and_the_order_of_one_unit_must_stay():
    inputs = {"low": 58, "mean": 78, "shares": [50, 30, 20]}
    found = slots("a lowest of 58 points, a mean of 78 points; 50, 30 and 20 percent", inputs)
    assert keeps_relations(inputs, {**inputs, "low": 60}, found)
    assert not keeps_relations(inputs, {**inputs, "low": 80}, found)
    assert not keeps_relations(inputs, {**inputs, "shares": [50, 30, 25]}, found)
