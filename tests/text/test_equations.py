"""Equations are read out of a text as far as they are arithmetic."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.engine.paths import DATA
from transforms.text.equations import chains, holds
from transforms.text.expressions import evaluate, evaluate_arrays
from transforms.text.numerals import numerals


def sides(text):
    """The values of the sides of each equation."""
    found = numerals(text)
    return [
        [float(evaluate(side, lambda leaf: found[leaf].value)) for side in chain.sides]
        for chain in chains(text, found)
    ]


PRODUCTS = [[225, 225], [36, 36], [15, 15]]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("The boxes hold 6 × 24 = 144 pencils.", [[144, 144]]),
        ("so 16 × (14 + 59) ÷ 2 = 584 seats, and 12 = 3 * 4", [[584, 584], [12, 12]]),
        ("a chain 2 × 3 = 6 = 12 / 2", [[6, 6, 6]]),
        ("the rest takes 5/6 ÷ 5/12 = 2 hours", [[2, 2]]),
        ("√(6.5² − 2.5²) = √36 = 6 m", [[6, 6, 6]]),
        ("in C(12, 3) = 220 ways, and 4! = 24", [[220, 220], [24, 24]]),
        ("it pays $240 × 0.85 = $204 (8% of it later)", [[204, 204]]),
        ("they are 4 × 4 = 16, 4 × 3 = 12 and so on", [[16, 16], [12, 12]]),
        ("(6 + 2 = 8), 10-19 = none", [[8, 8]]),
        ("13a + 8c = 359, and w(3) = w(2) + w(0)", []),
        (r"so $3 \times 4 = 12$ and \(\frac{12}{4} = 3\)", [[12, 12], [3, 3]]),
        ("3 boxes × 4 pens = 12 pens, and $3.50 × 2 = $7.00", [[12, 12], [7, 7]]),
        ("100% - 60% = 40%, and 25% × 40 = 10", [[40, 40], [10, 10]]),
        ("6 + 4 = 10 × 2 = 20", [[10, 10], [20, 20]]),
        ("15 × 15 = 225 times π, 9 × 4 = 36 machine-hours, 3 × 5 = 15 times.", PRODUCTS),
    ],
)
def test_arithmetic_is_read_and_all_else_is_left(text, values):
    assert sides(text) == [pytest.approx(one) for one in values]


CLOSE = "200 ÷ 3.5 ≈ 57.14, not 200 ÷ 3.5 ≈ 57.2, and never 7 × 8 = 54"


def test_an_equation_holds_as_closely_as_its_numbers_are_shown():
    found = numerals(CLOSE)
    assert [holds(chain, found) for chain in chains(CLOSE, found)] == [True, False, False]


@given(st.integers(0, 999), st.integers(0, 999), st.integers(1, 99), st.sampled_from("+−×"))
def test_what_is_computed_holds(a, b, c, sign):
    result = {"+": a + b * c, "−": a - b * c, "×": a * b * c}[sign]
    text = f"It is {a} {sign} {b} × {c} = {abs(result)}"
    found = numerals(text)
    [chain] = chains(text, found)
    assert holds(chain, found) is (result >= 0)


def test_a_tree_is_evaluated_for_many_runs_at_once():
    found = numerals("2 + 3 × 4 = 14")
    [chain] = chains("2 + 3 × 4 = 14", found)
    values = [np.array([1, 2]), np.array([3, 4]), np.array([5, 6]), None]
    assert evaluate_arrays(chain.sides[0], lambda leaf: values[leaf]).tolist() == [16, 26]


def test_equations_of_the_shipped_seeds_hold():
    false = []
    for path in sorted((DATA / "seeds").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            text = json.loads(line)["solution"]
            if "ounded " in text:  # in words: 133 ÷ 8 = 16 pages
                continue
            found = numerals(text)
            false += [chain for chain in chains(text, found) if not holds(chain, found)]
    assert len(false) <= 3  # with a remainder, with dots, with an unknown
