"""The bench of the ledger's join answers every request, and measures the processes that do."""

from __future__ import annotations

from pipelines.benches.measures.ledger import bench_ledger, bench_recording


def test_every_request_is_answered_and_measured() -> None:
    (row,) = bench_ledger([300], workers=1)
    assert row["rows"] == 300 and row["rows_per_second"] > 0
    assert row["peak_mb"] > 50  # Python with Beam is more
    assert row["shuffled_seconds"] > 0


def test_the_cost_of_recording_is_measured() -> None:
    figures = bench_recording(rate=400, seconds=0.5)
    assert 0 < figures["cpu_share"] < 2 and figures["parts"] == 1
