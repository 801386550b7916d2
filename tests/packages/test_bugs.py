"""Bugs, patches, disguises and what is refused: pure."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.packages.repairs import FILES
from transforms.packages.bugs import Operator, Site, drawn, sites
from transforms.packages.disguise import disguised, function_of, functions_of, undisguised
from transforms.packages.package import modules
from transforms.packages.patches import NotAPatch, apply, diff, read_diff, text_of
from transforms.packages.refused import refused
from transforms.packages.tasks import leak

SITES = [site for path in modules(FILES) for site in sites(path, text_of(FILES, path))]
some_sites = st.sampled_from(SITES)


@given(some_sites)
def test_a_bug_changes_one_function_and_parses(site: Site) -> None:
    before = text_of(FILES, site.path)
    after = site.applied(before)
    old, new = (_by_name(ast.parse(text)) for text in (before, after))
    assert {name for name in old if old[name] != new[name]} == {site.function.partition(".")[0]}


def _by_name(tree: ast.Module) -> dict[str, str]:
    defs = (ast.FunctionDef, ast.ClassDef)
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, defs)}


@given(some_sites)
def test_a_diff_and_its_reverse_are_applied_wherever_their_lines_say(site: Site) -> None:
    before = text_of(FILES, site.path)
    after = site.applied(before)
    there = diff(FILES, {site.path: before}, {site.path: after})
    back = diff(FILES, {site.path: after}, {site.path: before})
    assert apply(FILES, read_diff(there)) == {site.path: after}
    assert apply(FILES, read_diff(back), {site.path: after}) == {site.path: before}


def test_every_operator_has_its_places() -> None:
    assert {site.operator for site in SITES} == set(Operator)


def test_an_operator_is_changed_and_nothing_beside_it() -> None:
    source = "def f(a, b):\n    return ( a  not   in b ) and (a+b)\n"
    made = {site.operator: site.applied(source) for site in sites("x.py", source)}
    assert made[Operator.COMPARE] == source.replace("not   in", "in")
    assert source.replace("and", "or") in {s.applied(source) for s in sites("x.py", source)}


def test_bugs_of_a_function_are_drawn_by_a_key_each_by_another_operator() -> None:
    kept = drawn(SITES, "key", 2)
    assert kept == drawn(reversed(SITES), "key", 2) != drawn(SITES, "other", 2)
    pairs = [(site.path, site.function, site.operator) for site in kept]
    assert len(set(pairs)) == len(pairs)
    assert max(sum(p[:2] == pair[:2] for p in pairs) for pair in pairs) == 2


@pytest.mark.parametrize(
    "patch",
    [
        "no diff",
        "@@ -1 +1 @@\n-a\n+b\n",
        "+++ b/tests/test_text.py\n@@ -1 +1 @@\n-import unittest\n+x\n",
        "+++ b/spans/text.py\n@@ -1 +1 @@\n-no such line\n+x\n",
        "+++ b/../spans/text.py\n@@ -1 +1 @@\n-a\n+x\n",
    ],
)
def test_what_does_not_apply_is_no_patch(patch: str) -> None:
    with pytest.raises(NotAPatch):
        apply(FILES, read_diff(patch))


def test_tests_come_back_from_their_random_names() -> None:
    every = functions_of(FILES)
    made = disguised(FILES, "key", every)
    outcomes = {}
    for path, name in functions_of(made.files):
        outcomes[f"{path}::{name}[a-b]"] = "failed" if name in made.twins else "passed"
    found = undisguised(outcomes, made)
    assert {function_of(test) for test in found.tests} == every
    assert {function_of(test) for test in found.twins} == every
    assert set(found.twins.values()) == {"failed"}
    assert not any("test_merge" in text.decode() for text in made.files.values())


def test_names_differ_by_key() -> None:
    assert not {*disguised(FILES, "a").names} & {*disguised(FILES, "b").names}


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ("x = ().__class__.__base__", "__base__"),
        ("x = '{0.__globals__}'.format(merge)", "__globals__"),
        ("x = getattr(merge, 'a' + 'b')", "getattr"),
        ("import math\nmath.isclose = print", "math.isclose ="),
        ("from os import path", "import os"),
        ("import importlib", "import importlib"),
        ("class A:\n    def __eq__(self, other):\n        return True", "__eq__"),
        ("x = type('A', (list,), {'__eq__': print})", "__eq__"),
        ("def f(:", "what does not parse"),
        ("try:\n    pass\nexcept:\n    pass", "except:"),
        ("import math\nx = math.floor(1.5)", ""),
        ("class A:\n    def __init__(self):\n        self.x = 1", ""),
    ],
)
def test_what_a_patch_may_not_name(added: str, named: str) -> None:
    assert refused("", added + "\n") == named
    if "parse" not in named:
        assert refused(f"{added}\n", f"{added}\n") == ""


def test_an_issue_may_not_show_the_fix_or_a_hidden_test() -> None:
    patch = "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-pass\n+    rest.append((start, end))\n"
    tests = ["tests/test_a.py::A::test_clip[1]"]
    assert leak("Replace it by  rest.append((start, end)).", patch, tests)
    assert leak("test_clip fails", patch, tests) == "test_clip"
    assert leak("clip is wrong", patch, tests) == ""
