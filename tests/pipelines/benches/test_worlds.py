"""The bench of worlds: what it says of a world is what it tried."""

from pipelines.benches.worlds import BenchWorldsSettings, measure


def test_the_bench_counts_instances_solutions_and_moves_and_says_whether_levels_grow() -> None:
    settings = BenchWorldsSettings(worlds=None, seeds=25, moves=100, games=5)
    row = measure("packing", settings)
    assert row["solved"] == 25 >= row["different"] > 15 < row["by_chance"] <= 25
    assert row["moves"] == 100 and 0 < row["refused"] <= 100
    assert row["measure"] == "solution" and row["grows"] and len(row["measured"]) == 5
    assert 0 < row["random"] <= row["greedy"] <= 1
