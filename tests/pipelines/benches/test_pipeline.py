"""The bench of whole runs: its figures come from the run's own account."""

from pipelines.benches.synthetic.pipeline_benchmark import BenchPipelineSettings, bench_pipeline


def test_the_bench_runs_the_recipe_and_accounts_for_each_segment():
    settings = BenchPipelineSettings(
        programs=[8], workers=[1], rate=100, settings=["source.limit=20"]
    )
    (row,) = bench_pipeline(settings)
    assert 0 < row["accepted"] <= 8
    assert row["requests"] > 8 + row["accepted"]
    assert 0 < row["busy"] <= 1
    names = [segment["name"] for segment in row["segments"]]
    assert names[0] == "01-seeds" and names[-1] == "start and report"
    assert all(row["cpu_seconds"][part] > 0 for part in ("pipeline", "sandbox", "server"))
