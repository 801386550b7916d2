"""Numbers are found in a text, and others are written as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.text.numerals import numerals, rendered


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6 boxes, 1,250 nails and 3.50 euros", [("number", 6), ("number", 1250), ("number", 3.5)]),
        ("the 8th of three", [("ordinal", 8), ("word", 3)]),
        ("the Fifth row has 2⁸ seats", [("ordinal_word", 5), ("number", 2), ("raised", 8)]),
        ("at 07:10, for 4:35 minutes", [("clock", 430), ("clock", 275)]),
        ("on 2025-03-04", [("date", 0)]),
        ("room A4 and x2 stay, H2O too", []),
    ],
)
def test_every_way_of_writing_a_number_is_found(text, found):
    assert [(numeral.kind, numeral.value) for numeral in numerals(text)] == found


def test_a_unit_is_the_word_after_a_number_or_the_currency_before_it():
    units = [numeral.unit for numeral in numerals("6 boxes, 20% of $30, 4-litre jugs and 5, so")]
    assert units == ["boxe", "%", "$", "litre", ""]


@pytest.mark.parametrize(
    ("text", "value", "written"),
    [
        ("144", 96, "96"),
        ("144", 96.5, None),
        ("1,200", 950, "950"),
        ("1,200", 12000, "12,000"),
        ("4.5", 6.25, "6.25"),
        ("4.5", 1 / 3, None),
        ("$16.32", 11.9, "11.90"),
        ("8.10 euros", 9, "9.00"),
        ("8th", 21, "21st"),
        ("8th", 112, "112th"),
        ("Six", 7, "Seven"),
        ("six", 21, None),
        ("2⁸", 12, "¹²"),
        ("144", -3, None),
        ("144", float("nan"), None),
    ],
)
def test_a_value_is_written_like_the_number_it_replaces(text, value, written):
    assert rendered(numerals(text)[-1], value) == written


@given(st.integers(0, 10**9), st.integers(0, 3))
def test_what_is_written_is_read_as_the_same_value(whole, decimals):
    value = whole / 10**decimals
    [model] = numerals("1,234.5678")
    written = rendered(model, value)
    assert written is not None
    [read] = numerals(written)
    assert read.value == pytest.approx(value, rel=1e-12)


@given(st.floats(0.01, 1e6))
def test_a_rounded_value_shows_as_many_decimals_as_before(value):
    written = rendered(numerals("57.14")[0], value, exact=False)
    assert written is not None and len(written.partition(".")[2]) == 2
