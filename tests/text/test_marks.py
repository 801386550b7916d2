"""Marks in a model's text: parts between tags, numbers after a label."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.text.marks import labelled, tagged

PLAIN = st.text("ab <\n").map(str.strip).filter(bool)


@given(st.lists(PLAIN))
def test_parts_between_tags_come_back_in_order(parts: list[str]) -> None:
    text = "\n".join(f"So: <step>\n{part}\n</step>" for part in parts)
    assert tagged(text, "step") == parts and tagged(text, "idea") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Rating: -1", [-1.0]),
        ("**Rating:** 0.5.", [0.5]),
        ("rating: 0.5\nRating: 1", [0.5, 1.0]),
        ("Rating: 7", []),
        ("1. It passes.\n2. It is short.", []),
        ("Operating: 1", []),
    ],
)
def test_a_number_counts_after_its_label_and_within_its_bounds(
    text: str, found: list[float]
) -> None:
    assert labelled(text, "rating", -1, 1) == found


@given(st.integers(1, 5))
def test_a_whole_number_is_read_as_it_is_written(score: int) -> None:
    assert labelled(f"1. Good.\nScore: {score}", "score", 1, 5) == [score]
