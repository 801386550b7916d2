"""The bench of repositories: every bug that it tries is counted once, by operator and reason."""

from pipelines.benches.repositories import BenchRepositoriesSettings, measure
from tests.programs_for_tests import SANDBOX
from transforms.engine.paths import DATA


def test_the_bench_counts_bugs_by_operator_and_reason() -> None:
    settings = BenchRepositoriesSettings(
        packages=[str(DATA / "packages" / "spans")], bugs=4, cold=1, slots=2, sandbox=SANDBOX
    )
    [row], operators = measure(settings)
    assert (row["package"], row["tests"], row["bugs"]) == ("spans 1.0.0", 53, 4)
    assert sum(row["reasons"].values()) == sum(tried for _, tried in operators.values()) == 4
    assert sum(valid for valid, _ in operators.values()) == row["reasons"]["valid"]
    assert row["compared"] in (0, 1)
    assert row["forked_cpu_seconds"] > 0 and row["cold_cpu_seconds"] > 0
