"""Of instructions that say the same, one stays: the same one, whoever comes first."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from transforms.diversity import Deduplicate, bands, near_duplicates, shingles, similarity, sketch
from transforms.records import Example, Models
from transforms.settings import DedupSettings

SETTINGS = DedupSettings(threshold=0.7, num_perm=128, bands=32, ngram=3)

LONG = (
    "A baker makes 12 trays of 24 rolls every morning and sells 7 rolls out of 8 before noon. In "
    "the afternoon half of what is left goes to the school at the end of the street. How many "
    "rolls are left in the evening of a day on which the baker also gives 5 rolls to the postman?"
)


def example(id, instruction, code="x = 1"):
    return Example(
        id=id,
        recipe="caco",
        instruction=instruction,
        solution="",
        code=code,
        input="{}",
        answer="1",
        answer_type="integer",
        messages=(),
        agreement=1.0,
        attempts=1,
        difficulty=0.0,
        seed_ids=(),
        source="test",
        license="CC0-1.0",
        models=Models("m", "m", "m"),
        tokens=1,
        run_id="r",
    )


@given(st.text(), st.integers(1, 5))
def test_a_text_always_has_a_shingle(text, ngram):
    assert len(shingles(text, ngram)) >= 1


def test_an_instruction_is_most_similar_to_itself():
    one, other = sketch(example("1", LONG), SETTINGS), sketch(example("2", "Short."), SETTINGS)
    assert similarity(one, one) == 1.0
    assert similarity(one, other) < 0.1
    assert {key for key, _ in bands(one, 32)} == {key for key, _ in bands(one, 32)}


@given(st.randoms())
def test_who_goes_does_not_depend_on_arrival(random):
    texts = [LONG, LONG.replace("12", "13"), LONG.replace("rolls", "buns"), "Other."]
    group = [sketch(example(str(n), text), SETTINGS) for n, text in enumerate(texts)]
    expected = sorted(near_duplicates(group, 0.7))
    random.shuffle(group)
    assert sorted(near_duplicates(group, 0.7)) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_equal_and_nearly_equal_instructions_are_one_example(workers):
    examples = [
        example("long code", LONG, code="x = 1  # long"),
        example("same words", LONG.upper().replace(",", ""), code="x = 1"),
        example("one number", LONG.replace("5 rolls", "6 rolls"), code="x = 123"),
        example("other", "What is the sum of the digits of 2 to the power of 100?"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        outcome = pipeline | beam.Create(examples) | Deduplicate(SETTINGS)
        kept = outcome.kept | "Kept" >> beam.Map(lambda e: e.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(kept, equal_to(["same words", "other"]), label="kept")
        assert_that(
            lost,
            equal_to([("long code", "duplicate_instruction"), ("one number", "near_duplicate")]),
            label="lost",
        )
