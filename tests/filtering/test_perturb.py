"""A perturbed input keeps its kind, and shows what a program depends on."""

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from tests.beam import on_workers
from tests.programs_for_tests import SANDBOX, SPAM, execution
from transforms.filtering.perturb import Perturb, perturbed, perturbed_inputs


@given(st.integers())
def test_integers_change_and_keep_their_sign(value):
    new = perturbed(value)
    assert new != value and type(new) is int and (new >= 0) is (value >= 0)


@given(st.floats(-1e9, 1e9).filter(lambda x: x == 0 or abs(x) > 1e-9))
def test_floats_change_and_keep_their_sign(value):
    new = perturbed(value)
    assert new != value and type(new) is float and (new >= 0) is (value >= 0)


def test_booleans_turn_and_texts_and_lists_change_in_one_place():
    assert perturbed(True) is False
    assert perturbed("code 19") == "dode 19"
    assert perturbed("9:30") == "0:30"
    assert perturbed([[], [3, 4]]) == [[], [4, 4]]
    assert perturbed({"a": None, "b": 1}) == {"a": None, "b": 2}


@pytest.mark.parametrize("value", [None, "", [], {}, "-- "])
def test_what_cannot_change_stays_as_it_is(value):
    assert perturbed(value) == value


@given(st.dictionaries(st.text(min_size=1), st.integers(), min_size=1), st.integers(1, 5))
def test_one_key_at_a_time_is_changed_and_no_more_keys_than_asked(inputs, most):
    variants = perturbed_inputs("id", inputs, most)
    assert len(variants) == min(most, len(inputs))
    for key, new in variants.items():
        assert [name for name in inputs if new[name] != inputs[name]] == [key]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_keys_that_move_the_output_are_found(workers):
    constant = SPAM.replace("return answered * days", "return 7")
    crashing = SPAM.replace("return answered", "assert days == 5\n    return 560 + 0 * days")
    programs = [
        execution(SPAM, id="spam"),
        execution(constant, output="7", id="constant"),
        execution(crashing, id="crashing"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        found = pipeline | beam.Create(programs) | Perturb(SANDBOX, most_keys=3)
        assert_that(
            found | beam.Map(lambda e: (e.id, e.sensitive_keys)),
            equal_to(
                [("spam", ("days", "emails", "percent_spam")), ("constant", ()), ("crashing", ())]
            ),
        )
