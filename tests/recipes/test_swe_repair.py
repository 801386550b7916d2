"""swe_repair, swe_patch, swe_written: scripted models, the real sandbox and the package's tests."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from functools import cache
from typing import Any

import pytest

from tests.recipes.playing import answering, stage
from tests.recipes.test_swe_tasks import kept, seed
from tests.stages.trajectories.talking import asked, played, prompt_of, script
from transforms.packages.disguise import function_of
from transforms.packages.package import unpacked
from transforms.packages.tasks import RepairTask
from transforms.publish.reward import reward
from transforms.recipes.swe_repair import AskPatch, functions
from transforms.recipes.swe_tasks import with_issue
from transforms.stages.trajectories.dialogue_forms import dialogue_of


@cache
def task() -> RepairTask:
    """The bug in `busiest`: 2 in place of 1."""
    found = next(each for each in kept() if each.function == "spans/schedule.py:busiest")
    return replace(found, problem="spans: `busiest` counts too many.")


def gold(task: RepairTask) -> tuple[str, str]:
    """The line with the bug and the line without it."""
    lines = task.patch.splitlines()
    old, new = (next(li[1:] for li in lines[2:] if li.startswith(mark)) for mark in "-+")
    return old, new


def repaired(*texts: str, of: RepairTask | None = None) -> Any:
    made = stage("swe_repair", "repair", "recipe.stages.repair.sampler.samples=1")
    made = replace(
        made,
        dialogue=dialogue_of({"form": "fence", "role": "user", "limit": None}),
        cells=4,
        turns=5,
    )
    return played(made.episode(of or task()), script(*texts))


def fence(code: str) -> str:
    return f"I try.\n```python\n{code}\n```"


def test_a_model_that_searches_edits_and_runs_tests_mends_the_bug() -> None:
    old, new = gold(task())
    play = repaired(
        fence("search('def busiest')"),
        fence(f"edit('spans/schedule.py', {old!r}, {new!r})"),
        fence("run_tests()\nfrom spans import busiest\nprint(busiest([(0, 2), (1, 2)]))"),
        "It counted a booking twice.",
    )
    [(row, verdict)] = play.result
    assert verdict.kept and row.score == 1
    assert row.answer == task().patch
    shown = "".join(turn.content for turn in row.messages)
    assert "spans/schedule.py:17" in shown and "100%" in shown and "(2, 1)" in shown


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("pass", "still_fails"),
        ("open('spans/schedule.py', 'a').write('import os\\n')", "refused_code"),
        ("open('tests/test_schedule.py', 'w').write('')", "still_fails"),
        ("open('conftest.py', 'w').write('raise SystemExit(0)')", "still_fails"),
        ("_changes = lambda: 'nothing'", "still_fails"),
    ],
)
def test_what_mends_nothing_is_rejected_with_a_reason(code: str, reason: str) -> None:
    [(row, verdict)] = repaired(fence(code), "Done.").result
    assert (row.score, verdict.reason) == (0, reason)


def test_neither_prompt_nor_session_holds_the_tests_that_decide() -> None:
    names = {function_of(test)[1] for test in task().fail_to_pass}
    play = repaired(fence("search('def test_')"), "I see no more.")
    seen = "".join(map(prompt_of, asked(play)))
    assert "test_pack" in seen and "spans/schedule.py" in seen
    assert not any(f"def {name}(" in seen for name in names)


def patch_task() -> Any:
    return AskPatch().of(task())


def test_a_diff_is_graded_by_the_tests_and_the_reward_says_the_same() -> None:
    made = stage("swe_patch", "attempt", "recipe.stages.attempt.sampler.samples=3")
    right = f"So:\n```diff\n{task().patch}```\n"
    wrong = right.replace("+", "-", 3)
    pairs = answering(right, wrong, "I do not know.")(made.episode(patch_task()))
    assert [(row.score, verdict.reason) for row, verdict in pairs] == [
        (1, None), (0, "no_answer"), (0, "no_answer"),
    ]  # fmt: skip
    row = asdict(pairs[0][0])
    assert "busiest" in row["messages"][0]["content"]
    assert reward(right, row) == 1
    assert reward(f"```\n{task().bug}```", row) == 0


def test_a_prompt_for_a_diff_shows_the_module_with_the_bug() -> None:
    shown = json.loads(patch_task().shown)
    [(path, text)] = shown["files"].items()
    assert path == "spans/schedule.py" and gold(task())[0] in text


def test_a_function_that_a_model_writes_with_a_bug_is_a_task() -> None:
    _, path, name, code = next(each for each in functions(seed(), 100) if each[2] == "gaps")
    made = stage("swe_written", "break", "recipe.stages.break.sampler.samples=3")
    bad = code.replace(">=", ">")
    texts = [f"```python\n{each}\n```" for each in (bad, code, "def other():\n    pass")]
    pairs = answering(*texts)(made.episode((seed(), path, name, code)))
    assert [verdict.reason for _, verdict in pairs] == [None, "no_function", "no_function"]
    written = pairs[0][0]
    assert written.operator == "model" and written.calls[0].stage == "break"
    assert "+        if after - before >= smallest:" in written.patch


def test_an_issue_that_a_model_writes_may_not_give_the_fix_away() -> None:
    made = stage("swe_written", "tell")
    told = answering("busiest is wrong", f"Use {gold(task())[1].strip()}")
    assert told(made.episode(task())).problem == "busiest is wrong"
    assert told(made.episode(task())).reason == "leaks"
    assert with_issue(task(), "x").problem == "x"  # type: ignore[union-attr]


def test_the_archive_of_a_task_is_the_published_package() -> None:
    assert gold(task())[1].encode() in unpacked(task().archive)["spans/schedule.py"]
