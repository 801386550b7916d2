"""Each execution recipe runs whole, from seeds to rows, and its rows earn their score again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import chat_server
from tests.programs_for_tests import SPAM
from tests.recipes.test_absolute_zero import INPUTS, MESSAGE
from tests.recipes.test_cruxeval_x import INPUT, JAVASCRIPT, C
from tests.recipes.test_recipes import run
from tests.recipes.test_refute import BOUND
from transforms.publish.reward import reward

FAILING = SPAM.replace("answered * days", "answered + days")
INDUCTION = json.dumps({"message": MESSAGE, "inputs": INPUTS})
ANSWERS = [
    ("into JavaScript", JAVASCRIPT),
    ("into C:", C),
    ("For which arguments", INPUT),
    ("Propose a Python program", SPAM),
    ("Choose 10 inputs", INDUCTION),
    ("one JSON object", '{"output": 117, "spam": 48, "answered": 112}'),
    ("the input alone", "{'levels': [420], 'alarm': 420}"),
    ("value of `input` alone", "{'emails': 160, 'percent_spam': 30, 'days': 5}"),
    ("Find an `input`", "{'emails': 160, 'percent_spam': 30, 'days': 5}"),
    ("value of `output` alone", "560"),
    ("value alone", "560"),
    ("Be the interpreter", '{"spam": 48, "answered": 112, "answer": 560}'),
    ("for other values of the input, too. Give", FAILING),
    ("program", SPAM),
]
"""Words of a question, and the answer to it: the first that is there counts."""


def model(body: dict[str, Any]) -> dict[str, Any]:
    """Answers rightly about the programs of these tests; writes a wrong one for `coderl_plus`."""
    question = body["messages"][-1]["content"]
    answer = next(answer for words, answer in ANSWERS if words in question)
    return {"content": f"[L5] So `spam = 48`.\n```\n{answer}\n```"}


@pytest.mark.parametrize(
    ("recipe", "code", "tasks"),
    [
        ("absolute_zero", SPAM, {"deduction", "abduction", "induction"}),
        ("codemind", SPAM, {"execute", "write", "write_tested", "write_misled", "simplify"}),
        ("coderl_plus", SPAM, {"final_values"}),
        ("cogex", SPAM, {"emulate"}),
        ("cruxeval_x", SPAM, {"output", "input"}),
        ("refute", BOUND, {"counterexample"}),
        ("semcoder", SPAM, {"forward", "backward", "refine"}),
    ],
)
def test_a_recipe_runs_from_seeds_to_rows_that_earn_their_score_again(
    tmp_path: Path, recipe: str, code: str, tasks: set[str]
) -> None:
    more = ["~recipe.stages.learnable"] if recipe == "absolute_zero" else []  # all are right
    output = "2" if code == BOUND else "560"
    seeds = [{"problem": "How many?", "answer": output, "code": code}]
    with chat_server(model) as (url, _):
        _, rows, _ = run(tmp_path, recipe, url, seeds, *more)
    assert {row["task"] for row in rows} == tasks
    for row in rows:
        said = row["messages"][-1]["content"]
        assert row["score"] == pytest.approx(reward(said, row)) and row["score"] > 0
