"""cogex: the dict of an emulated program is the one of the run with all bodies."""

from __future__ import annotations

import ast
import json
from functools import cache
from typing import Any

import pytest

from tests.programs.test_leaves import solution
from tests.programs_for_tests import SPAM
from tests.recipes.execution.playing import played, seed_of
from tests.recipes.playing import in_all_ways, stage
from tests.recipes.test_codeio import SHIPPED
from transforms.stages.graders import same_output

RIGHT = '{"spam": 48, "answered": 112, "answer": 560}'


def split(*codes: str) -> tuple[list[Any], list[str]]:
    """The tasks made of programs, and the reasons for rejecting others."""
    return played(stage("cogex", "split"), *map(seed_of, codes))


@cache
def task() -> Any:
    [made] = split(SPAM)[0]
    return made


def ran(code: str) -> Any:
    names: dict[str, Any] = {}
    exec(code, names)  # of a shipped program, which is trusted
    return names["output"]


def test_the_emulated_dict_is_the_executed_one_where_leaves_are_defined() -> None:
    codes = [each["code"] for each in SHIPPED]
    tasks, _ = split(*codes)
    assert len(tasks) > len(codes) / 2
    originals = {seed_of(code).id: ran(code) for code in codes}
    for each in tasks:
        golds = {name: ast.literal_eval(gold) for name, gold in json.loads(each.answer).items()}
        assert golds == ran(each.code)
        [seed_id] = each.seed_ids
        assert same_output(json.dumps(golds["answer"]), json.dumps(originals[seed_id]))


def test_a_leaf_function_is_shown_by_its_name_and_docstring_alone() -> None:
    tree = ast.parse(json.loads(task().shown)["program"])
    leaves = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name != "solution"]
    assert [leaf.name for leaf in leaves] == ["find_spam", "find_answered"]
    assert ast.get_docstring(leaves[0]) == "emails that need no reply each day"
    assert all(len(leaf.body) == 1 for leaf in leaves)


def test_only_the_right_dict_is_a_row() -> None:
    wrong = RIGHT.replace("112", "113")
    kept = [verdict.kept for _, verdict in in_all_ways("cogex", task(), RIGHT, wrong)]
    assert kept == [True] * 3 + [False] * 5


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (solution("# ns", "k = [n]", "# ms", "j = n + m", "k.append(j)", "return j"),
         "differs_alone"),
        (solution("# so", "k = n + m", "return k"), "few_leaves"),
        ("import random\n" + SPAM, "random"),
        (SPAM.replace("**input)", "**input) + 1"), "runtime_error"),
        (SPAM.replace("**input)", "**input) and 1"), "no_entry"),
    ],
)  # fmt: skip
def test_a_program_that_is_no_fair_question_is_rejected(code: str, reason: str) -> None:
    assert split(code) == ([], [reason])
