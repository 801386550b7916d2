"""swe_tasks: bugs that the package's own tests see, and issues that give nothing away."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from pipelines.synthesize import synthesize
from tests.recipes.playing import player
from tests.settings_for_tests import composed
from transforms.engine.accounting import Verdict
from transforms.engine.paths import DATA
from transforms.engine.records import Seed
from transforms.packages import grading
from transforms.packages.grading import PatchFault
from transforms.packages.package import unpacked
from transforms.packages.patches import apply, read_diff
from transforms.packages.tasks import RepairTask, added_lines, leak
from transforms.recipes.swe_bench import AsSweBench
from transforms.recipes.swe_tasks import MakeBugs, WriteIssue, issue_text
from transforms.sources.package import PackageSource, rows_of, seed_of

play = player()


@cache
def seed(name: str = "spans") -> Seed:
    source = PackageSource(type="package", packages=[str(DATA / "packages" / name)])
    [row] = rows_of(source)
    return play(seed_of(row, source))[1]  # type: ignore[no-any-return]


@cache
def made(name: str = "spans", most: int = 6) -> list[tuple[RepairTask, Verdict]]:
    stage = MakeBugs(sandbox=None, most=most)  # type: ignore[arg-type]
    [batch] = stage.batches(seed(name))
    return play(stage.episode(batch))  # type: ignore[no-any-return]


def kept(name: str = "spans") -> list[RepairTask]:
    return [task for task, verdict in made(name) if verdict.kept]


def test_of_bugs_that_are_tried_most_are_seen_by_a_test() -> None:
    assert len(kept()) > 0.8 * len(made())
    assert any("+" in task.operator for task in kept()), "no two are joined"


def test_failing_and_passing_tests_are_apart_and_passed_before() -> None:
    passing = set(json.loads(seed().metadata)["passing"])
    for task in kept():
        failing, others = set(task.fail_to_pass), set(task.pass_to_pass)
        assert failing and others and not failing & others
        assert failing | others <= passing


def test_the_published_text_is_worth_1_and_half_a_patch_of_two_bugs_0() -> None:
    single = next(task for task in kept() if "+" not in task.operator)
    double = next(task for task in kept() if "+" in task.operator)
    for task in (single, double):
        assert play(grading.grade_diff(task, task.patch)).score == 1
    hunks = read_diff(double.patch)
    files = unpacked(double.archive)
    half = apply(files, hunks[:1], grading.broken(double))
    assert play(grading.grade_changes(double, half)).fault is PatchFault.STILL_FAILS


@pytest.mark.parametrize("name", ["spans", "rowkit"])
def test_no_issue_shows_the_fix_or_a_hidden_test(name: str) -> None:
    for task in kept(name):
        text = issue_text(task)
        assert leak(text, task.patch, task.fail_to_pass) == ""
        assert task.function.split(",")[0].partition(":")[2] in text


def test_an_issue_that_tells_the_fix_is_rejected() -> None:
    task = next(task for task in kept() if any(len(li) > 20 for li in added_lines(task.patch)))
    told = json.dumps({"shown": [], "messages": [max(added_lines(task.patch), key=len)]})
    verdict: Any = WriteIssue().of(replace(task, evidence=told))
    assert verdict.reason == "leaks"


def test_an_issue_leaves_out_what_names_things_that_only_tests_know() -> None:
    internal = "assert hole_of == 2\n +  where hole_of = test_gaps.<locals>.f()"
    told = json.dumps({"shown": [], "messages": ["assert 3 == 4", internal]})
    text = issue_text(replace(kept()[0], evidence=told))
    assert "assert 3 == 4" in text and "where" not in text


def test_every_bug_has_values_that_are_compared_outside() -> None:
    assert all(task.compared for task in kept())
    assert all("values" in json.loads(task.checks) for task in kept())


def test_a_seed_that_is_no_package_is_rejected() -> None:
    other = Seed.make(problem="1 + 1?", source="s", license="MIT")
    stage = MakeBugs(sandbox=None)  # type: ignore[arg-type]
    [batch] = stage.batches(other)
    [(_, verdict)] = play(stage.episode(batch))
    assert verdict.reason == "not_a_package"


def run(folder: Path, *more: str) -> tuple[Any, list[dict[str, Any]]]:
    settings = composed(
        "recipe=swe_tasks", "source=package", "recipe.stages.bugs.most=2", "sandbox.slots=1",
        f"output_dir={folder}", *more,
    )  # fmt: skip
    manifest = synthesize(settings, Console(file=io.StringIO()))
    rows = pl.read_parquet(folder / "data" / "*.parquet").sort("id").to_dicts()
    return manifest, rows


def test_rows_are_the_same_for_any_number_of_workers_and_carry_licence_and_version(
    tmp_path: Path,
) -> None:
    manifest, rows = run(tmp_path / "one")
    assert Counter(row["package"] for row in rows).keys() == {"spans", "rowkit"}
    assert {(row["license"], row["version"]) for row in rows} == {("Apache-2.0", "1.0.0")}
    for segment in manifest["segments"]:
        for stage in segment["stages"]:
            assert stage["in"] == stage["kept"] + sum(stage["rejected"].values())
    assert run(tmp_path / "two", "runner.workers=2")[1] == rows


def test_rows_of_swe_bench_are_mended_by_their_patch_alone() -> None:
    task = WriteIssue().of(kept()[0])
    assert isinstance(task, RepairTask)
    row = AsSweBench().of(task)
    files = unpacked(row.archive)
    bug = apply(files, read_diff(row.bug_patch))
    mended = apply(files, read_diff(row.patch), bug)
    assert {path: text.encode() for path, text in mended.items()}.items() <= files.items()
    assert set(json.loads(row.FAIL_TO_PASS)) == set(task.fail_to_pass)
    assert row.problem_statement and row.instance_id.startswith("spans__spans-")
