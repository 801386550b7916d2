"""Tests without what they expect: what is compared is noted, and what is right is not there."""

from __future__ import annotations

import ast

import pytest

from tests.packages.repairs import FILES
from tests.recipes.playing import player
from transforms.packages.disguise import functions_of
from transforms.packages.expected import stripped
from transforms.packages.package import suites
from transforms.packages.patches import text_of
from transforms.packages.suite import compared_values

HEAD = "import pytest\nfrom p import f, G\n"


def noted(body: str, head: str = HEAD) -> list[str]:
    """The lines of a test, `test_a`, once it lacks what it expects."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    text = stripped("t.py", f"{head}def test_a(x=1):\n{lines}", ["test_a"], ["p"])
    return text.partition("(x=1):\n")[2].replace("'t.py::test_a', ", "").split("\n") if text else []


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ("assert f(1) == 2", ["    __noted__(f(1))"]),
        ("assert 2 == f(1)", ["    __noted__(f(1))"]),
        ("assert f(1) == f(2)", ["    __noted__(f(1))", "    __noted__(f(2))"]),
        ("assert f(1) == 2 and f(2) is None", ["    __noted__(f(1))", "    __noted__(f(2))"]),
        ("right = [2]\nassert [f(1)] == right", ["    __noted__([f(1)])"]),
        ("seen = []\nG(seen)\nassert seen == [1]",
         ["    seen = []", "    G(seen)", "    __noted__(seen)"]),
        ("g = G(1)\nself.assertEqual((3, 3), g.items())",
         ["    g = G(1)", "    __noted__(g.items())"]),
        ("assert list(f(1)) == sorted(x)", ["    __noted__(list(f(1)))"]),
        ("assert f(1) == 2\nassert f(3)", ["    __noted__(f(1))", "    f(3)"]),
        ("assert True", []),
    ],
)  # fmt: skip
def test_what_is_compared_is_noted_and_what_is_right_is_gone(body: str, left: list[str]) -> None:
    assert noted(body) == left


def test_the_name_of_an_exception_is_noted_and_not_named() -> None:
    assert "ValueError" not in "".join(left := noted("with pytest.raises(ValueError):\n    f(1)"))
    assert left[1].strip() == "f(1)" and any("type(__raised__)" in line for line in left)


def test_parameters_that_are_only_compared_are_taken_out_of_the_decorator() -> None:
    cases = "@pytest.mark.parametrize('n, right', [(3, 4), pytest.param(5, 6, id='z')])\n"
    source = f"{HEAD}{cases}def test_a(n, right):\n    assert f(n) == right\n"
    text = stripped("t.py", source, ["test_a"], ["p"]) or ""
    assert "[(3, None), pytest.param(5, None, id='z')]" in text
    known = source.replace("[(3", "CASES or [(3")
    assert stripped("t.py", known, ["test_a"], ["p"]) is None


@pytest.mark.parametrize("path", suites(FILES))
def test_only_the_named_tests_stay(path: str) -> None:
    names = sorted(name for file, name in functions_of(FILES) if file == path)
    text = stripped(path, text_of(FILES, path), names[:1], ["spans"]) or ""
    functions = [
        each.name for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef)
    ]
    assert [name for name in functions if name.startswith("test")] == names[:1]


def test_values_of_functions_that_no_literal_calls_are_seen() -> None:
    test = b"""
from lazy import Box, twice, evens
def test_a():
    add = lambda x: x + 1
    assert twice(add)(3) == 5
    assert evens(9) is not None
    box = Box()
    box.put({2, 1})
    assert box.held == [{1, 2}]
    assert (evens(5), 7) == 0
    assert twice(twice(add)) == 0
"""
    source = b"""
class Box:
    def __init__(self): self.held = []
    def put(self, what): self.held.append(what)
def twice(f): return lambda x: f(f(x))
def evens(n): yield from range(0, n, 2)
"""
    files = {"lazy/__init__.py": source, "tests/test_a.py": test}
    found = player()(compared_values(files, [("tests/test_a.py", "test_a")]))
    assert found == {
        "tests/test_a.py::test_a": [
            "5",
            "[('set', [1, 2])]",
            "('tuple', [('iterator', [0, 2, 4]), 7])",
            "",
        ]
    }
