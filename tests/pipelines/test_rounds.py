"""A run goes on in rounds until as many rows are accepted as were asked for, and pays once."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipelines.benches.synthetic.pipeline_benchmark import scripted_endpoint
from pipelines.rounds import next_programs, until_accepted
from pipelines.synthesize import synthesize
from tests.settings_for_tests import composed
from transforms.engine.errors import BudgetReached, SettingsError
from transforms.engine.run_folder import RunFolder

COUNTS = st.integers(1, 10**6)


@given(COUNTS, st.integers(0, 10**6), COUNTS)
def test_a_round_is_larger_by_what_the_yield_calls_for_and_at_most_fourfold(
    programs: int, accepted: int, missing: int
) -> None:
    wanted = accepted + missing
    more = next_programs(programs, accepted, wanted)
    assert programs < more <= 4 * programs
    assert more == 4 * programs or more * accepted >= programs * wanted


class Runs:
    """A run in which every fourth program makes a row, until a budget or the rows end."""

    def __init__(self, budget: int = 10**6, most: int = 10**6) -> None:
        self.programs: list[int] = []
        self.resumed: list[bool] = []
        self._budget, self._most, self._paid = budget, most, 0

    def __call__(self, settings: Any) -> dict[str, Any]:
        programs = settings.sampling.num_programs
        self.programs.append(programs)
        self.resumed.append(settings.resume)
        if programs > max(self._budget, self._paid):
            raise BudgetReached("it is spent")
        self._paid = max(self._paid, programs)
        return {"accepted": min(programs // 4, self._most)}


def rounds(runs: Runs, *settings: str) -> tuple[dict[str, Any], str]:
    console = Console(file=io.StringIO(), width=200)
    manifest = until_accepted(composed("sampling.num_programs=40", *settings), runs, console)
    return manifest, console.file.getvalue()  # type: ignore[attr-defined]


def test_without_a_number_of_rows_there_is_one_round() -> None:
    runs = Runs()
    assert rounds(runs) == ({"accepted": 10}, "")
    assert runs.programs == [40]


def test_rounds_end_where_the_rows_are_there() -> None:
    runs = Runs()
    manifest, said = rounds(runs, "sampling.accepted=25", "overwrite=true")
    assert (manifest["accepted"], runs.programs, runs.resumed) == (27, [40, 110], [False, True])
    assert said == "rounds: 10 of 25 rows from 40 programs: on with 110\n"


def test_rounds_end_where_one_adds_no_row() -> None:
    runs = Runs(most=10)
    manifest, said = rounds(runs, "sampling.accepted=11")
    assert (manifest["accepted"], len(runs.programs)) == (10, 2)
    assert "more programs add no row: 10 of 11" in said


def test_at_the_budget_the_rows_are_those_of_the_last_whole_round() -> None:
    runs = Runs(budget=50)
    manifest, said = rounds(runs, "sampling.accepted=25")
    assert (manifest["accepted"], runs.programs) == (10, [40, 110, 40])
    assert "the budget is spent: back to the 10 rows of 40 programs" in said


def test_a_budget_that_ends_in_the_first_round_ends_the_run() -> None:
    with pytest.raises(BudgetReached):
        rounds(Runs(budget=39), "sampling.accepted=25")


def test_a_run_that_is_gone_on_with_begins_with_its_last_round(tmp_path: Path) -> None:
    RunFolder(str(tmp_path)).write_manifest({"config": {"sampling": {"num_programs": 110}}})
    runs = Runs()
    rounds(runs, "sampling.accepted=25", f"output_dir={tmp_path}", "resume=true")
    assert runs.programs == [110]


def test_a_recipe_that_draws_nothing_is_refused_with_what_to_do() -> None:
    with pytest.raises(SettingsError, match=r"sampling\.accepted=25 .* more seeds"):
        rounds(Runs(), "recipe=predict", "sampling.accepted=25")


def test_the_rows_are_those_of_one_run_and_what_was_asked_is_paid_for_once(tmp_path: Path) -> None:
    with scripted_endpoint() as (url, _):
        shared = [
            *("backend=openai", "backend.model=scripted", f"backend.base_url={url}"),
            *("sandbox.slots=1", f"ledger.dir={tmp_path}/ledger", "sampling.accepted=12"),
        ]

        def run(folder: str, programs: int) -> tuple[dict[str, Any], set[str]]:
            settings = composed(
                *shared, f"sampling.num_programs={programs}", f"output_dir={tmp_path}/{folder}"
            )
            console = Console(file=io.StringIO())
            manifest = until_accepted(settings, lambda each: synthesize(each, console), console)
            return manifest, set(pl.read_parquet(tmp_path / folder / "data" / "*.parquet")["id"])

        manifest, rows = run("rounds", 5)
        last = manifest["config"]["sampling"]["num_programs"]
        assert last > 5 and manifest["accepted"] == len(rows) >= 12
        asked = pl.read_parquet(tmp_path / "ledger" / "*.parquet")["id"]
        assert asked.is_duplicated().sum() == 0
        at_once, same = run("at_once", last)
        assert (same, at_once["spent"]["tokens"]) == (rows, 0)
        assert at_once["run_id"] == manifest["run_id"]
