"""Tests of the recipe's own code: no model, no sandbox, no pipeline."""

from scaffold import Solved, too_long

from transforms.models.episode import play
from transforms.stages.grade import graded


def row(solution: str) -> Solved:
    return Solved(
        id="1", tokens=0, calls=(), seed_ids=(), source="test", license="MIT",
        problem="What is 6 times 7?", solution=solution, answer="42",
    )  # fmt: skip


def test_a_solution_that_comes_to_the_reference_is_kept() -> None:
    assert play(graded("6 times 7 is \\boxed{42}.", "42")).result.kept


def test_a_solution_that_comes_to_another_answer_is_rejected() -> None:
    verdict = play(graded("It is \\boxed{41}.", "42")).result
    assert (verdict.reason, verdict.detail) == ("answer_mismatch", "41, reference 42")


def test_a_long_solution_is_rejected() -> None:
    assert too_long(row("word " * 401)).reason == "too_long"
    assert too_long(row("word")).kept
