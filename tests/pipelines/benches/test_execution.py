"""The bench of questions about runs: its figures come from each run's own account."""

from pipelines.benches.execution import BenchExecutionSettings, measure


def test_the_bench_runs_a_recipe_and_times_what_comes_after_verification():
    settings = BenchExecutionSettings(programs=6, workers=1)
    row = next(measure(settings))
    assert row["recipe"] == "codesense" and 0 < row["programs"] <= 6
    assert row["rows"] > 0 and row["seconds"] > 0
