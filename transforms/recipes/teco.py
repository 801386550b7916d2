"""teco: the next statement of a test, graded by the bugs that it sees.

After TeCo (arXiv 2302.10166), whose "runs" also counts a statement that asserts nothing; here one
has to pass on the package and fail on a bug of the function under test.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.records import Seed
from transforms.models.episode import Steps, side_by_side
from transforms.packages.bugs import drawn, sites
from transforms.packages.completion import completes, with_statement
from transforms.packages.making import UNSOUND, Sound, bug_of, made, sound
from transforms.packages.outline import function_text
from transforms.packages.package import Files, suites
from transforms.packages.patches import text_of
from transforms.packages.suite import Function, call_function
from transforms.programs.questions import Task, task_about
from transforms.stages.tasks import MakeTasks


class Cut(NamedTuple):
    """A place in a test where a statement is to be written."""

    path: str
    test: str
    """Name of the function."""
    place: int
    """Statements before it."""
    target: str
    """The statement that stands there."""
    prefix: str
    """The test up to there."""
    under_test: Function


@dataclass(kw_only=True)
class CutTests(MakeTasks):
    """PCollection[Seed] (of source=package) -> Outcome of Task: assertions to be written where a
    test of straight lines has one, shown with the function under test, the test so far, and the
    variables that it has by then, with their types and values.
    """

    name: str = "cut"
    bugs: Annotated[int, Field(ge=1)] = 4
    """Bugs of a function under test that a statement may see."""
    most: Annotated[int, Field(ge=1)] = 100
    """Functions under test of one package, at most."""

    reasons: ClassVar[Iterable[str]] = (
        *UNSOUND, "no_cut", "kills_nothing", "no_state",
    )  # fmt: skip

    def episode(self, seed: Seed) -> Steps[list[tuple[Seed | Task, Verdict]]]:
        package = yield from sound(seed, ())
        if isinstance(package, Verdict):
            return [(seed, package)]
        facts, files = package.facts, package.files
        cuts = cuts_of(files, facts["modules"])
        functions = sorted({cut.under_test for cut in cuts})[: self.most]
        bugs: dict[Function, list[str]] = {}
        for function in functions:
            path, name = function
            found = [s for s in sites(path, text_of(files, path)) if s.function == name]
            chosen = drawn(found, facts["digest"], self.bugs)
            tried = yield from side_by_side(
                made(package, bug_of(files, [s]), compares=False) for s in chosen
            )
            bugs[function] = [task.bug for task, verdict in tried if verdict.kept]
        tasks: list[tuple[Seed | Task, Verdict]] = []
        for cut in cuts:
            if cut.under_test in bugs:
                tasks.append((yield from self._asked(package, cut, bugs[cut.under_test])))
        return tasks or [(seed, reject("no_cut", "no test of straight lines asserts anything"))]

    def _asked(
        self, package: Sound, cut: Cut, bugs: Sequence[str]
    ) -> Steps[tuple[Seed | Task, Verdict]]:
        facts, files = package.facts, package.files
        state = yield from state_at(files, cut)
        path, name = cut.under_test
        shown = {
            "package": facts["name"],
            "version": facts["version"],
            "prefix": cut.prefix,
            "state": state,
        }
        answer = {
            "archive": facts["archive"],
            "path": cut.path,
            "test": cut.test,
            "place": cut.place,
            "target": cut.target,
            "bugs": bugs,
        }
        code = function_text(text_of(files, path), name)
        task = task_about(package.seed, "statement", code, "kills", answer, shown)
        if state is None:
            return task, reject("no_state", f"{cut.test}: what comes before it does not run alone")
        kills = yield from completes(answer, cut.target, exact=False)
        if kills:
            return task, reject("kills_nothing", f"{cut.test}: {cut.target}")
        return task, keep()


def cuts_of(files: Files, modules: Iterable[str]) -> list[Cut]:
    """Returns the assertions of tests that are functions of straight lines without parameters, and
    whose function under test is one of the package's."""
    own: dict[str, list[Function]] = {}
    for path in modules:
        for node in ast.parse(text_of(files, path)).body:
            if isinstance(node, ast.FunctionDef):
                own.setdefault(node.name, []).append((path, node.name))
    found = []
    for path in suites(files):
        source = text_of(files, path)
        for node in ast.parse(source).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test"):
                continue
            straight = all(isinstance(each, _STRAIGHT) for each in node.body)
            if not straight or node.args.args or node.decorator_list:
                continue
            for place, statement in enumerate(node.body):
                under_test = _under_test(node.body[: place + 1], own)
                if isinstance(statement, ast.Assert) and under_test:
                    target = ast.get_source_segment(source, statement) or ""
                    lines = source.splitlines()[node.lineno - 1 : statement.lineno - 1]
                    prefix = textwrap.dedent("\n".join(lines))
                    found.append(Cut(path, node.name, place, target, prefix, under_test))
    return found


_ALONE = "cotmill_cut.py"
_STRAIGHT = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Assert)


def _under_test(body: Sequence[ast.stmt], own: Mapping[str, Sequence[Function]]) -> Function | None:
    """The function of the package that is called last, by a name that only one has; None where
    there is none. TeCo's rule is to take the only one called, else the last."""
    calls = [
        node.func.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    known = [name for name in calls if len(own.get(name, ())) == 1]
    return own[known[-1]][0] if known else None


def state_at(files: Files, cut: Cut) -> Steps[dict[str, list[str]] | None]:
    """Runs a test up to a cut: variable -> [type, value in at most 100 characters]; None where it
    does not run so far."""
    values = "{n: [type(v).__name__, repr(v)[:100]] for n, v in dict(locals()).items()}"
    tree = with_statement(files, cut.path, cut.test, cut.place, f"return {values}")
    if tree is None:
        return None
    alone = {**tree, _ALONE: tree[cut.path]}  # its folder may have the name of another package
    came = yield from call_function(alone, (_ALONE, cut.test), ["((), {})"])
    if came is None or came[0][0] != "gives":
        return None
    state: dict[str, list[str]] = ast.literal_eval(came[0][1])
    return state
