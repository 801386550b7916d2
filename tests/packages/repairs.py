"""A task about the package spans, and how patches of it are graded in tests."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace

from tests.recipes.playing import player
from transforms.engine.paths import DATA
from transforms.packages import grading
from transforms.packages.grading import PatchGrade
from transforms.packages.package import packed, read_package
from transforms.packages.patches import changed, diff, text_of

PLACE = "spans/algebra.py"
FILES = read_package(str(DATA / "packages" / "spans")).files
SOURCE = text_of(FILES, PLACE)
BROKEN = SOURCE.replace("start <= merged[-1][1] + distance", "start < merged[-1][1] + distance")
FAILING = "tests/test_algebra.py::test_merge[spans3-merged3]"
"""The test that the bug fails: it passes where neighbours that touch are joined."""
PASSING = ("tests/test_algebra.py::test_subtract", "tests/test_schedule.py::test_pack")
CALLS = [
    ["(([(1, 3), (3, 5)],), {})", "gives", "[(1, 5)]"],
    ["(([(1, 4), (4, 5)],), {})", "gives", "[(1, 5)]"],
    ["(([(5, 2)],), {})", "raises", "ValueError"],
]
VALUES = [repr([("tuple", list(each)) for each in spans]) for spans in (
    [], [], [(1, 5)], [(1, 5)], [(1, 3), (4, 5)], [(1, 9)], [(1, 2), (6, 8)],
)]  # fmt: skip
"""What `test_merge` compares, in order."""

play = player()


def task(checks: str = "calls") -> SimpleNamespace:
    """A task about a bug in `merge`.

    Args:
        checks: what is compared outside of the sandbox: calls, values, or nothing.
    """
    found = {
        "calls": {"path": PLACE, "name": "merge", "calls": CALLS},
        "values": {"values": {FAILING.partition("[")[0]: VALUES}},
        "nothing": {},
    }
    return SimpleNamespace(
        id="task",
        archive=archive(),
        bug=diff(FILES, {PLACE: SOURCE}, {PLACE: BROKEN}),
        fail_to_pass=[FAILING],
        pass_to_pass=list(PASSING),
        checks=json.dumps(found[checks]),
    )


@cache
def archive() -> str:
    return packed(FILES)


def graded(source: str, checks: str = "calls") -> PatchGrade:
    """The grade of a whole module in place of spans/algebra.py."""
    return play(grading.grade_changes(task(checks), {PLACE: source}))  # type: ignore[no-any-return]


def graded_diff(patch: str, checks: str = "calls") -> PatchGrade:
    return play(grading.grade_diff(task(checks), patch))  # type: ignore[no-any-return]


def diff_to(path: str, text: str) -> str:
    """A unified diff of the package with the bug that gives a file another text."""
    if path in FILES:
        tree = changed(FILES, {PLACE: BROKEN})
        return diff(tree, {}, {path: text})
    lines = "".join(f"+{line}\n" for line in text.splitlines())
    return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{lines.count(chr(10))} @@\n{lines}"
