"""teco: the statement that was there is right, and what sees no bug or does not run is not."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests.packages.repairs import FILES
from tests.recipes.playing import answering, player, stage
from tests.recipes.test_swe_tasks import seed
from transforms.packages.package import modules
from transforms.recipes.teco import CutTests, cuts_of, state_at

CUTS = cuts_of(FILES, modules(FILES))


@cache
def tasks() -> list[Any]:
    made = CutTests(sandbox=None, bugs=1, most=2)  # type: ignore[arg-type]
    return player()(made.episode(seed()))  # type: ignore[no-any-return]


def scores(task: Any, *answers: str) -> list[tuple[float, str | None]]:
    samples = f"recipe.stages.attempt.sampler.samples={len(answers)}"
    texts = [f"```python\n{each}\n```" for each in answers]
    pairs = answering(*texts)(stage("teco", "attempt", samples).episode(task))
    return [(row.score, verdict.reason) for row, verdict in pairs]


def test_the_removed_statement_is_right_and_what_asserts_nothing_is_not() -> None:
    task = next(task for task, verdict in tasks() if verdict.kept)
    target = json.loads(task.answer)["target"]
    assert scores(
        task, target, f"{target}  # so", "x = 1", "assert 2 > 1", "assert 1 > 2", "import os"
    ) == [
        (1, None), (1, None), (0, "failed_tests"), (0, "failed_tests"), (0, "fails"),
        (0, "no_answer"),
    ]  # fmt: skip


def test_another_assertion_that_sees_the_bug_is_right() -> None:
    task = next(task for task, verdict in tasks() if verdict.kept)
    target = json.loads(task.answer)["target"]
    assert scores(task, target.replace("assert ", "assert 1 and ")) == [(1, None)]


def test_a_statement_may_not_look_at_the_code_that_it_tests() -> None:
    task = next(task for task, verdict in tasks() if verdict.kept)
    assert scores(task, "assert __import__('inspect')") == [(0, "fails")]


def test_the_state_is_that_of_the_test_up_to_there() -> None:
    text = (
        "from spans import merge\n\n\ndef test_a():\n    n = [(1, 2)]\n    assert merge(n) == n\n"
    )
    files = {**FILES, "tests/test_a.py": text.encode()}
    [cut] = [cut for cut in cuts_of(files, modules(FILES)) if cut.test == "test_a"]
    assert player()(state_at(files, cut)) == {"n": ["list", "[(1, 2)]"]}


def test_every_cut_is_an_assertion_and_shows_nothing_of_what_follows() -> None:
    assert len(CUTS) > 10
    for cut in CUTS:
        assert cut.target.startswith("assert") and cut.target not in cut.prefix
        assert cut.prefix.startswith(f"def {cut.test}(")
