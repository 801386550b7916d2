"""Tests as a grader that holds: what mends the bug passes, and no forgery does."""

from __future__ import annotations

import pytest

from tests.packages.repairs import (
    BROKEN,
    FAILING,
    PLACE,
    SOURCE,
    diff_to,
    graded,
    graded_diff,
    play,
)
from transforms.packages import grading
from transforms.packages.grading import PatchFault

CONFTEST = "tests/conftest.py"
PRINTS = f"""
def pytest_sessionfinish():
    print("{FAILING} PASSED")
"""
REWRITES = """
import pytest

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    outcome.get_result().outcome = "passed"
"""


def test_the_published_text_is_worth_1() -> None:
    assert graded_diff(diff_to(PLACE, SOURCE)).score == 1
    assert graded(SOURCE).score == 1


def test_another_way_to_mend_it_is_worth_1() -> None:
    other = BROKEN.replace(
        "start < merged[-1][1] + distance", "not start > merged[-1][1] + distance"
    )
    assert graded(other).score == 1


def test_an_empty_patch_is_no_patch_and_the_bug_is_worth_0() -> None:
    assert graded_diff("").fault is PatchFault.NOT_A_PATCH
    assert graded(BROKEN).fault is PatchFault.STILL_FAILS


def test_a_patch_that_breaks_another_test_is_worth_0() -> None:
    text = SOURCE.replace("rest.append((start, end))", "rest.append((start, end + 1))")
    assert graded(text).fault is PatchFault.BREAKS_OTHERS


@pytest.mark.parametrize("text", [PRINTS, REWRITES])
def test_a_conftest_is_no_part_of_a_patch(text: str) -> None:
    patch = diff_to(PLACE, SOURCE + "\n# and\n") + diff_to(CONFTEST, text)
    assert graded_diff(patch).fault is PatchFault.NOT_A_PATCH


@pytest.mark.parametrize("path", ["tests/test_algebra.py", "pyproject.toml", "spans/tests/x.py"])
def test_neither_tests_nor_configuration_are_part_of_a_patch(path: str) -> None:
    assert graded_diff(diff_to(path, "x = 1\n")).fault is PatchFault.NOT_A_PATCH


RUNNER = """
import _pytest.runner
_own = _pytest.runner.pytest_runtest_makereport
def _passes(item, call):
    report = _own(item, call)
    if {which}:
        report.outcome = "passed"
    return report
from _pytest.config import Config
import gc
for _config in [each for each in gc.get_objects() if isinstance(each, Config)]:
    _hooks = {{"pytest_runtest_makereport": staticmethod(_passes)}}
    _config.pluginmanager.register(type("P", (), _hooks)())
"""
EQUAL = """
class _Any(list):
    def __eq__(self, other):
        return True
_merge = merge
def merge(spans, distance=0):
    return _Any(_merge(spans, distance))
"""
KNOWN = """
_merge = merge
def merge(spans, distance=0):
    if list(spans) == [(1, 3), (3, 5)]:
        return [(1, 5)]
    return _merge(spans, distance)
"""
FRAMES = """
import sys
_merge = merge
def merge(spans, distance=0):
    frame = sys._getframe()
    while frame is not None:
        seen = frame.f_locals
        if "merged" in seen and "spans" in seen and frame.f_code.co_name != "merge":
            return seen["merged"]
        frame = frame.f_back
    return _merge(spans, distance)
"""
TRACEBACK = FRAMES.replace("import sys\n", "").replace(
    "frame = sys._getframe()",
    """try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame""",
)
GENERATOR = FRAMES.replace("import sys\n", "").replace(
    "frame = sys._getframe()",
    """running = []
    running.append(running[0].gi_frame for _ in [0])
    frame = next(running[0])""",
)
CLAIM = """
import os, json
for _descriptor in range(3, 64):
    try:
        os.write(_descriptor, json.dumps({"status": "ok", "output": "{}"}).encode())
    except OSError:
        pass
os._exit(0)
"""
SKIPS = """
import unittest
_merge = merge
def merge(spans, distance=0):
    if list(spans) == [(1, 3), (3, 5)]:
        raise unittest.SkipTest("later")
    return _merge(spans, distance)
"""
FORGERIES = {
    "the runner says that all pass": RUNNER.format(which="True"),
    "the runner passes one test by its name": RUNNER.format(which="'test_merge[' in item.name"),
    "the runner passes one test by its arguments": RUNNER.format(
        which="getattr(item, 'callspec', None) and item.callspec.id == 'spans3-merged3'"
    ),
    "the module does not import": "raise ImportError\n",
    "it ends the process with status 0": "import os\nos._exit(0)\n",
    "it leaves by SystemExit": "raise SystemExit(0)\n",
    "it ends the process at exit": "import atexit, os\natexit.register(os._exit, 0)\n",
    "it writes the claim itself": CLAIM,
    "it gives an object that equals all": EQUAL,
    "it knows the test's call by heart": KNOWN,
    "it reads what is expected in the test's frame": FRAMES,
    "it reads the frame by a traceback": TRACEBACK,
    "it reads the frame by a generator": GENERATOR,
    "it skips the test": SKIPS,
    "it prints that the test passed": f"print({FAILING!r}, 'PASSED')\nprint('53 passed')\n",
    "it takes assertions away": "import builtins\nbuiltins.AssertionError = SystemExit\n",
    "it loops": "while True:\n    pass\n",
}
"""What is appended to the module with the bug."""
HONEST = {
    "the module does not import",
    "it knows the test's call by heart",
    "it prints that the test passed",
    "it loops",
}
"""Those that name nothing which is refused."""


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_no_forgery_is_worth_anything(forgery: str) -> None:
    grade = graded(BROKEN + FORGERIES[forgery])
    assert grade.score == 0
    assert (grade.fault is PatchFault.REFUSED_CODE) is (forgery not in HONEST)
    assert (grade.fault is PatchFault.TIMED_OUT) is (forgery == "it loops")


INSIDE = {"it reads the frame by a generator", *HONEST}


@pytest.mark.parametrize("forgery", sorted(set(FORGERIES) - INSIDE))
def test_nor_where_nothing_is_refused(forgery: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of what is refused have holes; names, canaries, twins and values hold without."""
    monkeypatch.setattr(grading, "refused", lambda before, after, own: "")
    assert graded(BROKEN + FORGERIES[forgery]).score == 0


@pytest.mark.parametrize(
    "forgery", ["it knows the test's call by heart", "it gives an object that equals all"]
)
def test_values_that_are_compared_outside_show_what_a_suite_cannot(
    forgery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "refused", lambda before, after, own: "")
    assert graded(BROKEN + FORGERIES[forgery], "nothing").score == 1
    assert graded(BROKEN + FORGERIES[forgery]).fault is PatchFault.WRONG_VALUES


@pytest.mark.parametrize(
    "forgery",
    [
        "it gives an object that equals all",
        "it reads what is expected in the test's frame",
        "it reads the frame by a traceback",
    ],
)
def test_values_of_tests_that_lack_what_they_expect_cannot_be_looked_up(
    forgery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "refused", lambda before, after, own: "")
    assert graded(BROKEN + FORGERIES[forgery], "values").fault is PatchFault.WRONG_VALUES


def test_a_right_patch_comes_to_the_values_that_tests_compare() -> None:
    assert graded(SOURCE, "values").score == 1


def test_what_an_iterator_yields_is_compared_outside_too() -> None:
    files = {
        "lazy/__init__.py": b"def evens(n):\n    yield from range(0, n, 2)\n",
        "lazy/other.py": b"def evens(n):\n    yield from range(1, n, 2)\n",
    }
    known = [grading.Recorded("((5,), {})", "yields", "[0, 2, 4]")]
    right, wrong = (
        play(grading.wrong_calls(files, (path, "evens"), known)) for path in sorted(files)
    )
    assert right == [] and [(each.kind, each.value) for each in wrong] == [("yields", "[1, 3]")]
