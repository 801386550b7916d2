"""Figures of diversity are what one counts by hand, whatever the order of the rows."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.stages.diversity.embedding import hashed_ngrams
from transforms.stages.diversity.measure import BINS, SAMPLE, Row, Survey, compare, lengths

ADD = """input = {"a": 3, "b": 4}

def solution(a, b):
    return a + b

output = solution(**input)
"""
SUM = """import math

input = {"numbers": [1, 2, 3]}

def solution(numbers):
    total = 0
    for number in numbers:
        if number > 1:
            total += math.gcd(number, 6)
    return total

output = solution(**input)
"""
ROWS = (
    Row("1", ADD, "7", "Tom has 3 apples and 4 pears. How many?", "The answer is 7."),
    Row("2", ADD.replace("a", "x"), "7", "Tom has 3 plums.", "7"),
    Row("3", ADD.replace("3", "5"), "9.5", "How many are 5 and 4 together?", "It is 9.5"),
    Row("4", SUM, '"six"', "Add the common divisors.", None),
)


def figures(rows, **others):
    return compare({"rows": Survey(rows), **{k: Survey(v) for k, v in others.items()}})["rows"]


def test_programs_are_counted_by_structure():
    found = figures(ROWS).fingerprints
    assert (found.distinct, found.largest) == (2, 0.75)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found.effective == pytest.approx(np.exp(entropy), abs=0.01)


def test_operations_and_libraries_are_counted_by_programs_that_use_them():
    found = figures(ROWS)
    assert found.operations.shares["+"] == 1.0  # also in +=
    assert found.operations.shares["for"] == 0.25
    assert found.functions.shares == {"math.gcd": 0.25}
    assert found.libraries.shares == {"math": 0.25}


def test_answers_are_counted_by_value_and_by_type():
    found = figures(ROWS)
    assert found.answers.shares == {"7": 0.5, '"six"': 0.25, "9.5": 0.25}
    assert found.answer_types.shares == {"integer": 0.5, "float": 0.25, "string": 0.25}


def test_kinds_are_counted_among_the_rows_that_have_one():
    rows = [replace(row, kind=kind) for row, kind in zip(ROWS, ("a", "a", "b", None), strict=True)]
    assert figures(rows).kinds.shares == {"a": 0.6667, "b": 0.3333}
    assert figures(ROWS).kinds.distinct == 0


def test_sizes_are_medians_of_what_there_is():
    found = figures(ROWS)
    assert (found.nesting.min, found.nesting.median, found.nesting.max) == (0, 0, 2)
    assert (found.code_lines.min, found.code_lines.max) == (4, 8)
    assert (found.input_keys.min, found.input_keys.max) == (1, 2)
    assert (found.instruction_words.min, found.instruction_words.max) == (4, 9)
    assert sum(found.solution_words.histogram) == 3  # one row has no solution


def test_a_program_that_does_not_parse_is_said_so_and_counts_nowhere():
    found = figures([*ROWS, Row("5", "def", "1")])
    assert (found.rows, found.unparsable) == (5, 1)
    assert found.fingerprints.largest == 0.75


def test_ngrams_are_different_ones_by_all():
    rows = [Row("1", ADD, None, "a b a b"), Row("2", ADD, None, "a b c")]
    found = figures(rows).wording
    assert (found.texts, found.words) == (2, 7)
    assert found.distinct_1 == round(3 / 7, 4)
    assert found.distinct_2 == round(3 / 5, 4)  # ab ba ab | ab bc: none across two texts
    assert found.distinct_3 == round(3 / 3, 4)
    assert found.shared_openings == 0.0


def test_openings_of_three_words_are_shared_or_not():
    rows = [Row(str(n), ADD, None, f"Tom has many {n}") for n in range(3)]
    found = figures([*rows, Row("x", ADD, None, "Ann has many")])
    assert found.wording.shared_openings == 0.75
    assert found.openings.shares == {"tom has many": 0.75, "ann has many": 0.25}


def test_sampled_figures_of_sets_are_of_the_same_number_of_texts_and_words():
    many = [Row(str(n), ADD, None, f"text {n} of so many " * (1 + n % 3)) for n in range(50)]
    found = compare({"few": Survey(ROWS), "many": Survey(many)})
    assert found["few"].wording.texts == found["many"].wording.texts == 4
    assert found["few"].wording.words == found["many"].wording.words
    assert found["few"].coverage.programs == found["many"].coverage.programs == 4


def test_an_empty_set_does_not_shrink_the_others_samples():
    found = compare({"rows": Survey([]), "seeds": Survey(ROWS)})
    assert found["rows"].wording is None and found["rows"].code_lines is None
    assert found["rows"].fingerprints.distinct == 0
    assert found["seeds"].wording.texts == 4


def test_the_sample_is_bounded_and_drawn_by_hash():
    rows = [Row(str(n), "x = 1", None, f"text {n}") for n in range(SAMPLE + 200)]
    backwards = Survey(reversed(rows))
    assert len(backwards.texts) == len(backwards.programs) == SAMPLE
    assert backwards.texts == Survey(rows).texts
    assert len({text for text in backwards.texts if int(text.split()[1]) >= SAMPLE}) > 100


@settings(max_examples=25)
@given(st.lists(st.sampled_from(ROWS), min_size=1, max_size=12), st.randoms())
def test_the_order_of_rows_does_not_matter(rows, rng):
    rows = [replace(row, id=f"{row.id}-{n}") for n, row in enumerate(rows)]
    shuffled = list(rows)
    rng.shuffle(shuffled)
    assert figures(shuffled) == figures(rows)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(ROWS), max_size=12), st.integers(0, 12))
def test_parts_of_a_set_merge_into_the_set(rows, cut):
    rows = [replace(row, id=f"{row.id}-{n}") for n, row in enumerate(rows)]
    merged = Survey(rows[:cut])
    merged.merge(Survey(rows[cut:]))
    assert compare({"rows": merged}) == compare({"rows": Survey(rows)})


@settings(max_examples=25)
@given(st.lists(st.sampled_from(ROWS), min_size=1, max_size=6, unique=True))
def test_duplicates_lower_what_is_different(rows):
    once = figures(rows)
    twice = figures([*rows, *(replace(row, id=f"{row.id}-again") for row in rows)])
    assert twice.wording.distinct_1 < once.wording.distinct_1
    assert twice.wording.shared_openings == 1.0
    assert twice.wording.nearest_distance == pytest.approx(0.0, abs=1e-3)
    assert twice.fingerprints.distinct == once.fingerprints.distinct
    assert twice.fingerprints.effective == once.fingerprints.effective
    if once.wording.mean_distance is not None:
        assert twice.wording.mean_distance <= once.wording.mean_distance


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=30))
def test_histograms_hold_every_value_once_and_quantiles_are_among_the_values(values):
    found = lengths(Counter(values))
    assert sum(found.histogram) == len(values)
    assert (found.min, found.max) == (min(values), max(values))
    ordered = sorted(values)
    assert found.median == ordered[(len(values) - 1) // 2]
    for value in values:
        place = max(n for n, low in enumerate(BINS) if low <= value)
        assert found.histogram[place] > 0


def test_bins_rise():
    assert list(BINS) == sorted(set(BINS))


def test_a_long_answer_is_named_by_its_beginning_and_stays_distinct():
    rows = [replace(ROWS[0], id=str(n), answer="1" * 5000 + str(n)) for n in range(3)]
    found = figures(rows).answers
    assert found.distinct == 3
    assert all(len(name) < 80 for name in found.shares)


def test_texts_that_differ_in_numbers_alone_are_at_no_distance():
    one, other, far = hashed_ngrams(["Add 3 and 4.", "Add 51 and 1,000.", "Sing a song!"])
    assert one @ other == pytest.approx(1.0, abs=1e-5)
    assert one @ far < 0.3
    assert np.linalg.norm(far) == pytest.approx(1.0, abs=1e-5)


def test_a_vector_depends_on_its_text_alone():
    texts = ["Tom walks home.", "A train leaves.", ""]
    alone = np.concatenate([hashed_ngrams([text]) for text in texts])
    assert np.array_equal(hashed_ngrams(texts), alone)


def test_another_embedder_can_take_the_place_of_the_default():
    def constant(texts):
        return np.ones((len(texts), 1), dtype=np.float32)

    found = compare({"rows": Survey(ROWS)}, embed=constant)["rows"].wording
    assert (found.mean_distance, found.nearest_distance) == (0.0, 0.0)
    assert found.embedding == "constant"


def test_varied_texts_are_further_apart_than_a_template():
    rng = random.Random(0)
    nouns = ["river", "clock", "triangle", "garden", "loan", "tournament", "matrix", "ladder"]
    template = [Row(str(n), ADD, None, f"Tom has {n} {rng.choice(nouns)}s.") for n in range(40)]
    varied = [
        Row(str(n), ADD, None, " ".join(rng.choice(nouns) for _ in range(6))) for n in range(40)
    ]
    found = compare({"template": Survey(template), "varied": Survey(varied)})
    assert found["template"].wording.mean_distance < found["varied"].wording.mean_distance
