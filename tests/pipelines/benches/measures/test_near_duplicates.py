"""The bench's pairs are as similar as it says, and each run is measured on the same rows."""

import pytest

from pipelines.benches.measures.near_duplicates import (
    RUNS,
    BenchMinhashSettings,
    Pair,
    Text,
    available,
    bench_minhash,
    disagreements,
    planted,
    promised,
    survivors,
)
from tests.programs_for_tests import DEDUP
from transforms.engine.runner_settings import DirectSettings
from transforms.text.shingles import shingles, words

SETTINGS = BenchMinhashSettings(rows=700, dedup=DEDUP, runner=DirectSettings(workers=1))


def test_planted_pairs_have_the_similarity_they_are_given():
    texts, pairs = planted(400, ngram=3)
    sets = {text.id: set(shingles(words(text.text), 3)) for text in texts}
    assert len(texts) == len(sets) == 400
    for pair in pairs:
        one, other = sets[pair.one], sets[pair.other]
        assert len(one & other) / len(one | other) == pytest.approx(pair.similarity, abs=0.001)


def test_a_pair_is_found_where_either_of_it_was_dropped():
    texts = [Text(id, "") for id in "abcdef"]
    pairs = [Pair(0.9, "a", "b"), Pair(0.9, "c", "d")]
    assert survivors(texts, pairs, kept=set("bcde")) == {
        "dropped": 2,
        "strangers_dropped": 1,
        "found": {"0.9": 0.5},
        "pairs": [0],
    }


def test_every_run_finds_the_pairs_that_its_bands_promise(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))  # no socket fits below it
    rows = list(bench_minhash(SETTINGS))
    assert [row["run"] for row in rows] == [run for run in RUNS if available(run)]
    for row in rows:
        assert row["strangers_dropped"] == 0
        assert row["found"]["0.95"] == row["found"]["0.902"] == 1
    assert promised(rows[0]["found"], SETTINGS)["0.95"] > 0.999
    assert disagreements([{"run": "one", "pairs": [1, 2]}, {"run": "two", "pairs": [2, 3]}]) == {
        "two": 2
    }
