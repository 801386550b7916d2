"""coderl_plus: only programs that fail are asked about, and each value earns its share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.playing import answering, in_all_ways, player, stage
from tests.recipes.test_codeio import seed
from transforms.recipes.coderl_plus import run_of
from transforms.stages.graders import grade

FAILING = SPAM.replace("answered * days", "answered + days")
RIGHT_ON_ONE = SPAM.replace("answered * days", "560")


def written(*codes: str) -> list[Any]:
    """What becomes of programs that a model writes for one problem."""
    texts = (f"```python\n{code}\n```" for code in codes)
    samples = f"recipe.stages.fail.sampler.samples={len(codes)}"
    return answering(*texts)(stage("coderl_plus", "fail", samples).episode(seed(SPAM)))


def test_no_program_that_passes_its_tests_is_asked_about() -> None:
    crash = SPAM.replace("// 100", "// 0")
    passed, failed, one, crashed = written(SPAM, FAILING, RIGHT_ON_ONE, crash)
    assert (passed.reason, crashed.reason) == ("passes_tests", "runtime_error")
    assert [task.code for task in (failed, one)] == [FAILING, RIGHT_ON_ONE]


def test_the_output_and_the_last_variables_are_those_of_the_failed_run() -> None:
    [task] = written(FAILING)
    golds = {"spam": "48", "answered": "112", "output": "117"}
    assert json.loads(task.answer) == golds
    assert json.loads(task.shown)["names"] == ["spam", "answered"]


@pytest.mark.parametrize("right", range(4))
def test_a_prediction_scores_a_tenth_and_its_share_of_the_rest(right: int) -> None:
    [task] = written(FAILING)
    golds = {name: json.loads(gold) for name, gold in json.loads(task.answer).items()}
    answer = {n: g if place < right else -1 for place, (n, g) in enumerate(golds.items())}
    mark = player()(grade(task, f"```json\n{json.dumps(answer)}\n```"))
    assert mark.score == pytest.approx(0.1 + 0.9 * right / 3)


def test_programs_of_a_problem_with_the_same_output_are_one() -> None:
    same = FAILING.replace("# answered each day", "# each day")
    one, other, third = written(FAILING, same, RIGHT_ON_ONE)
    assert run_of(one) == run_of(other) != run_of(third)


def test_predictions_are_rows_where_every_value_is_right() -> None:
    [task] = written(FAILING)
    golds = {name: json.loads(gold) for name, gold in json.loads(task.answer).items()}
    right, wrong = json.dumps(golds), json.dumps({**golds, "spam": 49})
    results = in_all_ways("coderl_plus", task, right, wrong)
    assert [verdict.kept for _, verdict in results] == [True] * 3 + [False] * 5
    assert results[3][0].score == pytest.approx(0.1 + 0.9 * 2 / 3)
