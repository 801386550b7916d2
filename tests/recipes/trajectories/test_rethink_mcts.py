"""rethink_mcts: thoughts are valued by tests, and replaced in place where they failed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import stage
from tests.recipes.test_codeio import seed
from tests.stages.trajectories.talking import asked, played
from transforms.models.requests import Request
from transforms.stages.trajectories.records import as_messages, learned

WRONG = SPAM.replace("answered * days", "answered + days")
KINDS = {
    "different next thoughts": "think",
    "follows these thoughts": "code",
    "passes the tests at hand": "rate",
    "block by block": "debug",
    "takes its place": "rethink",
}


def kind(request: Request) -> str:
    text = request.messages[0].content
    return next(name for words, name in KINDS.items() if words in text)


def thought(*texts: str) -> str:
    return "\n".join(f"<idea>{text}</idea>" for text in texts)


def searched(code: Callable[[str], str], *overrides: str, rated: str = "Rating: 0.5") -> Any:
    """Plays a search whose thoughts are a, b and c, or their place after a failure, d.

    Args:
        code: the last thought -> the program that is written after it.
    """

    def model(request: Request) -> str:
        last = re.findall(r"^\d\. (\w+)$", request.messages[0].content, re.M)
        return {
            "think": lambda: thought("a", "b", "c"),
            "code": lambda: f"So it is.\n```python\n{code(last[-1])}\n```",
            "rate": lambda: f"1. It is right.\n{rated}",
            "debug": lambda: "The last line adds.",
            "rethink": lambda: thought("d"),
        }[kind(request)]()

    stages = "recipe.stages.rethink"
    made = stage(
        "rethink_mcts", "rethink", f"{stages}.keeps_tree=true", f"{stages}.rollouts=2", *overrides
    )
    return played(made.episode(seed(SPAM)), model)


def tree(play: Any) -> list[Any]:
    row, _ = play.result
    return json.loads(row.data)["tree"]


def scores(play: Any) -> list[float]:
    return [score[0] for *_, score in tree(play) if score]


def test_a_program_that_passes_all_tests_is_worth_0_8_and_a_fifth_of_its_rating() -> None:
    play = searched(lambda last: SPAM)
    row, verdict = play.result
    assert scores(play) == [0.9, 0.9]
    assert verdict.kept and row.answer.strip() == SPAM.strip()


def test_a_program_is_worth_the_share_of_the_tests_that_it_passes() -> None:
    code = SPAM.replace("answered * days", "answered * days if days == 5 else -1")
    play = searched(lambda last: code, "recipe.stages.rethink.keeps_wrong=true")
    shown = re.findall(r"^- .* gives -1, right is", asked(play)[2].messages[0].content, re.M)
    assert scores(play) and all(score == 1 - len(shown) / 4 for score in scores(play))
    assert 0 < len(shown) < 4


def test_a_thought_that_failed_is_replaced_once_and_the_tree_keeps_its_size() -> None:
    play = searched(lambda last: SPAM if last == "d" else WRONG)
    kinds = Counter(map(kind, asked(play)))
    assert kinds == {"think": 1, "code": 4, "debug": 2, "rethink": 2, "rate": 2}
    assert len(tree(play)) == 3
    row, verdict = play.result
    assert verdict.kept
    [replaced] = json.loads(row.data)["replaced"]
    assert replaced["before"] in "abc" and (replaced["depth"], replaced["after"]) == (1, "d")


def test_what_failed_twice_seeds_the_thoughts_that_follow() -> None:
    play = searched(lambda last: WRONG, "recipe.stages.rethink.keeps_wrong=true")
    second = [request for request in asked(play) if kind(request) == "think"][1]
    assert "The last line adds." in second.messages[0].content
    assert "each of which mends what failed" in second.messages[0].content
    assert len(tree(play)) == 6


def test_the_debugger_sees_failed_tests_and_the_run_of_the_first() -> None:
    play = searched(lambda last: WRONG, "recipe.stages.rethink.keeps_wrong=true")
    text = next(r.messages[0].content for r in asked(play) if kind(r) == "debug")
    assert "gives 117, right is 560" in text and "return 117 | " in text


def test_of_equal_values_the_first_found_is_chosen() -> None:
    play = searched(lambda last: f"{SPAM}\n# {last}")
    row, _ = play.result
    first = next(r for r in asked(play) if kind(r) == "code")
    assert row.messages[-1].request == first.id


def test_a_row_is_one_text_of_thoughts_and_program_and_all_of_it_is_learned_but_blank_lines() -> (
    None
):
    row, _ = searched(lambda last: SPAM).result
    user, said = as_messages(row.messages)
    assert (user.role, said.role) == ("user", "assistant")
    assert re.fullmatch(r"[abc]\n\nSo it is\.\n```python\n.*```", said.content, re.DOTALL)
    unlearned = [turn.content for turn in row.messages[1:] if not learned(turn)]
    assert unlearned == ["\n\n"]


@pytest.mark.parametrize(("limit", "most"), [("asks", 8), ("nodes", 3), ("cells", 12)])
def test_a_budget_is_never_exceeded(limit: str, most: int) -> None:
    play = searched(
        lambda last: WRONG, f"recipe.stages.rethink.{limit}={most}",
        "recipe.stages.rethink.keeps_wrong=true", "recipe.stages.rethink.rollouts=9",
    )  # fmt: skip
    row, _ = play.result
    used = {"asks": len(asked(play)), "nodes": len(tree(play)), "cells": row.cells}
    assert 0 < used[limit] <= most


def test_a_program_that_passes_the_shown_tests_alone_is_no_row() -> None:
    def learnt_by_heart(last: str) -> str:
        return SPAM.replace("answered * days", "answered * days if days == 5 else -1")

    assert searched(learnt_by_heart).result[1].reason == "failed_tests"


def test_thoughts_without_a_program_leave_no_row() -> None:
    assert searched(lambda last: "no program").result.reason == "nothing_runs"


def test_the_number_of_a_list_is_no_rating() -> None:
    play = searched(lambda last: SPAM, rated="2. It is short.")
    assert scores(play) == [0.8, 0.8]
