"""codemind: misleading tests are wrong, obfuscated programs the same, and programs are tested."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import in_all_ways, player, stage
from tests.recipes.test_codeio import SHIPPED, seed
from transforms.programs import parse
from transforms.programs.obfuscation import obfuscated
from transforms.stages.graders import grade, runs_of_tests, same_output

KINDS = ["execute", "write", "write_tested", "write_misled", "simplify"]


@cache
def asked() -> dict[str, Any]:
    tasks = player()(stage("codemind", "ask").episode(seed(SPAM)))
    return {task.task: task for task in tasks}


def test_a_program_makes_a_task_of_each_kind() -> None:
    assert list(asked()) == KINDS


def test_the_reference_passes_every_true_test_and_fails_every_misleading_one() -> None:
    for each in SHIPPED[:6]:
        made = player()(stage("codemind", "ask").episode(seed(each["code"])))
        shown = {task.task: json.loads(task.shown) for task in made}
        known = shown["write"]["known"]
        true, false = (shown[kind]["test"] for kind in ("write_tested", "write_misled"))
        runs = player()(runs_of_tests(each["code"], [(known, true), (known, false)]))
        assert [run.passed for run in runs] == [True, False]


@pytest.mark.parametrize(
    "code",
    [
        json.loads(line)["code"]
        for path in sorted(Path("data/seeds").glob("[a-r]*.jsonl"))
        for line in path.read_text().splitlines()[2:3]
    ],
)
def test_an_obfuscated_program_reads_otherwise_and_does_the_same(code: str) -> None:
    dark = obfuscated(code)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(code, before)  # a shipped program, which is trusted
    exec(dark, after)
    assert same_output(json.dumps(before["output"]), json.dumps(after["output"]))
    assert len(dark.splitlines()) > len(ast.unparse(parse(code)).splitlines())


def test_a_simplification_scores_the_lines_that_it_saves() -> None:
    task = asked()["simplify"]
    assert player()(grade(task, f"```\n{task.code}\n```")).fault == "not_simpler"
    short = player()(grade(task, f"```\n{SPAM}\n```")).score
    packed = SPAM.replace("\n    answered", "; answered").replace("    # answered each day\n", "")
    assert 0.3 < short < 1
    assert player()(grade(task, f"```\n{packed}\n```")).score <= short


@pytest.mark.parametrize("kind", KINDS[1:])
def test_only_programs_that_pass_all_tests_are_rows(kind: str) -> None:
    wrong = SPAM.replace("answered * days", "561")
    kept = [verdict.kept for _, verdict in in_all_ways("codemind", asked()[kind], SPAM, wrong)]
    assert kept == [True] * 3 + [False] * 5
