"""The bench of worlds: what it says of a world is what it tried."""

import pytest

from pipelines.benches import worlds
from pipelines.benches.worlds import BenchWorldsSettings, measure


def test_the_bench_counts_instances_solutions_and_moves_and_says_whether_levels_grow() -> None:
    settings = BenchWorldsSettings(worlds=None, seeds=25, moves=100, games=5)
    row = measure("packing", settings)
    assert row["solved"] == 25 >= row["different"] > 15 < row["by_chance"] <= 25
    assert row["moves"] >= row["refused"] == 100
    assert row["measure"] == "solution" and row["grows"] and len(row["measured"]) == 5
    assert 0 < row["random"] <= row["greedy"] <= 1


def test_the_bench_finds_an_engine_that_does_not_play_by_its_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = BenchWorldsSettings(worlds=None, seeds=25, moves=100, games=5)
    monkeypatch.setitem(worlds.REFEREES, "nim", lambda seen, move: True)
    with pytest.raises(AssertionError, match="nim: the rules do not agree on "):
        measure("nim", settings)
