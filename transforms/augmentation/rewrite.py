"""A seed with other numbers: plans the runs, explains the texts by them, and fills them in anew."""

from __future__ import annotations

import ast
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from transforms import programs
from transforms.augmentation.equations import chains, evaluate, leaves
from transforms.augmentation.explain import Explanation, Known, Meaning, Source, Unexplained, explain, reductions
from transforms.augmentation.numerals import numerals
from transforms.augmentation.redraws import Slot, at, find_slots, keeps_order, numbers_in, redraw
from transforms.augmentation.tracing import tracing_program
from transforms.execution.sandbox import Job, Result, Status
from transforms.ids import derived_seed
from transforms.records import Seed

_RUNS_PER_JOB = 150
_MOST_PLACES = 400
_CHECK = re.compile(r"(?:As a check|Check:|Indeed|To check)")


@dataclass(frozen=True)
class Row:
    problem: str
    code: str
    solution: str
    answer: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """The inputs that a seed is to be run on, the original one first."""

    inputs: list[dict[str, Any]]
    slots: list[Slot]
    targets: list[Any]


class Refused(Exception):
    """The seed gives no rows."""


def split_solution(seed: Seed) -> tuple[str, str]:
    """The worked solution, and its last line, which states the answer."""
    body, _, last = (seed.solution or "").rstrip().rpartition("\n")
    if not body or seed.answer is None or seed.answer not in last:
        raise Refused("no line that states the answer")
    return body, last


def plan(seed: Seed, draws: int, run_seed: int = 0) -> Plan:
    """Draws the inputs.

    Raises:
        Refused: the seed has no input that its problem states.
    """
    assert seed.code is not None
    inputs = programs.literal_input(programs.parse(seed.code))
    if inputs is None:
        raise Refused("input is not a literal")
    body, _ = split_solution(seed)
    slots = find_slots(seed.problem, numerals(seed.problem), inputs)
    if not slots:
        raise Refused("no value of the input is stated once")
    candidates, known = [inputs], {repr(inputs)}
    for number in range(draws):
        rng = random.Random(derived_seed(run_seed, seed.id, "augment", number))
        new = redraw(inputs, slots, rng)
        if repr(new) not in known and keeps_order(inputs, new, slots):
            known.add(repr(new))
            candidates.append(new)
    return Plan(candidates, slots, _targets(body))


def _targets(body: str) -> list[Any]:
    """What the traces are searched for: the solution's numbers and what lies a step before them."""
    targets: dict[Any, None] = dict.fromkeys(re.findall(r"[^\W\d_]{2,}", body))
    for numeral in numerals(body):
        if numeral.kind in ("clock", "date"):
            targets[numeral.text] = None
            continue
        value, slack = numeral.value, 0.51 * 10.0**-numeral.decimals
        close = 1e-9 * max(1.0, abs(value))
        targets[(value, slack if numeral.decimals or value > 100 else close)] = None
        targets[(-value, close)] = None
        if numeral.kind == "number":
            for before in (value * 100, 100 - value * 100, value * 100 - 100, 100 - value, value - 100,
                           value / 100, value / 60, value * 60, value - 1, value + 1):
                targets[(before, 1e-9 * max(1.0, abs(before)))] = None
    return [list(target) if isinstance(target, tuple) else target for target in targets]


def jobs(seed: Seed, plan: Plan) -> list[Job]:
    """The runs of a plan: each job runs the original input first, then a part of the others."""
    assert seed.code is not None
    tree = programs.parse(seed.code)
    original, *others = plan.inputs
    return [
        Job(tracing_program(tree, [original, *others[begin : begin + _RUNS_PER_JOB]], plan.targets, _MOST_PLACES))
        for begin in range(0, len(others), _RUNS_PER_JOB)
    ]


@dataclass
class Runs:
    """The runs that went the original's way."""

    inputs: list[dict[str, Any]]
    outputs: list[Any]
    sources: list[Source]
    strings: list[list[Any]]


def gather(plan: Plan, results: Sequence[Result]) -> Runs:
    inputs: list[dict[str, Any]] = []
    outputs: list[Any] = []
    rows: list[list[Any]] = []
    names: list[str] = []
    original, *others = plan.inputs
    for number, result in enumerate(results):
        if result.status is not Status.OK or result.output in (None, "null"):
            raise Refused(f"traced run: {result.status} {result.error or ''}")
        report = json.loads(result.output or "")
        names = report["places"]
        part = [original, *others[number * _RUNS_PER_JOB : (number + 1) * _RUNS_PER_JOB]]
        for index, (candidate, row) in enumerate(zip(part, report["rows"], strict=True)):
            if row is not None and (index or not number):
                inputs.append(candidate)
                outputs.append(json.loads(row[0]))
                rows.append(row[1])
    sources, strings = [], []
    for name, column in zip(names, zip(*rows, strict=True), strict=True):
        if isinstance(column[0], str):
            strings.append(list(column))
        else:
            vector = np.array([math.nan if v is None else float(v) for v in column])
            sources.append(Source(vector, _rank(name, vector)))
    return Runs(inputs, outputs, sources, strings)


def _rank(name: str, vector: Any) -> int:
    """How likely a text is to speak of a value: of a variable, of a step, of what never changes."""
    if name.endswith(".len") or np.nanmax(vector) == np.nanmin(vector):
        return 0
    return 0 if ":" in name and not name.endswith((".n", ".d")) else 1


def _literals(code: str) -> set[float]:
    """The numbers that stand in the code, those of its input left out."""
    tree = programs.parse(code)
    inputs = {
        id(node)
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "input" for t in statement.targets)
        for node in ast.walk(statement)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and type(node.value) in (int, float)
        and id(node) not in inputs
    }


def write(seed: Seed, plan: Plan, runs: Runs, most: int) -> tuple[list[Row], dict[str, int]]:
    """Returns the rows and how many runs were given up, by why.

    Raises:
        Refused: the seed's solution cannot be explained.
    """
    assert seed.code is not None and seed.answer is not None
    if len(runs.inputs) < 4:
        raise Refused(f"only {len(runs.inputs) - 1} of {len(plan.inputs) - 1} redraws go the same way")
    slots = {slot.path: slot for slot in plan.slots}
    found = numerals(seed.problem)
    stated = {place for slot in plan.slots for place in slot.numerals}
    constants = frozenset(
        n.value for i, n in enumerate(found) if i not in stated and n.kind == "number"
    )
    size = len(runs.inputs)
    columns = []
    for path, _ in numbers_in(runs.inputs[0]):
        columns.append(Source(np.array([float(at(given, path)) for given in runs.inputs])))
    columns += [Source(np.array(column)) for column in _outputs(runs.outputs)]
    problem = Explanation(
        seed.problem,
        found,
        {},
        {i: [[n.text] * size] for i, n in enumerate(found) if n.kind in ("clock", "date")},
    )
    known = Known([*columns, *runs.sources], constants, frozenset(_literals(seed.code)), size,
        [(np.array([abs(float(at(given, slot.path))) for given in runs.inputs]), slot.unit) for slot in plan.slots])
    for index, numeral in enumerate(found):
        if index in stated:
            path = next(slot.path for slot in slots.values() if index in slot.numerals)
            vector = np.array([abs(float(at(given, path))) for given in runs.inputs])
        else:
            vector = known.constant(numeral.value)
        problem.meanings[index] = [Meaning(vector)]
        problem.certain.add(index)
    body, last = split_solution(seed)
    body, solution = _explained(body, known, runs)
    rows, given_up = [], {}
    seen = {seed.problem}
    for run in range(1, size):
        if len(rows) == most:
            break
        row, why = _row(seed, runs, run, problem, solution, last)
        if row is not None and row.problem in seen:
            row, why = None, "same"
        if row is None:
            given_up[why] = given_up.get(why, 0) + 1
        else:
            seen.add(row.problem)
            rows.append(row)
    return rows, given_up


def _outputs(outputs: list[Any]) -> list[list[float]]:
    """The outputs as numbers: one list of them, or numerators and denominators."""
    if all(type(output) in (int, float) for output in outputs):
        return [[float(output) for output in outputs]]
    fractions = [re.fullmatch(r"(\d+)/(\d+)", str(output)) for output in outputs]
    if all(fractions):
        return [[float(match[part]) for match in fractions if match] for part in (1, 2)]
    return []


def _explained(body: str, known: Known, runs: Runs) -> tuple[str, Explanation]:
    """Explains the solution; a sentence that only checks it is left out where it cannot be."""
    while True:
        trial = known.copy()
        try:
            return body, explain(body, trial, runs.strings)
        except Unexplained as error:
            begin = max(body.rfind(". ", 0, error.place) + 2, 0) if ". " in body[: error.place] else 0
            if not _CHECK.match(body[begin:]):
                raise Refused(f"unexplained: {error} in: {body[begin:begin + 80]}") from None
            end = body.find(". ", error.place)
            body = (body[:begin] + (body[end + 2 :] if end >= 0 else "")).rstrip()


def _row(
    seed: Seed, runs: Runs, run: int, problem: Explanation, solution: Explanation, last: str
) -> tuple[Row | None, str]:
    assert seed.answer is not None and seed.code is not None
    before, output = runs.outputs[0], runs.outputs[run]
    if type(before) is not type(output):
        return None, "type"
    if isinstance(output, str) and output != before and not _NUMERIC.fullmatch(before):
        return None, "text answer"
    if any(texts[run] != texts[0] for texts in runs.strings if not _NUMERIC.fullmatch(texts[0])):
        return None, "text"
    if not _about(before, output):
        return None, "size"
    if isinstance(output, bool) and output != before:
        return None, "text answer"
    text, worked = problem.filled(run), solution.filled(run)
    if text is None:
        return None, "problem"
    if worked is None:
        return None, "solution"
    if not _fractions_kept(seed.problem, text):
        return None, "fraction"
    if not equations_hold(worked):
        return None, "equation"
    if not _reaches(solution, before, output, run):
        return None, "answer not reached"
    answer = output if isinstance(output, str) else json.dumps(output)
    place = last.rindex(seed.answer)
    ending = last[:place] + answer + last[place + len(seed.answer) :]
    code = programs.with_input(seed.code, runs.inputs[run])
    return Row(text, code, f"{worked}\n{ending}", answer, runs.inputs[run]), ""


def _fractions_kept(before: str, after: str) -> bool:
    """Whether fractions in lowest terms are still so, and those below 1 still are."""
    pairs = zip(re.findall(r"(\d+)/(\d+)", before), re.findall(r"(\d+)/(\d+)", after), strict=False)
    for old, new in pairs:
        (a, b), (c, d) = map(int, old), map(int, new)
        if (math.gcd(a, b) == 1 and math.gcd(c, d) != 1) or (a < b) != (c < d):
            return False
    return True


_NUMERIC = re.compile(r"\d+/\d+|\d{1,2}(:\d\d)+|\d{4}-\d\d-\d\d")
"""Texts that are numbers in another form."""


def _about(before: Any, after: Any) -> bool:
    """Whether an answer is about the size of the original one."""
    if type(before) not in (int, float) or not before:
        return True
    return 1 / _FACTOR <= after / before <= _FACTOR


_FACTOR = 5


def _reaches(solution: Explanation, before: Any, after: Any, run: int) -> bool:
    """Whether the text still says the answer wherever the original said it last."""
    if type(before) not in (int, float):
        return True
    places = [
        index
        for index, numeral in enumerate(solution.numerals)
        if index in solution.meanings and abs(numeral.value - before) < 1e-9 * max(1, abs(before))
    ]
    if not places:
        return False
    shown = {meaning.vector[run] for meaning in solution.meanings[places[-1]]}
    return all(abs(value - after) <= 0.501 * 10.0 ** -solution.numerals[places[-1]].decimals if not isinstance(after, int) else abs(value - after) < 1e-9 * max(1, abs(after)) for value in shown)


def equations_hold(text: str) -> bool:
    """Whether every equation of a text is true, as closely as its numbers are shown."""
    found = numerals(text)
    for fraction in reductions(text, found):
        divisor = found[fraction.divisor].value
        if (
            found[fraction.top].value != divisor * found[fraction.new_top].value
            or found[fraction.bottom].value != divisor * found[fraction.new_bottom].value
        ):
            return False
    for chain in chains(text, found):
        values = [float(evaluate(side, lambda leaf: found[leaf].value)) for side in chain.sides]
        decimals = max(found[leaf].decimals for leaf in leaves(chain.sides[-1])) if leaves(chain.sides[-1]) else 0
        slack = 0.501 * 10.0**-decimals
        if not all(abs(value - values[0]) <= slack for value in values[1:]):
            follows = text[found[chain.leaves()[-1]].end :]
            if re.match(r"\s*(?:,?\s*(?:remainder|with remainder)|\.\.\.)", follows):
                continue
            return False
    return True
