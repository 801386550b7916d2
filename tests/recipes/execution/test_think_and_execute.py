"""Think-and-Execute: one printing program per task, and the lines that it prints are gold."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.programs.test_leaves import solution
from tests.programs_for_tests import SPAM
from tests.recipes.execution.playing import played, seed_of, stage
from tests.recipes.test_codeio import SHIPPED
from transforms.stages.graders import BY_TEXT


def rows_of(*codes: str) -> tuple[list[Any], list[str]]:
    return played(stage("think_and_execute", "print"), *map(seed_of, codes))


@cache
def rows() -> list[Any]:
    return rows_of(SPAM, *(each["code"] for each in SHIPPED[:6]))[0]


def test_a_family_has_one_program_and_several_instances() -> None:
    families: dict[Any, set[str]] = {}
    for row in rows():
        shown = json.loads(row.shown)
        families.setdefault((row.seed_ids, shown["family"], shown["pseudocode"]), set()).add(
            shown["instance"]
        )
    seeds = {row.seed_ids for row in rows()}
    assert len(families) == len(seeds) == len({family for _, family, _ in families}) > 3
    assert all(len(instances) >= 2 for instances in families.values())


def test_the_printed_lines_are_right_and_swapped_ones_score_less() -> None:
    for row in rows():
        golds, said = json.loads(row.answer), row.messages[-1].content
        assert BY_TEXT["lines"](golds, said).score == 1.0
        lines = golds[0].split("\n")
        swapped = "\n".join([*lines[:-2], lines[-1], lines[-2]])
        assert BY_TEXT["lines"](golds, f"```\n{swapped}\n```").score < 1.0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (solution("a = n", "for k in {*'abcdefghi'}:", "    a += 1", "    if k == 'a':",
                  "        break", "return n"), "too_short"),
        (solution("print(object())", "a = n", "b = n", "c = n", "return n"), "nondeterministic"),
        (solution("a = 0.12345678 + n + 1", "b = n", "c = n", "return n"), "many_digits"),
        (solution("a = n", "return n"), "too_short"),
        (solution("a = 'x' * 3000", "b = n", "c = n", "return n"), "too_long"),
        (solution("import random", "a = random.random()", "return n"), "random"),
    ],
)  # fmt: skip
def test_lines_that_nobody_can_tell_make_no_row(code: str, reason: str) -> None:
    kept, reasons = rows_of(code)
    assert not kept and set(reasons) == {reason}


def test_an_instance_with_a_negative_number_where_the_own_one_has_none_makes_no_row() -> None:
    code = solution("left = n - 4", "half = left // 2", "rest = left - half", "return half + 1")
    kept, reasons = rows_of(code)
    assert "implausible" in reasons
    assert kept and not any("-" in json.loads(row.answer)[0] for row in kept)


def test_an_unread_loop_variable_is_not_printed() -> None:
    code = solution("a = 0", "for _ in range(2):", "    a += n", "b = a", "return b")
    [row, *_], _ = rows_of(code)
    assert "_ = " not in json.loads(row.answer)[0]


def test_a_variable_that_no_two_runs_print_alike_is_not_printed() -> None:
    code = solution(
        "a = n", "b = {str(k) for k in range(9)}", "c = [object()]", "d = a", "return d"
    )
    [row, *_], reasons = rows_of(code)
    assert not reasons
    assert [line[:4] for line in json.loads(row.answer)[0].split("\n")] == ["a = ", "d = ", "Fina"]
    assert 'print(f"b' not in row.code and "    b = {str(k)" in row.code
