"""The scale bench runs the real stages on rows that depend on their number alone."""

from collections import Counter

import pytest

from pipelines.benches.synthetic.benchmark import BenchScaleSettings, bench_scale, slopes
from pipelines.benches.synthetic.problems import problem
from tests.programs_for_tests import DEDUP, FILTER, SANDBOX
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.settings import SinkSettings
from transforms.programs import fingerprint
from transforms.programs.checks import FormOf, form_checks
from transforms.stages.diversity.settings import DecontaminateSettings


def test_a_row_depends_on_its_number_and_the_seed_alone():
    assert problem(7) == problem(7)
    assert problem(7).code != problem(7, seed=1).code


def test_most_rows_are_in_the_form_and_have_a_structure_of_their_own():
    rows = [problem(index) for index in range(300)]
    kept = [row for row in rows if FormOf(form_checks(FILTER))(row).kept]
    assert 0.9 < len(kept) / len(rows) < 1
    groups = Counter(fingerprint(row.code) for row in kept)
    assert 0.7 < len(groups) / len(kept) < 0.95


def test_growth_is_an_exponent_of_time_and_memory_by_the_thousand():
    small = {"rows": 10, "seconds": 2.0, "cpu_seconds": 1.0, "peak_mib": 500}
    large = {"rows": 1010, "seconds": 20.2 * 10, "cpu_seconds": 101.0, "peak_mib": 510}
    (slope,) = slopes([small, large])
    assert slope["seconds"] == slope["cpu_seconds"] == 1
    assert slope["mib_per_1000_rows"] == 10


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bench_accounts_for_every_row(workers):
    settings = BenchScaleSettings(
        rows=[200],
        filter=FILTER,
        dedup=DEDUP,
        decontaminate=DecontaminateSettings(ngram=8, share=0.5, long_ngram=13, similarity=0.6),
        sandbox=SANDBOX,
        runner=DirectSettings(workers=workers),
        sink=SinkSettings(rows_per_shard=1000, compression="zstd"),
    )
    (row,) = bench_scale(settings)
    assert row["stages"][0]["in"] == 200
    assert row["stages"][-1]["rejected"] == {"contaminated": 1}
    assert 100 < row["stages"][-1]["kept"] < 190
    assert row["segments"].keys() == {"programs", "instructions", "report"}
    workers_peak = row["peak_mib"] - row["driver_peak_mib"]
    assert workers_peak > 100 if workers > 1 else workers_peak < 100
