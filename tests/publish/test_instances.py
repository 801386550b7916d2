"""Instances of a verified problem are new problems with right answers."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from itertools import islice

from tests.recipes.augment.seeds import AUGMENTATION, PENCILS
from transforms.publish.instances import Instance, Problem, instances, problem_of, redraws
from transforms.publish.reward import reward

SOLVED = replace(PENCILS, output="14")
DRAWN = Problem(SOLVED, ("s",), difficulty=0.0, redrawn=True)
FIXED = Problem(replace(SOLVED, id="fixed"), ("s",), difficulty=1.0, redrawn=False)


def first(count: int, *problems: Problem, **options) -> list[Instance]:
    return list(islice(instances(problems, **options), count))


def test_the_module_imports_neither_beam_nor_a_model_library():
    heavy = ("apache_beam", "vllm", "torch", "transformers", "pyarrow")
    line = "import sys, transforms.publish.instances"
    line += f"; print([n for n in {heavy} if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_each_instance_is_new_and_its_reference_earns_the_reward():
    drawn = first(12, DRAWN)
    assert len({one.instruction for one in drawn} | {SOLVED.problem}) == 13
    assert all(
        reward(one.reference, {"instruction": one.instruction, "output": one.output}) == 1
        for one in drawn
    )


def test_an_instance_refuses_the_answers_of_others():
    drawn = first(6, DRAWN)
    answers = {one.output for one in drawn}
    assert all(
        reward(f"The answer is {answer}.", {"output": one.output}, steps=False)
        == (answer == one.output)
        for one in drawn
        for answer in answers
    )


def test_a_seed_decides_the_stream():
    assert first(5, DRAWN, seed=1) == first(5, DRAWN, seed=1) != first(5, DRAWN, seed=2)


def test_a_fixed_problem_comes_once():
    drawn = first(9, DRAWN, FIXED)
    assert [one.problem_id for one in drawn].count("fixed") == 1


def test_a_stream_of_fixed_problems_ends():
    assert [one.instruction for one in instances([FIXED])] == [SOLVED.problem]


def test_a_problem_that_gives_nothing_new_is_given_up():
    assert not any(list(instances([DRAWN], draws=1, seed=seed)) for seed in range(5))


def test_a_wider_spread_draws_larger_numbers():
    def largest(spread: float) -> int:
        texts = " ".join(one.instruction for one in first(20, DRAWN, spread=spread))
        return max(map(int, re.findall(r"\d+", texts)))

    assert largest(1.2) < largest(4)


def test_a_seed_that_cannot_be_drawn_anew_says_why():
    bare = replace(SOLVED, solution=None)
    made, verdict = redraws(bare, AUGMENTATION, "auto")
    assert (made, verdict.reason) == ([], "not_redrawable")


def test_a_problem_is_read_as_it_was_written():
    assert problem_of(json.loads(json.dumps(asdict(DRAWN)))) == DRAWN
