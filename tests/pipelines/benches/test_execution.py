"""The bench of the execution recipes: figures of runs, and of answers whose worth is known."""

from pipelines.benches.execution import ASKING, WITH_A_MODEL, BenchExecutionSettings, judge, measure
from tests.programs_for_tests import SANDBOX
from transforms.engine.paths import CONF

SETTINGS = BenchExecutionSettings(programs=6, answered=4, workers=1, sandbox=SANDBOX)


def test_the_bench_runs_a_recipe_and_times_what_comes_after_verification():
    row = next(measure(SETTINGS))
    assert row["recipe"] == "codesense" and 0 < row["programs"] <= 6
    assert row["rows"] > 0 and row["seconds"] > 0 and row["whole"] > 0


def test_every_recipe_keeps_right_answers_alone_and_at_least_99_of_100_of_them():
    rows = list(judge(SETTINGS))
    for row in rows:
        assert row["tasks"] > 0 and row["precision"] == 100, row
        assert row["right_kept"] >= 99, row


def test_the_bench_has_every_execution_recipe():
    files = (CONF / "recipe").glob("*.yaml")
    listed = {path.stem for path in files if "\nfamily: execution\n" in path.read_text()}
    assert listed - {"predict"} == {*ASKING, *WITH_A_MODEL}  # it judges its answers by itself
