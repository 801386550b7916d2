"""Graders: what a response to a task is worth. Whatever has to run does so in the sandbox.

A grader is given the task's program, the task's answer (parsed from JSON) and a response. Those of
`BY_TEXT` only read; those of `BY_RUN` are steps of an episode that yield lists of jobs. The verdict
is always reached in this process, from what the sandbox saw: a judged program never sees what it
is held against.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from transforms.models.responses import extract_program
from transforms.packages.bugs import in_place
from transforms.packages.completion import completes, statement_of
from transforms.packages.grading import PatchFault, StoredRepair, grade_diff, grade_share
from transforms.packages.outcomes import likeness, run_program
from transforms.packages.package import unpacked
from transforms.programs.facts import CutTrace, InvalidTrace, read_trace
from transforms.programs.form import Unparsable, parse, with_input
from transforms.programs.masked import filled
from transforms.programs.questions import (
    NotLiteral,
    false_claim,
    is_close,
    read_literal,
    read_value,
    stated,
    strict,
    tolerant,
)
from transforms.programs.trace_text import parse_trace
from transforms.programs.variation import unlike
from transforms.sandbox.jobs import Job, Status, TraceLimits
from transforms.scenes.answers import agrees
from transforms.text.answers import extract_answer
from transforms.text.answers.units import conversion_program, is_same_value, read_measure
from transforms.text.marks import fenced
from transforms.text.thoughts import visible

if TYPE_CHECKING:
    from transforms.engine.records import Seed
    from transforms.models.episode import Steps


class Fault(StrEnum):
    """Why a response is not right."""

    NO_ANSWER = "no_answer"
    """It holds no answer of the form that was asked for."""
    WRONG_ANSWER = "wrong_answer"
    WRONG_UNIT = "wrong_unit"
    """The answer's unit is of another dimension than what was asked for, missing, or none."""
    FAILS = "fails"
    """The program ends badly on the predicted input, or the written program does not run."""
    FAILED_TESTS = "failed_tests"
    NOT_SIMPLER = "not_simpler"
    """The written program passes the tests and is no shorter."""
    FALSE_CLAIM = "false_claim"
    """It states a value that the run does not have, or (where claims are graded) none at all."""
    REFUSED_INPUT = "refused_input"
    """The counterexample is no input of the reference program."""
    NOT_DISTINGUISHED = "not_distinguished"
    """Both programs give the same on the counterexample."""
    CRASHED = "crashed"
    """The faulty program crashes on the counterexample, which is not counted as a difference."""
    TIMED_OUT = "timed_out"
    """The faulty program does not end on the counterexample; not counted as a difference."""


class Mark(NamedTuple):
    """What a grader says of a response."""

    score: float
    """0 to 1."""
    fault: Fault | None = None
    """None where the response is right."""
    answer: str | None = None
    """The answer in the response; None where it has none."""
    seen: str = ""
    """What the answer's own run gave. It never holds the right answer."""


class Graded(Protocol):
    """What a grader needs of a task."""

    @property
    def code(self) -> str: ...
    @property
    def grader(self) -> str: ...
    @property
    def answer(self) -> str: ...


_TARGET = re.compile(r"\A[A-Za-z_]\w*\s*=(?!=)\s*")


def answer_in(response: str) -> str | None:
    """Returns the text of a response's last fenced block, without a name that it is assigned to.

    None where the response has no such block, or an empty one; thoughts are not looked at.

    >>> answer_in("It adds up.\\n```python\\noutput = [1, 2]\\n```\\n")
    '[1, 2]'
    """
    return _TARGET.sub("", last_block(response) or "") or None


def last_block(response: str) -> str | None:
    """Returns the text of a response's last fenced block; None where that is empty, or none."""
    blocks = fenced(visible(response))
    return blocks[-1].body.strip() or None if blocks else None


def grade(task: Graded, response: str) -> Steps[Mark]:
    """Grades a response: the first grader that finds a fault decides, else the last.

    Raises:
        KeyError: the task names a grader that does not exist.
    """
    answer, mark = json.loads(task.answer), Mark(0.0, Fault.NO_ANSWER)
    for name in task.grader.split("+"):
        if name in BY_TEXT:
            mark = BY_TEXT[name](answer, response)
        else:
            mark = yield from BY_RUN[name](task.code, answer, response)
        if mark.fault is not None:
            break
    return mark


def _equal(same: Callable[[str, str], bool]) -> Callable[[Any, str], Mark]:
    def mark(golds: Sequence[str], response: str) -> Mark:
        answer = answer_in(response)
        if answer is None:
            return Mark(0.0, Fault.NO_ANSWER)
        if any(same(answer, gold) for gold in golds):
            return Mark(1.0, answer=answer)
        return Mark(0.0, Fault.WRONG_ANSWER, answer)

    return mark


def parts(golds: Mapping[str, str], response: str) -> Mark:
    """Grades a JSON object by the share of its values that are right: 0.1 + 0.9 k/m, after CodeRL+
    (arXiv 2510.18471); 0 for anything but an object.

    >>> parts({"a": "1", "b": "[2]"}, '```json\\n{"a": 1, "b": [3]}\\n```').score
    0.55
    """
    answer = answer_in(response)
    try:
        values = json.loads(answer or "")
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return Mark(0.0, Fault.NO_ANSWER, answer)
    right = sum(
        name in values and tolerant(json.dumps(values[name]), golds[name]) for name in golds
    )
    fault = None if right == len(golds) else Fault.WRONG_ANSWER
    return Mark(0.1 + 0.9 * right / len(golds), fault, answer)


def trace(golds: Sequence[str], response: str) -> Mark:
    """Grades the text of a trace (`programs.trace_text`) by the share of its frames that are right
    before the first wrong one; 0 where it is no such text."""
    answer, gold = answer_in(response), parse_trace(golds[0])
    try:
        frames = parse_trace(answer or "")
    except (ValueError, RecursionError):
        return Mark(0.0, Fault.NO_ANSWER, answer)
    return _in_order(frames, gold, answer)


def lines(golds: Sequence[str], response: str) -> Mark:
    """Grades printed lines by the share that is right before the first wrong one; 0 where there is
    no fenced block. Blanks at the ends of lines do not count.

    >>> lines(["a = 1\\na = 2"], "```\\na = 1\\na = 3\\n```").score
    0.5
    """
    answer = last_block(response)
    if answer is None:
        return Mark(0.0, Fault.NO_ANSWER)
    printed, gold = ([line.rstrip() for line in text.split("\n")] for text in (answer, golds[0]))
    return _in_order(printed, gold, answer)


def _in_order(steps: Sequence[object], gold: Sequence[object], answer: str | None) -> Mark:
    """Marks steps by the share that is right before the first wrong one."""
    pairs = zip_longest(steps, gold)
    right = next((n for n, (one, other) in enumerate(pairs) if one != other), len(gold))
    if right == len(gold) == len(steps):
        return Mark(1.0, answer=answer)
    return Mark(min(right / len(gold), 0.99), Fault.WRONG_ANSWER, answer)


def witness(code: str, output: str, response: str) -> Steps[Mark]:
    """Runs the program on the predicted input: right where it gives the output (JSON)."""
    answer = answer_in(response)
    try:
        job = Job(with_input(code, _input(answer)))
    except (NotLiteral, Unparsable, ValueError):
        return Mark(0.0, Fault.NO_ANSWER, answer)
    [result] = yield [job]
    if result.output is None or result.status is not Status.OK:
        return Mark(0.0, Fault.FAILS, answer, result.ending)
    if same_output(result.output, output):
        return Mark(1.0, answer=answer)
    return Mark(0.0, Fault.WRONG_ANSWER, answer, result.output)


def tests(code: str, cases: Sequence[tuple[str, str]], response: str) -> Steps[Mark]:
    """Runs the program in the response on the input of each test, one job a test: all outputs have
    to be right. The outputs that are right stay outside of the sandbox.

    Args:
        cases: (input as a literal, output as JSON), at least one.
    """
    written = extract_program(visible(response))
    runs = yield from runs_of_tests(written, cases)
    if runs is None:
        return Mark(0.0, Fault.NO_ANSWER, written)
    failed = sum(not run.passed for run in runs)
    if not failed:
        return Mark(1.0, answer=written)
    fault = Fault.FAILED_TESTS if any(run.ended_well for run in runs) else Fault.FAILS
    return Mark(0.0, fault, written, f"{failed} of {len(cases)} tests")


class CaseRun(NamedTuple):
    """A run of a program on the input of a test."""

    input: str
    """A literal."""
    output: str
    """The right output, as JSON."""
    seen: str
    """What the program gave, as JSON, or how it ended."""
    ended_well: bool
    """Whether it ended well, with an output."""
    passed: bool


def runs_of_tests(
    code: str | None, cases: Sequence[tuple[str, str]]
) -> Steps[list[CaseRun] | None]:
    """Runs a program on the input of each test, one job a test; returns None where it is no program
    with an input.

    Args:
        cases: (input as a literal, output as JSON).
    """
    try:
        jobs = [Job(with_input(code or "", read_literal(given))) for given, _ in cases]
    except (NotLiteral, Unparsable, ValueError):
        return None
    results = yield jobs
    return [
        CaseRun(
            *case,
            seen=result.output if well and result.output else result.ending,
            ended_well=well,
            passed=well and same_output(result.output or "", case[1]),
        )
        for case, result in zip(cases, results, strict=True)
        for well in [result.status is Status.OK and result.output is not None]
    ]


def tried(
    response: str, cases: Sequence[tuple[str, str]]
) -> Steps[tuple[str | None, list[CaseRun]]]:
    """Runs the program in a response on the input of each test, as `runs_of_tests` does; returns
    the program and its runs, or None and no runs where it is no program with an input."""
    code = extract_program(visible(response))
    runs = yield from runs_of_tests(code, cases)
    return (code, runs) if runs else (None, [])


def fills(code: str, gold: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Runs the program with the function of the response in place of its masked one, one job an
    input; the score is the share of inputs that it is right on, numbers up to a millionth.

    Args:
        gold: `function`, its name, and `cases`, as `tests` has them.
    """
    written, cases = last_block(response), gold["cases"]
    try:
        whole = filled(code, gold["function"], written or "")
    except Unparsable:
        whole = None
    if whole is None:
        return Mark(0.0, Fault.NO_ANSWER, written)
    runs = yield from runs_of_tests(whole, cases)
    passed = sum(run.passed for run in runs or ())
    if passed == len(cases):
        return Mark(1.0, answer=written)
    fault = Fault.FAILED_TESTS if any(run.ended_well for run in runs or ()) else Fault.FAILS
    return Mark(
        passed / len(cases), fault, written, f"{len(cases) - passed} of {len(cases)} inputs"
    )


def simplifies(code: str, cases: Sequence[tuple[str, str]], response: str) -> Steps[Mark]:
    """Runs the tests of the program in the response; where it passes all, scores the share of the
    program's lines that it does without, both as the parser writes them."""
    mark = yield from tests(code, cases, response)
    if mark.fault is not None:
        return mark
    lines, before = _lines(mark.answer or ""), _lines(code)
    fault = None if lines < before else Fault.NOT_SIMPLER
    return mark._replace(score=max(0.0, 1 - lines / before), fault=fault)


def _lines(code: str) -> int:
    return ast.unparse(parse(code)).count("\n") + 1


def counterexample(code: str, pair: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Runs the program and a faulty one on an input: right where their outputs differ.

    The program has to end well on it. A faulty program that crashes or does not end has a fault of
    its own: REFUTE's released checker counts both as success (arXiv 2502.19414).

    Args:
        pair: `faulty`, the other program, and `input`, the program's own as a literal: the
            counterexample has to be like it (see `variation.unlike`).
    """
    answer = answer_in(response)
    try:
        given = _input(answer)
        jobs = [Job(with_input(each, given)) for each in (code, pair["faulty"])]
    except (NotLiteral, Unparsable, ValueError):
        return Mark(0.0, Fault.NO_ANSWER, answer)
    if difference := unlike(given, read_literal(pair["input"])):
        return Mark(0.0, Fault.REFUSED_INPUT, answer, difference)
    right, wrong = yield jobs
    if right.status is not Status.OK or right.output is None:
        return Mark(0.0, Fault.REFUSED_INPUT, answer, right.ending)
    if wrong.status is Status.TIMEOUT:
        return Mark(0.0, Fault.TIMED_OUT, answer)
    if wrong.status is not Status.OK or wrong.output is None:
        return Mark(0.0, Fault.CRASHED, answer, wrong.ending)
    if same_output(right.output, wrong.output):
        return Mark(0.0, Fault.NOT_DISTINGUISHED, answer, right.output)
    return Mark(1.0, answer=answer)


def repair(code: str, task: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Applies the unified diff in the response's last fenced block to a package with a bug, and
    runs the package's tests (`packages.grading`).

    Args:
        task: {id, archive, bug, fail_to_pass, pass_to_pass, checks}.
    """
    patch = last_block(response)
    if patch is None:
        return Mark(0.0, Fault.NO_ANSWER)
    grade = yield from grade_diff(StoredRepair(**task), patch)
    if grade.fault is None:
        return Mark(1.0, answer=patch)
    missing = grade.fault is PatchFault.NOT_A_PATCH
    fault = Fault.NO_ANSWER if missing else Fault.FAILED_TESTS
    return Mark(0.0, fault, patch, grade.fault)


def build(code: str, task: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Puts the module, or the function, in the response's last fenced block in the place of a stub,
    and scores the share of the tests that fail without it.

    Args:
        code: the module with the stub.
        task: as of `repair`, and {path, function}; a function of None is the whole module.
    """
    stored = StoredRepair(**{name: task[name] for name in StoredRepair._fields})
    written = last_block(response)
    text = written and in_place(code, task["function"], written)
    if not text:
        return Mark(0.0, Fault.NO_ANSWER, written)
    grade = yield from grade_share(stored, {task["path"]: text})
    fault = None if grade.fault is None else Fault.FAILED_TESTS
    return Mark(grade.score, fault, written, grade.fault or "")


def kills(code: str, task: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Completes a test with the statement in the response's last fenced block: it has to pass on
    the package and to fail on one of its bugs, or be the one that was there.

    Args:
        task: as of `packages.completion.completes`.
    """
    written = statement_of(last_block(response) or "")
    if written is None:
        return Mark(0.0, Fault.NO_ANSWER, last_block(response))
    if why := (yield from completes(task, written)):
        fault = Fault.FAILED_TESTS if why == "kills_nothing" else Fault.FAILS
        return Mark(0.0, fault, written, why)
    return Mark(1.0, answer=written)


def writes(code: str, task: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Runs the program in the response's last fenced block beside a package: the file that it
    writes has the values of another (`packages.outcomes`).

    Args:
        task: {archive, inputs: {name: text}, wanted, gold, threshold}.
    """
    program = last_block(response)
    if program is None:
        return Mark(0.0, Fault.NO_ANSWER)
    files = unpacked(task["archive"])
    text, why = yield from run_program(files, program, task["inputs"], task["wanted"])
    if text is None:
        return Mark(0.0, Fault.FAILS, program, why)
    if likeness(task["wanted"], task["gold"], text) < task["threshold"]:
        return Mark(0.0, Fault.WRONG_ANSWER, program, text[:200])
    return Mark(1.0, answer=program)


def claims(code: str, _: Any, response: str) -> Steps[Mark]:
    """Runs the program with a trace: each value that the response states has to be in it, and it
    states at least one (see `questions.claims`)."""
    text = visible(response)
    [result] = yield [Job(code, trace=TraceLimits())]
    try:
        wrong = false_claim(text, read_trace(result.trace or ""))
    except (InvalidTrace, CutTrace) as error:
        return Mark(0.0, Fault.FALSE_CLAIM, answer_in(text), str(error))
    if wrong is not None:
        return Mark(0.0, Fault.FALSE_CLAIM, answer_in(text), wrong.text)
    if not stated(text):
        return Mark(0.0, Fault.FALSE_CLAIM, answer_in(text), "no value is stated")
    return Mark(1.0, answer=answer_in(text))


def units(_: str, gold: Mapping[str, Any], response: str) -> Steps[Mark]:
    """Converts the answer into the unit of the right one, by pint in the sandbox: first its
    dimension has to be the same, then its value.

    The answer is the response's last fenced block, else its final answer; it has one number.

    Args:
        gold: `value`, `unit` in pint's notation, and `tolerance`, relative.
    """
    shown = visible(response)
    answer = last_block(shown) or extract_answer(shown)
    measure = read_measure(answer or "")
    if measure is None:
        return Mark(0.0, Fault.NO_ANSWER, answer)
    [result] = yield [Job(conversion_program([(measure, gold["unit"])]))]
    [converted] = json.loads(result.output or "[null]") if result.status is Status.OK else [None]
    if not isinstance(converted, list):
        return Mark(0.0, Fault.WRONG_UNIT, answer, converted or result.ending)
    value, step = converted
    if is_same_value(value, step, gold["value"], gold["tolerance"]):
        return Mark(1.0, answer=answer)
    return Mark(0.0, Fault.WRONG_ANSWER, answer)


def agrees_in_units(seed: Seed, answer: str) -> Steps[float]:
    """Grades an answer by `units`, as `Converse.grader`: 1 where it is the seed's quantity, up to
    the `tolerance` in the seed's metadata (a thousandth)."""
    gold = read_measure(seed.answer or "")
    if gold is None:
        return 0.0
    tolerance = json.loads(seed.metadata).get("tolerance", 1e-3)
    right = {"value": gold.value, "unit": gold.unit, "tolerance": tolerance}
    return (yield from units("", right, f"```\n{answer}\n```")).score


def _overlaps(answer: str, gold: str) -> bool:
    """Whether an answer is a box that overlaps another by 0.7, intersection over union."""
    try:
        return agrees(read_value(answer), read_literal(gold), 0.7)
    except NotLiteral:
        return False


BY_TEXT: dict[str, Callable[[Any, str], Mark]] = {
    "strict": _equal(strict),
    "tolerant": _equal(tolerant),
    "overlap": _equal(_overlaps),
    "parts": parts,
    "trace": trace,
    "lines": lines,
}
"""Graders that run nothing. The answer of `strict` and `tolerant` is a list of literals, any of
them right, and that of `overlap` one of boxes; that of `parts` an object of literals by name; that
of `trace` and of `lines` a list of one text."""

BY_RUN: dict[str, Callable[[str, Any, str], Steps[Mark]]] = {
    "witness": witness,
    "tests": tests,
    "fills": fills,
    "simplifies": simplifies,
    "counterexample": counterexample,
    "claims": claims,
    "units": units,
    "repair": repair,
    "build": build,
    "kills": kills,
    "writes": writes,
}
"""Graders that run programs. The answer of `witness` is the output as JSON, in a text; of `tests`
and `simplifies` a list of [input as a literal, output as JSON]; of `counterexample` {faulty,
input}; of `units` {value, unit, tolerance}; of `fills` {function, cases}; of `repair`, `build`,
`kills` and `writes` what they say; `claims` needs none."""


def same_output(one: str, other: str) -> bool:
    """Whether two outputs, as JSON, are the same value: floats may differ by a millionth."""
    try:
        return one == other or is_close(json.loads(one), json.loads(other))
    except (ValueError, RecursionError):
        return False


def _input(answer: str | None) -> dict[str, Any]:
    """The input in an answer, a literal or JSON; NotLiteral where it is no dict."""
    value = read_value(answer or "")
    if not isinstance(value, dict):
        raise NotLiteral("an input is a dict")
    return value
