"""Text that a model sent is valid Unicode after `valid_text`, and otherwise unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.models.backends.base import valid_text

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))
"""Surrogates included, as `json.loads` may return them."""


@given(ANY_TEXT)
def test_the_result_can_be_encoded(text: str) -> None:
    assert valid_text(text).encode().decode() == valid_text(text)


@given(st.text())
def test_valid_text_stays_as_it_is(text: str) -> None:
    assert valid_text(text) == text


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("a\ud83d", "a\ufffd"),
        ("\ude00b", "\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
    ],
)
def test_halves_are_joined_and_lone_ones_replaced(text: str, repaired: str) -> None:
    assert valid_text(text) == repaired
