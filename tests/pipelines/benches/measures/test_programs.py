"""The bench runs every executor on the same programs, and its figures are of one run."""

from __future__ import annotations

from collections import Counter

from pipelines.benches.measures.programs import bench_sandbox, mixed_programs, ratios
from pipelines.benches.sessions import CELLS, BenchSessionsSettings, measure
from tests.sandbox.test_sandbox import SETTINGS
from transforms.sandbox.sandbox import tier_of


def test_the_mix_has_its_shares():
    tiers = Counter(tier_of(program).name for program in mixed_programs(200))
    assert tiers == {"standard": 120, "sympy": 60, "numpy": 20}


def test_the_mix_is_the_same_for_a_seed_and_another_for_another():
    assert mixed_programs(20, seed=1) == mixed_programs(20, seed=1) != mixed_programs(20, seed=2)


def test_every_executor_runs_every_program(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))  # no socket fits below it
    settings = SETTINGS.model_copy(update={"cpu_seconds": 10, "wall_seconds": 60.0})
    rows = bench_sandbox(settings, {"mixed": mixed_programs(10)}, slots=2, rounds=2)
    assert [row["executor"] for row in rows] == ["strict", "auto", "manager", "subprocess", "fork"]
    assert all(row["ok"] == 1 for row in rows if row["error"] is None), rows
    assert ratios(rows).keys() == {"over_manager_ratio", "of_fork_limit_ratio"}


def test_executors_are_compared_round_by_round_so_a_slow_round_slows_both():
    rates = {
        "strict": [100.0, 10.0, 90.0],
        "manager": [10.0, 1.0, 30.0],
        "fork": [200.0, 20.0, 90.0],
    }
    rows = [{"mix": "mixed", "executor": name, "rates": each} for name, each in rates.items()]
    assert ratios(rows) == {"over_manager_ratio": 10.0, "of_fork_limit_ratio": 0.5}


def test_where_strict_cannot_run_there_is_nothing_to_compare():
    rows = [{"mix": "mixed", "executor": "strict", "error": "no namespaces"}]
    rows += [{"mix": "mixed", "executor": name, "rates": [1.0]} for name in ("manager", "fork")]
    assert ratios(rows) == {"over_manager_ratio": None, "of_fork_limit_ratio": None}


def test_the_bench_of_sessions_runs_every_program_both_ways():
    limits = SETTINGS.model_copy(update={"cpu_seconds": 10, "wall_seconds": 60.0})
    settings = BenchSessionsSettings(sessions=10, slots=2, branches=3, sandbox=limits)
    figures = measure(settings)
    assert [(row["what"], row["ok"]) for row in figures["rows"]] == [("programs", 1), ("cells", 1)]
    assert figures["replayed"] < 10 * CELLS
    assert figures["branch_ms"] > 0 and figures["rebuilt_ms"] > 0
