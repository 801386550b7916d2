"""A large segment of stages that look at each record alone runs in parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.settings_for_tests import OPENAI, composed
from transforms import Filter, Map, Same, Seed, Verdict, check, reject
from transforms.engine.accounting import put_off
from transforms.engine.outcomes import Outcome
from transforms.engine.paths import PROJECT
from transforms.engine.recipe import Segment, build_segments
from transforms.engine.run_folder import RunFolder
from transforms.engine.runner_settings import DirectSettings
from transforms.engine.segments import discard_stale, run_segment
from transforms.engine.settings import SinkSettings
from transforms.engine.tables import RowGroup, pieces, shard_path, split_groups, write_table

FILES, ROWS = 4, 30


@check("odd")
def odd(seed: Seed) -> bool:
    return bool(int(seed.problem) % 2)


@dataclass(kw_only=True)
class Work(Map):
    """PCollection[Seed] -> Outcome of the same. What a file named after it says befalls one of
    them: it is put off, or the process dies there."""

    name: str = "work"
    faults: str

    reads: ClassVar[type] = Seed
    writes: ClassVar[type] = Same
    reasons: ClassVar[tuple[str, ...]] = ("nines",)

    def of(self, seed: Seed) -> Seed | Verdict:
        fault = Path(self.faults, seed.problem)
        if fault.exists():
            if fault.read_text() == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            return put_off("nobody answered")
        return reject("nines", "9") if "9" in seed.problem else seed


@dataclass(frozen=True)
class Settings:
    runner: DirectSettings
    sink: SinkSettings = SinkSettings(rows_per_shard=25, compression="zstd")


def write_input(folder: Path) -> None:
    for file in range(FILES):
        numbers = range(file * ROWS, (file + 1) * ROWS)
        seeds = [Seed.make(problem=str(n), source="s", license="MIT") for n in numbers]
        path = shard_path(str(folder / "stages" / "00-in"), "part", file, FILES)
        write_table(path, sorted(seeds, key=lambda seed: seed.id), Seed, "zstd")


def run(folder: Path, **runner: Any) -> dict[str, Any]:
    """Runs a segment over the numbers in a folder and returns its entry."""
    before = Segment("in", "00-in", "stages/00-in", (), None, Seed, "")
    stages = Filter(name="even", checks=(odd,)), Work(faults=str(folder / "faults"))
    segment = Segment("even", "01-even", "data", stages, Seed, Seed, "f")
    (folder / "faults").mkdir(exist_ok=True)
    settings = Settings(DirectSettings(stage_shards=2, **runner))
    return run_segment(segment, before, RunFolder(str(folder)), settings)


def written(folder: Path) -> dict[str, list[Any]]:
    """All rows below a folder of rows, in one order."""
    return {
        name: sorted(pl.read_parquet(folder / name / "*.parquet").rows(), key=repr)
        for name in ("data", "rejects")
    }


def account(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "seconds": None}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The account, the rows and the rejects of a segment that ran as one pipeline."""
    folder = tmp_path_factory.mktemp("whole")
    write_input(folder)
    return account(run(folder)), written(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_parts_give_the_account_rows_and_rejects_of_one_pipeline(
    whole: tuple[Any, Any], tmp_path: Path, workers: int
) -> None:
    write_input(tmp_path)
    entry = run(tmp_path, part_rows=2 * ROWS, workers=workers)
    assert (account(entry), written(tmp_path)) == whole
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert len(names) > 2 and {name[:12] for name in names} == {"train-p00000", "train-p00001"}


KILLED = """import sys
from pathlib import Path
from tests.engine.test_parts import run
run(Path(sys.argv[1]), part_rows=60)"""


def test_of_a_segment_killed_in_its_second_part_the_first_is_not_run_again(
    whole: tuple[Any, Any], tmp_path: Path
) -> None:
    write_input(tmp_path)
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "100").write_text("dies")
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], cwd=PROJECT, timeout=300)
    assert killed.returncode == -signal.SIGKILL
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").glob("train-p00000-*")}
    (tmp_path / "faults" / "100").unlink()
    (tmp_path / "faults" / "0").write_text("dies")  # were the first part run again
    entry = run(tmp_path, part_rows=2 * ROWS)
    assert (account(entry), written(tmp_path)) == whole
    assert first and {path: path.stat().st_mtime_ns for path in first} == first


def test_a_run_that_goes_on_keeps_the_parts_of_its_next_segment_and_nothing_of_later_ones(
    tmp_path: Path,
) -> None:
    first, second, third = build_segments(composed(*OPENAI), str(tmp_path), "/l")[:3]
    part = second.part_of(0, ())
    kept = [
        f"{second.folder}/{part.prefix}-00000-of-00001.parquet",
        *(f"stages/{part.label}.counts.json", f"rejects/{part.label}-00000-of-00001.parquet"),
    ]
    later = third.part_of(0, ())
    for name in (*kept, f"{third.folder}/{later.prefix}-00000-of-00001.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    done = [{"name": first.label, "folder": first.folder}]
    discard_stale([first, second, third], done, RunFolder(str(tmp_path)))
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == sorted(kept)


def test_of_a_finished_segment_the_parts_with_records_put_off_alone_are_run_again(
    whole: tuple[Any, Any], tmp_path: Path
) -> None:
    write_input(tmp_path)
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults" / "100").write_text("")
    entry = run(tmp_path, part_rows=2 * ROWS)
    assert [stage["unanswered"] for stage in entry["stages"]] == [0, 1]
    (tmp_path / "faults" / "100").unlink()
    (tmp_path / "faults" / "0").write_text("dies")
    entry = run(tmp_path, part_rows=2 * ROWS)
    assert (account(entry), written(tmp_path)) == whole


def test_parts_of_another_size_do_not_stay_beside_the_new_ones(
    whole: tuple[Any, Any], tmp_path: Path
) -> None:
    write_input(tmp_path)
    run(tmp_path, part_rows=ROWS)
    entry = run(tmp_path)
    assert (account(entry), written(tmp_path)) == whole
    assert [path.name for path in (tmp_path / "stages").glob("*.json")] == ["01-even.counts.json"]


def test_stages_of_their_own_expand_have_to_say_that_they_look_at_each_record_alone() -> None:
    class Own(Filter):
        def expand(self, records: Any) -> Outcome:
            return super().expand(records)

    class Says(Own):
        by_record: ClassVar[bool] = True

    class Inherits(Work):
        name: str = "inherits"

    assert (Own.by_record, Says.by_record, Inherits.by_record) == (False, True, True)


def test_in_the_recipe_caco_the_stages_that_ask_about_each_problem_run_in_parts() -> None:
    segments = build_segments(composed(*OPENAI), "/r", "/l")
    able = [s.name for s in segments if all(stage.by_record for stage in s.stages)]
    assert able == ["reverse", "solve"]


GROUPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9000)), max_size=30).map(
    lambda drawn: [RowGroup(path, n, rows) for n, (path, rows) in enumerate(sorted(drawn))]
)


@given(GROUPS, st.integers(1, 30_000))
def test_parts_have_every_row_group_once_and_no_more_rows_than_a_group_above_the_limit(
    groups: list[RowGroup], most: int
) -> None:
    parts = split_groups(groups, most)
    assert [group for part in parts for group in part] == groups
    assert all(sum(group.rows for group in part[:-1]) <= most for part in parts)


@given(GROUPS)
def test_pieces_have_every_row_group_once_and_each_is_of_one_file(groups: list[RowGroup]) -> None:
    dealt = pieces(groups)
    assert [(path, n) for path, numbers in dealt for n in numbers] == [g[:2] for g in groups]
