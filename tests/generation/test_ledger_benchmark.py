"""The bench of the ledger's join answers every request, and measures the processes that do."""

from __future__ import annotations

import os

from transforms.generation.ledger_benchmark import bench_ledger, resident_bytes


def test_every_request_is_answered_and_measured() -> None:
    (row,) = bench_ledger([300], workers=1)
    assert row["rows"] == 300 and row["rows_per_second"] > 0
    assert row["peak_mb"] > 50  # Python with Beam is more


def test_memory_counts_processes_below() -> None:
    assert resident_bytes(os.getpid()) > 10_000_000
    assert resident_bytes(2**22 + 1) == 0  # no such process
