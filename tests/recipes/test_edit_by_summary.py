"""edit_by_summary: a change told in two ways, and tests that the old program fails."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.execution.playing import seed_of
from tests.recipes.playing import in_all_ways, player, stage
from tests.stages.trajectories.talking import asked, played, prompt_of, script
from transforms.recipes.edit_by_summary import omits
from transforms.stages.graders import grade

OLD, NEW = "It takes some share of the emails.", "It takes a share in percent as spam."


@cache
def described(form: str = "prose", detail: str = "medium", before: str = OLD) -> Any:
    made = replace(stage("edit_by_summary", "describe"), form=form, detail=detail)
    return played(made.episode(seed_of(SPAM, "560")), script(before, NEW, "Divide by 100."))


def test_both_ways_are_about_one_program_and_share_its_tests() -> None:
    direct, summary = described().result
    assert (direct.task, summary.task) == ("direct", "summary")
    assert direct.code == summary.code != SPAM and direct.answer == summary.answer
    assert direct.seed_ids == summary.seed_ids and len(json.loads(direct.answer)) == 6
    shown = json.loads(summary.shown)
    assert (shown["before"], shown["after"], shown["instruction"]) == (OLD, NEW, "")


@pytest.mark.parametrize("form", ["prose", "bullets"])
@pytest.mark.parametrize("detail", ["low", "medium", "high"])
def test_six_forms_of_a_summary_can_be_asked_for(form: str, detail: str) -> None:
    done = described(form, detail)
    first = prompt_of(asked(done)[0])
    assert ('"- "' in first) is (form == "bullets")
    assert ("each number" in first) is (detail != "low")
    shown = json.loads(done.result[1].shown)
    assert (shown["form"], shown["detail"]) == (form, detail)


def test_the_program_passes_its_tests_and_the_old_one_fails() -> None:
    direct, _ = described().result
    assert player()(grade(direct, f"```python\n{SPAM}\n```")).score == 1
    assert player()(grade(direct, f"```python\n{direct.code}\n```")).fault == "failed_tests"
    kept = [v.kept for _, v in in_all_ways("edit_by_summary", direct, SPAM, direct.code)]
    assert kept == [True] * 3 + [False] * 5


def test_an_editor_sees_one_way_alone() -> None:
    attempt = stage("edit_by_summary", "attempt", "recipe.stages.attempt.sampler.samples=1")
    tasks = described().result
    done = [played(attempt.episode(task), script("")) for task in tasks]
    direct, summary = (prompt_of(asked(each)[0]) for each in done)
    assert "Divide by 100." in direct and NEW not in direct
    assert "Divide by 100." not in summary and OLD in summary and NEW in summary


def test_a_number_that_a_summary_leaves_out_is_reported() -> None:
    assert json.loads(described().result[1].shown)["omits"] == omits(SPAM, NEW) == ["100"]
    assert omits(SPAM, "It takes spam per 100.") == []


def test_an_unchanged_summary_tells_no_edit() -> None:
    assert described(before=NEW).result.reason == "same_summary"
