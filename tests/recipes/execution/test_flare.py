"""FLARE: what the solver finds by searching is what follows, and its search is the row's text."""

from __future__ import annotations

import json
import random
from itertools import islice
from typing import Any

import pytest

from tests.recipes.execution.playing import played, seed_of, stage
from transforms.models.episode import play
from transforms.programs.backtracking import solution
from transforms.programs.deductions import closure, problems
from transforms.programs.form import literal_input, parse
from transforms.recipes.flare import faithfulness
from transforms.stages.graders import grade

DRAWN = list(islice(problems(60), 60))
GIVEN: list[dict[str, Any]] = [literal_input(parse(row["code"])) or {} for row in DRAWN]


def test_the_search_finds_what_forward_chaining_derives(capsys: pytest.CaptureFixture[str]) -> None:
    for row, given in zip(DRAWN, GIVEN, strict=True):
        follows = tuple(given["query"]) in closure(given["facts"], given["rules"])
        assert solution(**given) is follows
        assert row["answer"] == repr(follows)
    assert "Redo" in capsys.readouterr().out


def test_half_of_the_questions_are_true() -> None:
    assert sum(row["answer"] == "True" for row in DRAWN) == 30


def test_no_question_is_answered_at_a_first_look(capsys: pytest.CaptureFixture[str]) -> None:
    for given in GIVEN:
        capsys.readouterr()
        solution(**given)
        search = capsys.readouterr().out
        if tuple(given["query"]) in closure(given["facts"], given["rules"]):
            assert search.count("Try") > 1
        else:
            assert "Found" in search or search.count("Try") > 1


def test_problems_are_the_same_again_and_different_from_each_other() -> None:
    assert DRAWN[:20] == list(problems(20))
    assert len({row["code"] for row in DRAWN}) == 60


def test_what_follows_is_found_through_a_chain_and_a_third_person() -> None:
    facts = [["knows", "ann", "bob"], ["tall", "bob"]]
    rules = [[["calm", "X"], ["knows", "X", "Y"], ["tall", "Y"]], [["kind", "X"], ["calm", "X"]]]
    new = closure(facts, rules) - set(map(tuple, facts))
    assert new == {("calm", "ann"), ("kind", "ann")}


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    seeds = [seed_of(row["code"]) for row in DRAWN[:12]]
    return played(stage("flare", "search"), *seeds)[0]


def test_the_row_ends_in_the_answer_and_its_grader_accepts_it(rows: list[Any]) -> None:
    assert len(rows) == 12
    for row in rows:
        assert play(grade(row, row.messages[-1].content)).result.score == 1


def test_a_search_is_faithful_to_itself_and_not_to_its_lines_in_another_order(
    rows: list[Any],
) -> None:
    for row in rows:
        search = json.loads(row.shown)["search"]
        lines = search.split("\n")
        random.Random(0).shuffle(lines)
        assert search in row.messages[-1].content
        assert faithfulness(search, search) == 1 > faithfulness("\n".join(lines), search)


def test_a_seed_that_is_no_problem_of_its_own_is_rejected() -> None:
    assert played(stage("flare", "search"), seed_of("input = {'n': 1}"))[1] == ["no_program"]
