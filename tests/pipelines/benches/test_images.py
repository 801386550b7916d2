"""The bench of pictures: what it counts is what it drew, changed and found."""

from pipelines.benches.images import FAULTS, OPERATIONS, changed, drawn, read_back


def test_the_bench_draws_changes_proves_and_reads_back() -> None:
    assert drawn("board", 5)["bytes"] > 1000
    rows = changed(1)
    assert len(rows) == len(OPERATIONS) + len(FAULTS) and all(row["rate"] > 0 for row in rows)
    assert read_back(6)["exact"] == 6
