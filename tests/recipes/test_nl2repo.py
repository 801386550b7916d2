"""nl2repo: what is published is worth 1, stubs 0, and what half the tests see half."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from tests.packages.repairs import FILES
from tests.recipes.playing import answering, player
from tests.recipes.playing import stage as stage_of
from tests.recipes.test_swe_tasks import seed
from tests.stages.trajectories.talking import once
from transforms.packages.bugs import in_place, stubbed
from transforms.packages.package import modules
from transforms.packages.patches import text_of
from transforms.recipes.nl2repo import MakeStubs, SpecPackages
from transforms.stages.trajectories.dialogue_forms import dialogue_of


@cache
def task(rung: str) -> Any:
    made = MakeStubs(sandbox=None, rung=rung, most=1)  # type: ignore[arg-type]
    [(task, verdict)] = player()(made.episode(seed()))
    assert verdict.kept
    return task


def published(task: Any) -> str:
    shown = json.loads(task.shown)
    text = text_of(FILES, shown["path"])
    if shown["function"] is None:
        return text
    node = next(n for n in ast.parse(text).body if getattr(n, "name", "") == shown["function"])
    return ast.get_source_segment(text, node) or ""


def scores(task: Any, *answers: str) -> list[float]:
    samples = f"recipe.stages.attempt.sampler.samples={len(answers)}"
    made = stage_of("nl2repo", "attempt", samples)
    texts = [f"```python\n{each}\n```" for each in answers]
    return [row.score for row, _ in answering(*texts)(made.episode(task))]


@pytest.mark.parametrize("rung", ["function", "module"])
def test_what_is_published_is_worth_1_and_stubs_are_worth_0(rung: str) -> None:
    gold = published(task(rung))
    printed = stubbed(gold) + 'print("999 passed")\n' * (rung == "module")
    assert scores(task(rung), gold, printed, "no code (") == [1, 0, 0]


def test_a_module_of_which_a_function_is_missing_is_worth_a_share() -> None:
    gold = published(task("module"))
    [score] = scores(task("module"), gold.replace("return", "return None  #", 1))
    assert 0 <= score < 1


@pytest.mark.parametrize("path", modules(FILES))
def test_stubs_hold_every_signature_and_docstring_and_no_body(path: str) -> None:
    whole, stub = (
        ast.parse(each) for each in (text_of(FILES, path), stubbed(text_of(FILES, path)))
    )
    kinds = (ast.FunctionDef, ast.ClassDef)
    pairs = zip(
        *([n for n in ast.walk(t) if isinstance(n, kinds)] for t in (whole, stub)), strict=True
    )
    for one, other in pairs:
        assert (one.name, ast.get_docstring(one)) == (other.name, ast.get_docstring(other))
        if isinstance(one, ast.FunctionDef) and isinstance(other, ast.FunctionDef):
            assert ast.dump(one.args) == ast.dump(other.args)
            assert ast.unparse(other.body[-1]) == "raise NotImplementedError"


@cache
def package() -> Any:
    made = SpecPackages(sandbox=None)  # type: ignore[arg-type]
    return player()(made.episode(seed()))


GOLD = {path: text_of(FILES, path) for path in modules(FILES)}


def written(*cells: str) -> tuple[float, str | None]:
    """Score and reason of a package that is written by cells of code."""
    made = stage_of("nl2repo_package", "write", "recipe.stages.write.sampler.samples=1")
    dialogue = dialogue_of({"form": "fence", "role": "user", "limit": None})
    texts = [*(f"So.\n```python\n{cell}\n```" for cell in cells), "It is written."]
    row, verdict, _ = once(replace(made, dialogue=dialogue).episode(package()), *texts)
    return row.score, verdict.reason


def writing(files: dict[str, str]) -> str:
    return f"for path, text in {files!r}.items(): write(path, text)"


def test_a_whole_package_as_it_is_published_is_worth_1() -> None:
    assert written(writing(GOLD)) == (1, None)


def test_an_empty_package_is_worth_0_whatever_is_written_beside_it() -> None:
    beside = {
        "conftest.py": "print('999 passed')\n",
        "tests/test_x.py": "def test_x(): pass\n",
        "spans/test_text.py": "def test_y(): pass\n",
        "spans/more.py": "print('999 passed')\n",
        "spans/algebra.py": "print('999 passed')\n",
    }
    assert written(writing(beside), "print(run_tests())") == (0, None)


def test_a_package_may_have_other_modules_and_is_worth_the_share_of_the_tests_that_pass() -> None:
    moved = {**GOLD, "spans/sets.py": GOLD["spans/algebra.py"]}
    names = "check, clip, gaps, intersect, merge, subtract, total"
    moved["spans/algebra.py"] = f"from spans.sets import {names}\n"
    moved["spans/text.py"] = GOLD["spans/text.py"].replace("ordinals", "ordinal_numbers")
    score, reason = written(writing(moved))
    assert reason is None and 0.5 < score < 1
    named = {**GOLD, "spans/more.py": "import os\nos._exit(0)\n"}
    assert written(writing(named)) == (0, None)


def test_the_description_of_a_package_has_every_public_signature_and_no_body() -> None:
    text = package().problem
    for path, source in GOLD.items():
        assert f"{path}:\n\n```python" in text
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                assert f"def {node.name}({ast.unparse(node.args)})" in text
                if isinstance(node.body[-1], ast.Return):
                    assert ast.unparse(node.body[-1]) not in text
    assert set(package().fail_to_pass) == set(json.loads(seed().metadata)["passing"])


def test_a_function_is_put_in_its_place_and_nothing_else_is_taken_for_it() -> None:
    module = "def f(x):\n    return 1\n\n\n@cache\ndef g(x):\n    return 2\n\n\nz = 3\n"
    written = "def g(x):\n    return 5"
    assert in_place(module, "g", written) == module.replace("2", "5")
    assert in_place(module, "g", f"@once\n{written}") == module.replace("cache", "once").replace(
        "2", "5"
    )
    assert in_place(module, "f", written) is None
    assert in_place(module, "g", "def g(") is None
