"""sgi_dry: a masked function is filled in, and what the program then gives decides."""

from __future__ import annotations

import ast
import json
from functools import cache
from typing import Any

import pytest

from tests.programs_for_tests import SPAM
from tests.recipes.execution.playing import played, seed_of, stage
from tests.recipes.playing import player
from transforms.programs.masked import filled, helpers, with_body
from transforms.stages.graders import grade

PROGRAM = '''import math

input = {"radius": 2.5, "height": 4.0, "count": 3}


def volume(radius, height):
    """Volume of a cone."""
    base = math.pi * radius ** 2
    return base * height / 3


def solution(radius, height, count):
    # all cones together
    total = count * volume(radius, height)
    return round(total, 9)


output = solution(**input)
'''
RIGHT = "def volume(radius, height):\n    return 3.141592653589793 * radius * radius * height / 3"


@cache
def task() -> Any:
    [made] = played(stage("sgi_dry", "mask"), seed_of(PROGRAM))[0]
    return made


def test_the_mask_takes_the_body_and_nothing_else() -> None:
    lines, own = task().code.split("\n"), PROGRAM.split("\n")
    assert lines == [*own[:7], "    ...  # to be written", *own[9:]]
    assert len(json.loads(task().answer)["cases"]) == 5


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        (RIGHT, 1.0),
        (RIGHT.replace("/ 3", "/ 3 * (1 + 1e-9)"), 1.0),
        (RIGHT.replace("/ 3", "/ 3 * 1.01"), 0.0),
        (f"import warnings\nwarnings.warn('slow')\n{RIGHT}", 1.0),
        (RIGHT.replace("    return", "    import warnings; warnings.warn('x')\n    return"), 1.0),
        (f"from math import pi\n\n{RIGHT.replace('3.141592653589793', 'pi')}", 1.0),
        (f"def sq(x):\n    return x * x\n\n{RIGHT.replace('radius * radius', 'sq(radius)')}", 1.0),
        (f"{RIGHT}\n\noutput = 1\n\ndef solution(**given):\n    return 1", 1.0),
        ("def volume(radius, height):\n    return 26.2", 0.0),
        ("def cone(radius, height):\n    return 1", 0.0),
        ("def volume(:", 0.0),
    ],
)  # fmt: skip
def test_numbers_decide_and_neither_warnings_nor_imports(answer: str, score: float) -> None:
    assert player()(grade(task(), f"So:\n```python\n{answer}\n```")).score == score


def test_a_function_that_a_constant_could_be_is_not_asked_about() -> None:
    idle = PROGRAM.replace("return base * height / 3", "return 0 * base * height")
    assert played(stage("sgi_dry", "mask"), seed_of(idle)) == ([], ["no_effect"])
    plain = "input = {'n': 3}\n\ndef solution(n):\n    return n * n\n\noutput = solution(**input)"
    assert played(stage("sgi_dry", "mask"), seed_of(plain)) == ([], ["few_functions"])


def test_a_program_of_one_function_is_parted_at_its_comments() -> None:
    [made] = played(stage("sgi_dry", "mask"), seed_of(SPAM))[0]
    name = json.loads(made.answer)["function"]
    body = next(each for each in helpers(made.code) if each.name == name)
    assert ast.get_docstring(body) and name.startswith("find_")


def test_an_answer_replaces_nothing_but_its_function() -> None:
    whole = filled(PROGRAM, "volume", f"{RIGHT}\n\ndef solution(**given):\n    return 1") or ""
    assert whole.count("def solution(") == 1 and "count * volume" in whole
    assert filled(with_body(PROGRAM, "volume", "..."), "volume", RIGHT) == whole
