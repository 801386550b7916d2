"""A problem is worded from its program, or from a summary that keeps all that was given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import stage
from tests.stages.trajectories.talking import asked, played, prompt_of, script
from transforms.engine.errors import SettingsError
from transforms.engine.records import Execution, Problem
from transforms.models.pool import Pool
from transforms.recipes.caco.reversal import SummarisedProblem

INPUT = '{"emails": 160, "percent_spam": 30, "days": 5}'
RAN = Execution(
    id="p", code=SPAM, seed_ids=("s",), source="s", license="MIT", calls=(), tokens=0,
    status="ok", input=INPUT, output="560",
    error=None, wall_seconds=0.1, cpu_seconds=0.1, peak_mb=9,
)  # fmt: skip
SUMMARY = "Of 160 emails a day 30 percent are spam; it counts the others over 5 days."
LOSSY = "Of 160 emails a day some are spam; it counts the others over 5 days."
WORDS = "Ana gets 160 emails a day, 30 % of them spam. How many others does she get in 5 days?"


def told(form: str, *texts: str) -> tuple[Any, Any, list[Any]]:
    made = stage("caco", "reverse", f"recipe.stages.reverse.summary={form}")
    done = played(made.episode(RAN, Pool([])), script(*texts))
    record, verdict = done.result
    return record, verdict, asked(done)


def test_without_a_summary_the_program_is_shown_and_one_request_is_made() -> None:
    record, verdict, requests = told("none", WORDS)
    assert verdict.kept and type(record) is Problem and record.instruction == WORDS
    assert len(requests) == 1 and "percent_spam" in prompt_of(requests[0])


@pytest.mark.parametrize("form", ["short", "bullets"])
def test_the_problem_is_worded_from_the_summary_alone(form: str) -> None:
    record, verdict, (summary, words) = told(form, SUMMARY, WORDS)
    assert verdict.kept and isinstance(record, SummarisedProblem)
    assert (record.summary, record.instruction) == (SUMMARY, WORDS)
    assert "percent_spam" in prompt_of(summary) and "percent_spam" not in prompt_of(words)
    assert SUMMARY in prompt_of(words) and record.tokens > 0
    assert ("one line for each step" in prompt_of(summary)) is (form == "bullets")


def test_a_summary_without_a_given_is_rejected_before_a_problem_is_worded() -> None:
    record, verdict, requests = told("short", LOSSY, WORDS)
    assert (verdict.reason, verdict.detail) == ("given_lost", "percent_spam: 30")
    assert len(requests) == 1 and record.summary == LOSSY


def test_the_summary_is_a_column_of_the_stage_and_never_shown_to_the_solver() -> None:
    made = stage("caco", "reverse", "recipe.stages.reverse.summary=short")
    assert made.writes is SummarisedProblem and type(made).writes is Problem
    record, _, _ = told("short", SUMMARY, WORDS)
    solve = stage("caco", "solve")
    done = played(solve.episode(record, Pool([])), script("It is 560.", "It is 560."))
    assert asked(done) and all(SUMMARY not in prompt_of(each) for each in asked(done))


def test_a_draw_of_its_own_is_another_request_with_the_same_words() -> None:
    made = stage("caco", "reverse")
    one, two = (
        asked(played(replace(made, sample=n).episode(RAN, Pool([])), script(WORDS)))[0]
        for n in (0, 4)
    )
    assert one.messages == two.messages and one.id != two.id


def test_a_summary_needs_its_prompts() -> None:
    with pytest.raises(SettingsError, match="needs a summary_prompt and a retell_prompt"):
        replace(stage("caco", "reverse"), summary="short", retell_prompt=None)
