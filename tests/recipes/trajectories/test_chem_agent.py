"""chem_agent: a library of sub-tasks that were verified, frozen for the round that reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.recipes.playing import stage
from tests.recipes.test_biomechanics import seed
from tests.stages.trajectories.talking import asked, once, played, prompt_of, script
from transforms.engine.records import grow
from transforms.models.pool import Pool
from transforms.recipes.biomechanics import problems
from transforms.recipes.chem_agent import library, retrieved
from transforms.recipes.codeadapt import Trained
from transforms.stages.trajectories.dialogue_forms import DIALOGUES
from transforms.stages.trajectories.records import Turn

SEEDS = [seed(row) for row in problems(20, file="chemistry.yaml")]
CODE = "<execute>\nprint(1.69 * 8.314 * 366 / 15.0)\n</execute>"


def trained(number: int, *turns: Turn) -> Trained:
    return grow(Trained, SEEDS[number], trace=turns)


def worked(number: int, step: str = "I find the pressure.", failed: bool = False) -> Trained:
    return trained(
        number,
        Turn("user", SEEDS[number].problem),
        Turn("assistant", f"{step}\n{CODE}", sampled=True),
        Turn("user", "342.8 kPa", failed=failed),
        Turn("assistant", "\\boxed{342.8 kPa}", sampled=True),
    )


POOL = Pool(
    [worked(0), worked(1, "I dilute."), worked(2, "I weigh."), worked(4, "It fails.", True)]
)
FORM = DIALOGUES["execute"]


def test_a_sub_task_whose_code_failed_is_not_in_the_library() -> None:
    entries = library(POOL, FORM)
    assert {entry.seed_id for entry in entries} == {SEEDS[n].id for n in (0, 1, 2)}
    assert entries[0].code and all("</execute>" not in entry.task for entry in entries)


@given(st.permutations(POOL))
def test_the_order_of_the_solved_problems_changes_nothing(pool: Any) -> None:
    assert library(pool, FORM) == library(POOL, FORM)


def test_at_most_three_like_enough_are_retrieved_and_never_the_problem_itself() -> None:
    entries = library([worked(n) for n in range(20)], FORM)
    for each in SEEDS:
        found = retrieved(each, entries, 3, 0.7)
        assert len(found) <= 3 and all(near >= 0.7 for near, _ in found)
        assert each.id not in {entry.seed_id for _, entry in found}
    near = retrieved(SEEDS[10], entries, 3, 0.7)
    assert near[0][1].seed_id == SEEDS[0].id  # the other problem of the same law


def solved(number: int, *says: str, **fields: Any) -> tuple[Any, Any, Any]:
    made = stage("chem_agent", "solve", "recipe.stages.solve.sampler.samples=1")
    return once(replace(made, **fields).episode(trained(number), POOL), *says)


def test_a_solution_sees_the_sub_tasks_of_like_problems_and_is_graded_by_dimension() -> None:
    row, verdict, done = solved(10, CODE, f"\\boxed{{{SEEDS[10].answer}}}")
    shown = prompt_of(asked(done)[0])
    assert verdict.kept and "I find the pressure." in shown and "I weigh." not in shown
    assert SEEDS[0].id in row.data
    pascal = f"\\boxed{{{float((SEEDS[10].answer or '').split()[0]) * 1000} Pa}}"
    assert solved(10, pascal)[1].kept
    assert solved(10, "\\boxed{291.9 kg}")[1].reason == "wrong_answer"


def test_a_problem_that_nothing_is_like_is_solved_without_a_library() -> None:
    _row, verdict, done = solved(7, f"\\boxed{{{SEEDS[7].answer}}}")
    assert verdict.kept and "that was solved" not in prompt_of(asked(done)[0])


def test_a_problem_of_the_first_round_enters_the_library_where_it_is_right() -> None:
    made = stage("chem_agent", "develop")
    right = script(f"I find it.\n{CODE}", f"\\boxed{{{SEEDS[0].answer}}}")
    done = played(made.episode(SEEDS[0], Pool(SEEDS[:1])), right)
    [entry] = library([done.result], FORM)
    assert entry.output.startswith("342.8") and "I find it." in entry.task
    wrong = played(made.episode(SEEDS[0], Pool(SEEDS[:1])), script("\\boxed{1 kPa}"))
    assert wrong.result.reason == "wrong_answer"
