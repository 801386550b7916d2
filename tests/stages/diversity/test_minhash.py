"""Sketches estimate similarity, bands find the pairs, and neither depends on arrival."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.programs import Unparsable, parse
from transforms.stages.diversity.minhash import (
    collision_probability,
    index_block,
    jaccard,
    minima,
    node,
    parted,
    record_id,
    similar_pairs,
)
from transforms.text.shingles import code_tokens, parsed_tokens, shingles, words


@given(st.text(), st.integers(1, 5))
def test_a_text_always_has_a_shingle(text, ngram):
    assert len(shingles(words(text), ngram)) >= 1
    assert len(shingles(code_tokens(text), ngram)) >= 1


def test_tokens_leave_out_comments_and_layout_only():
    assert code_tokens("x = 1  # one\n\ny = x") == ["x", "=", "1", "y", "=", "x"]


PIECES = st.sampled_from(
    [
        "x", "é", "0x1f", "1_0.5e-3j", ".5", "1if", "x if", " else", "return'a'", "'it\\'s'",
        '"b" "c"', "rb'\\d'", "f'{x!r:>{y}}'", 'F"{\'q\'}"', "'''a\n'b'\n'''", '"""\\\n"""',
        "'a\\\nb'", "# c\n", "\n", "\r\n", "\\\n", "\t", "\x0c", "(", ")", "[", "]", "{", "}",
        ",", ":", ":=", "**", "//=", "->", "...", "@", "!=", "~", "-", "for x in y", "\n    ",
        "\nif x:\n  y\n z", "lambda: 0", "$", "?", "'", '"',
    ]
)  # fmt: skip
"""Of a program, and of what is none."""


def _parses(code):
    try:
        parse(code)
    except Unparsable:
        return False
    return True


@given(st.lists(PIECES, max_size=8).map("".join))
def test_tokens_of_a_program_are_found_the_same_by_one_pattern(code):
    while not _parses(code):
        code = code[:-1]
    assert parsed_tokens(code) == code_tokens(code)


@given(st.integers(0, 10**9), st.text(min_size=1), st.integers(0, 10**9), st.text(min_size=1))
def test_nodes_sort_by_order_and_give_their_id_back(one, id_one, two, id_two):
    assert record_id(node(one, id_one)) == id_one
    if one != two:
        assert (node(one, id_one) < node(two, id_two)) == (one < two)


def pair_of_similarity(similarity, size, rng):
    """Two sets of `size` elements with a Jaccard similarity next to `similarity`."""
    shared = round(2 * size * similarity / (1 + similarity))
    names = [str(rng.random()) for _ in range(2 * size - shared)]
    return names[:size], names[size - shared :]


@pytest.mark.parametrize("similarity", [0.5, 0.7, 0.8, 0.9])
def test_as_many_pairs_are_found_as_the_bands_promise(similarity):
    rng, pairs = random.Random(0), 400
    sets = [side for _ in range(pairs) for side in pair_of_similarity(similarity, 80, rng)]
    nodes = [node(0, f"{index:05d}") for index in range(len(sets))]
    block = index_block(nodes, minima(sets, 128), 16)
    found, smaller = similar_pairs([block], threshold=0.0)
    couples = {(int(record_id(a)), int(record_id(b))) for a, b in zip(found, smaller, strict=True)}
    hits = sum((2 * n + 1, 2 * n) in couples for n in range(pairs))
    assert abs(hits / pairs - collision_probability(similarity, 128, 16)) < 0.08
    assert all(b // 2 == a // 2 for a, b in couples)  # strangers do not meet


@pytest.mark.parametrize(("similarity", "linked"), [(0.6, 0.0), (0.95, 1.0)])
def test_pairs_are_held_to_the_threshold(similarity, linked):
    rng, pairs = random.Random(1), 100
    sets = [side for _ in range(pairs) for side in pair_of_similarity(similarity, 80, rng)]
    nodes = [node(0, f"{index:05d}") for index in range(len(sets))]
    found, _ = similar_pairs([index_block(nodes, minima(sets, 128), 32)], threshold=0.8)
    assert abs(len(set(found.tolist())) / pairs - linked) <= 0.02


@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from([1, 2, 4, 8, 16]))
def test_more_similar_texts_share_a_band_more_often(one, other, bands):
    low, high = sorted((one, other))
    assert (
        0
        <= collision_probability(low, 64, bands)
        <= collision_probability(high, 64, bands)
        <= collision_probability(high, 64, 2 * bands)
        <= 1
    )
    assert collision_probability(1, 64, bands) == 1


@given(st.lists(st.sets(st.text(max_size=3), min_size=1), min_size=1, max_size=20))
def test_equal_sets_share_every_band_and_are_wholly_similar(sets):
    count = len(sets)
    both = [sorted(one) for one in sets] + [sorted(one, reverse=True) for one in sets]
    block = index_block([node(0, str(n)) for n in range(2 * count)], minima(both, 32), 4)
    keys, digests = block.keys.reshape(2 * count, 4), block.digests.reshape(2 * count, 4, 16)
    assert (keys[:count] == keys[count:]).all()
    assert (jaccard(digests[:count, 0], digests[count:, 0]) == 1).all()


@given(st.integers(1, 50), st.integers(1, 9))
def test_parts_hold_every_entry_once_and_a_key_is_in_one_part(count, partitions):
    sets = [[f"w{n % 7}"] for n in range(count)]
    block = index_block([node(0, str(n)) for n in range(count)], minima(sets, 16), 4)
    parts = [part for _, part in parted(block, partitions)]
    entries = [zip(part.keys.tolist(), part.nodes.tolist(), strict=True) for part in parts]
    whole = zip(block.keys.tolist(), block.nodes.tolist(), strict=True)
    assert sorted(entry for part in entries for entry in part) == sorted(whole)
    assert sum(len(set(part.keys.tolist())) for part in parts) == len(set(block.keys.tolist()))


@given(st.randoms(), st.integers(1, 7))
def test_pairs_depend_on_the_set_alone(rng, partitions):
    sets = [[f"w{n}" for n in range(start, start + 30)] for start in (0, 1, 2, 40, 41, 90)]
    nodes = [node(n % 3, str(n)) for n in range(len(sets))]

    def pairs(order, parts):
        block = index_block([nodes[n] for n in order], minima([sets[n] for n in order], 64), 16)
        found = set()
        for _, part in parted(block, parts):
            ones, others = similar_pairs([part], 0.6)
            found |= set(zip(ones.tolist(), others.tolist(), strict=True))
        return found

    shuffled = list(range(len(sets)))
    rng.shuffle(shuffled)
    expected = pairs(range(len(sets)), 1)
    assert pairs(shuffled, partitions) == expected
    assert expected
    assert all(other < one for one, other in expected)


def test_a_crowded_band_is_not_compared_pair_by_pair():
    sets = [["same"]] * 3000
    nodes = [node(0, f"{n:05d}") for n in range(len(sets))]
    found, smaller = similar_pairs([index_block(nodes, minima(sets, 32), 4)], 0.9)
    assert len(found) == 4 * 2999
    assert np.unique(smaller).tolist() == [nodes[0]]
