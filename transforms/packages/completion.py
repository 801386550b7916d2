"""Statements that complete a test: they pass on the package, and see a bug of it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from transforms.engine.ids import content_id
from transforms.packages.disguise import function_of
from transforms.packages.package import Files, is_suite, unpacked
from transforms.packages.patches import apply, changed, read_diff, text_of
from transforms.packages.refused import refused
from transforms.packages.suite import SuiteRun, run_suite

if TYPE_CHECKING:
    from transforms.models.episode import Steps


def statement_of(text: str) -> str | None:
    """Returns a text that is one statement of a straight line; else None.

    >>> statement_of("assert f(1) == 2  # so"), statement_of("x = 1\\nassert x")
    ('assert f(1) == 2', None)
    """
    try:
        body = ast.parse(textwrap.dedent(text).strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match body:
        case [ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Expr() | ast.Assert() as one]:
            return ast.unparse(one)
    return None


def with_statement(
    files: Files, path: str, test: str, place: int, statement: str
) -> dict[str, bytes] | None:
    """Returns a tree with that one file of tests, in which a test ends with a statement after its
    first `place`; None where there is no such test."""
    source = text_of(files, path)
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == test and place < len(node.body):
            at = node.body[place]
            assert node.end_lineno is not None
            margin = " " * at.col_offset
            lines[at.lineno - 1 : node.end_lineno] = [textwrap.indent(statement, margin) + "\n"]
            others = {name: data for name, data in files.items() if not is_suite(name)}
            return changed(others, {path: "".join(lines)})
    return None


def completes(task: Mapping[str, Any], statement: str, exact: bool = True) -> Steps[str]:
    """Says why a statement does not complete a test; empty where it does.

    It does where it is the one that was there, or where the test passes with it on the package and
    fails on one of its bugs. What comes after it in the test is left out.

    Args:
        task: {archive, path, test, place, target, bugs}.
        exact: whether the one that was there is taken without a run.
    """
    if exact and statement == statement_of(task["target"]):
        return ""
    files = unpacked(task["archive"])
    place = task["path"], task["test"], task["place"]
    whole = with_statement(files, *place, statement)
    if whole is None:
        return "no_test"
    if named := refused(text_of(files, task["path"]), text_of(whole, task["path"])):
        return f"refused: {named}"
    key = content_id("completion", *place, statement)
    run = yield from run_suite(whole, key)
    if _outcome(run, *place[:2]) != "passed":
        return "does_not_run"
    for bug in task["bugs"]:
        tree = changed(whole, apply(whole, read_diff(bug)))
        run = yield from run_suite(tree, key)
        if _outcome(run, *place[:2]) == "failed":
            return ""
    return "kills_nothing"


def _outcome(run: SuiteRun, path: str, test: str) -> str:
    """The outcome of a test without parameters; empty where it is absent, or a canary was wrong."""
    found = [run.tests[each] for each in run.tests if function_of(each) == (path, test)]
    return found[0] if found and not run.forged else ""
