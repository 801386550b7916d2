"""r1_code_interpreter: limits, what is learned, and which problems the curriculum takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.recipes.playing import stage
from tests.stages.trajectories.talking import SEED, asked, played, prompt_of, script
from transforms.stages.trajectories.records import Trajectory, learned

SCRIPT = "I compute.\n```python\nprint(6 * 7 + {})\n```\n"
END = "So <<<43>>>"


def attempts(*texts: str, samples: int = 1) -> tuple[list[tuple[Trajectory, Any]], list[Any]]:
    few = f"recipe.stages.solve.sampler.samples={samples}"
    done = played(stage("r1_code_interpreter", "solve", few).episode(SEED), script(*texts))
    return done.result, asked(done)


def test_the_sixth_script_is_not_run() -> None:
    [(row, verdict)], requests = attempts(*(SCRIPT.format(n) for n in range(6)))
    assert (row.cells, len(requests), row.ended) == (5, 6, "cells")
    assert (verdict.kept, row.score) == (True, 0.0)  # a wrong attempt counts for the potential


def test_output_is_shown_in_the_users_turn_and_is_not_learned() -> None:
    [(row, _)], _ = attempts(SCRIPT.format(1), END)
    shown = row.messages[2]
    assert (shown.role, shown.content) == ("user", "Code Execution Results:\n43")
    assert (row.answer, row.score, learned(shown)) == ("43", 1.0, ())


def test_scripts_share_no_variables() -> None:
    [(row, _)], _ = attempts("```python\na = 43\n```\n", "```python\nprint(a)\n```\n", END)
    assert "NameError" in row.messages[4].content


def test_attempts_are_told_to_begin_with_code_or_with_words_or_as_they_like() -> None:
    _, requests = attempts(*[END] * 3, samples=3)
    told = [prompt_of(request) for request in requests]
    assert [("Begin with a script" in text, "Begin in words" in text) for text in told] == [
        (False, False), (True, False), (False, True)
    ]  # fmt: skip


def group(right: int, of: int = 20) -> list[Trajectory]:
    [(row, _)], _ = attempts(END)
    return [replace(row, id=f"{n:02}", score=float(n < right)) for n in range(of)]


@pytest.mark.parametrize(("right", "kept"), [(10, 20), (18, 20), (20, 0), (0, 0)])
def test_problems_that_all_or_no_attempts_solve_teach_nothing(right: int, kept: int) -> None:
    decided = stage("r1_code_interpreter", "potential").of(group(right))
    assert sum(verdict.kept for _, verdict in decided) == kept


def test_problems_of_the_highest_potential_are_the_first_part_and_others_may_be_the_last() -> None:
    for right, first, last in [(10, True, False), (20, False, True)]:
        for stay, kept in [("[0]", first), ("[3]", last)]:
            rule = f"recipe.stages.potential.rule.of_potential.stay={stay}"
            decided = stage("r1_code_interpreter", "potential", rule).of(group(right))
            assert {verdict.kept for _, verdict in decided} == {kept}


def test_only_right_attempts_are_rows() -> None:
    decided = stage("r1_code_interpreter", "right").of(group(3))
    assert [row.id for row, verdict in decided if verdict.kept] == ["00", "01", "02"]
