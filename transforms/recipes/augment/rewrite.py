"""A seed with other numbers: plans the runs, explains its texts by them, and fills them in anew."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from transforms import programs
from transforms.engine.accounting import Verdict, keep, reject
from transforms.engine.ids import canonical_json, content_id
from transforms.engine.records import Redraw, Seed, Variant
from transforms.engine.settings import Group
from transforms.programs.form import assigned
from transforms.recipes.augment.equate import Unexplained
from transforms.recipes.augment.explain import explain, reductions
from transforms.recipes.augment.explanation import Explanation, RedrawReason, together
from transforms.recipes.augment.meanings import UNITS, Known, Meaning, Vector, equal, is_constant
from transforms.recipes.augment.redraws import (
    Slot,
    at,
    find_slots,
    keeps_relations,
    numbers_in,
    redraws,
)
from transforms.recipes.augment.tracing import tracing_program
from transforms.sandbox.sandbox import Job, Result, Status
from transforms.stages.diversity.reasons import Sameness
from transforms.text.answers import spelled
from transforms.text.equations import chains, holds
from transforms.text.measures import is_measure
from transforms.text.numerals import numerals, rounding
from transforms.text.reasoning import ReasoningReason

_RUNS_PER_JOB = 60
"""Runs of one job of the sandbox: a program is compiled once for so many inputs."""
_MOST_PLACES = 400
"""Values that are brought out of each run, at most."""
_FEWEST_RUNS = 4
"""Fewer runs tell too little of what a number stands for."""
_LARGEST_RATIO = 3
"""A new answer is at most so many times the original one, or that part of it."""
_LONGEST = 10_000
"""Characters of a problem, solution or program: each number is held against each traced value."""
_OFTEN = 12
"""Up to here a number is the sum or product of others by chance."""
_CHECK = re.compile(r"(?:As a check|Check:|Indeed|To check)")
"""How sentences begin that only check an answer."""
_NUMERIC = re.compile(r"\d+/\d+|\d{1,2}(:\d\d)+|\d{4}-\d\d-\d\d")
"""Texts that are numbers in another form."""

Judged = tuple[Any, Verdict]
"""A Variant that is kept, a Redraw that is not, or a Seed that gives none; and why."""


class AugmentationSettings(Group):
    """How seeds are given other numbers."""

    draws: int = Field(ge=1, description="inputs drawn for each seed, at most; most are refused")
    rows_per_seed: int = Field(ge=1, description="rows made from each seed, at most")
    spread: float = Field(
        gt=1, description="a new value is at most this many times the old one, or that part of it"
    )
    seed: int = Field(ge=0, description="seed of the drawing")


@dataclass(frozen=True)
class Plan:
    """A seed and the inputs that it is to be run on, its own first."""

    seed: Seed
    slots: tuple[Slot, ...]
    inputs: tuple[dict[str, Any], ...]

    @property
    def redraws(self) -> tuple[Redraw, ...]:
        """The records of the new inputs."""
        return tuple(
            Redraw(
                id=content_id("redraw", self.seed.id, given),
                seed_ids=(self.seed.id,),
                input=canonical_json(given),
            )
            for given in self.inputs[1:]
        )


def split_solution(seed: Seed) -> tuple[str, str] | None:
    """Returns the worked solution, and its last line if that states the answer; else None."""
    body, _, last = (seed.solution or "").rstrip().rpartition("\n")
    return (body, last) if body and seed.answer and seed.answer in last else None


def plan_redraws(seed: Seed, settings: AugmentationSettings) -> Plan | Verdict:
    """Draws inputs for a seed, or says why there are none."""
    if seed.code is None:
        return reject(RedrawReason.NOT_REDRAWABLE, "no program")
    if split_solution(seed) is None:
        return reject(
            RedrawReason.NOT_REDRAWABLE, "no worked solution with its answer in the last line"
        )
    longest = max(len(seed.problem), len(seed.solution or ""), len(seed.code))
    if longest > _LONGEST:
        return reject(
            RedrawReason.NOT_REDRAWABLE, f"a text of {longest:,} characters, more than {_LONGEST:,}"
        )
    inputs = programs.literal_input(programs.parse(seed.code))
    if inputs is None:
        return reject(RedrawReason.NOT_REDRAWABLE, "the program's input is not a literal")
    slots = find_slots(seed.problem, numerals(seed.problem), inputs)
    if not slots:
        return reject(
            RedrawReason.NOT_REDRAWABLE, "the problem states no value of the input for certain"
        )
    drawn = redraws(
        inputs, slots, settings.spread, settings.draws, settings.seed, seed.id, "redraw"
    )
    related = (new for new in drawn if keeps_relations(inputs, new, slots))
    return Plan(seed, tuple(slots), (inputs, *related))


def jobs(plan: Plan) -> list[Job]:
    """The runs of a plan: each job runs the original input first, then a part of the others."""
    assert plan.seed.code is not None
    tree = programs.parse(plan.seed.code)
    body, _ = split_solution(plan.seed) or ("", "")
    targets = _targets(body)
    original, *others = plan.inputs
    return [
        Job(tracing_program(tree, [original, *part], targets, _MOST_PLACES))
        for begin in range(0, len(others), _RUNS_PER_JOB)
        if (part := others[begin : begin + _RUNS_PER_JOB])
    ]


def _targets(body: str) -> list[Any]:
    """What traces are searched for: a text's words and numbers, and what lies a step from these."""
    targets: dict[Any, None] = dict.fromkeys(re.findall(r"[^\W\d_]{2,}", body))
    for numeral in numerals(body):
        if numeral.kind in ("clock", "date"):
            targets[numeral.text] = None
            continue
        value = numeral.value
        close = 1e-9 * max(1.0, abs(value))
        rounded = 0.51 * 10.0**-numeral.decimals
        targets[(value, rounded if numeral.decimals or value > 100 else close)] = None
        targets[(-value, close)] = None
        if numeral.kind == "number":
            steps = (
                *(value * 100, 100 - value * 100, value * 100 - 100, 100 - value, value - 100),
                *(value / 100, value / 60, value * 60, value - 1, value + 1),
            )
            for before in steps:
                targets[(before, 1e-9 * max(1.0, abs(before)))] = None
    return [list(target) if isinstance(target, tuple) else target for target in targets]


@dataclass
class Runs:
    """The runs that went the original's way, which is the first."""

    redraws: list[Redraw | None]
    inputs: list[dict[str, Any]]
    outputs: list[Any]
    vectors: list[Vector]
    strings: list[list[Any]]


def rewrite(plan: Plan, results: Sequence[Result], settings: AugmentationSettings) -> list[Judged]:
    """Judges every redraw of a plan after its runs: a Variant, or why there is none.

    Where the seed itself cannot be rewritten it is rejected, and its redraws are not judged. Once
    there are `settings.rows_per_seed` variants the other redraws are left out.
    """
    failed = next((r for r in results if r.status is not Status.OK or r.output is None), None)
    if failed is not None or any(result.output == "null" for result in results):
        why = f"traced run: {failed.status} {failed.error or ''}" if failed else "traced run fails"
        return [(plan.seed, reject(RedrawReason.UNEXPLAINED_NUMBER, why))]
    runs, astray = _gather(plan, results)
    if len(runs.inputs) < _FEWEST_RUNS:
        return [(redraw, reject(RedrawReason.OTHER_WAY)) for redraw in astray] + [
            (
                redraw,
                reject(RedrawReason.OTHER_WAY, f"too few go the same way: {len(runs.inputs) - 1}"),
            )
            for redraw in runs.redraws
            if redraw is not None
        ]
    try:
        rewriter = _Rewriter(plan, runs)
    except Unexplained as error:
        return [(plan.seed, reject(RedrawReason.UNEXPLAINED_NUMBER, str(error)))]
    judged: list[Judged] = []
    kept = 0
    seen = {plan.seed.problem}
    for run, record in enumerate(runs.redraws):
        if record is None:
            continue
        if kept == settings.rows_per_seed:
            break
        made = rewriter.variant(run)
        if isinstance(made, Variant) and made.problem in seen:
            made = reject(Sameness.DUPLICATE_INSTRUCTION, "same text as another redraw")
        if isinstance(made, Variant):
            seen.add(made.problem)
            judged.append((made, keep()))
            kept += 1
        else:
            judged.append((record, made))
    return judged + [(record, reject(RedrawReason.OTHER_WAY)) for record in astray]


def _gather(plan: Plan, results: Sequence[Result]) -> tuple[Runs, list[Redraw]]:
    """Returns the runs that went the original's way, and the redraws that went another."""
    redraws, same, astray = plan.redraws, [], []
    rows: list[list[Any]] = []
    names: list[str] = []
    for number, result in enumerate(results):
        report = json.loads(result.output or "")
        names = report["places"]
        first, *others = report["rows"]
        if not number:
            rows.append(first)
        for index, row in enumerate(others, start=number * _RUNS_PER_JOB):
            if row is None:
                astray.append(redraws[index])
            else:
                same.append(index)
                rows.append(row)
    vectors, strings = [], []
    for place in range(len(names)):
        column = [row[1][place] for row in rows]
        if isinstance(column[0], str):
            strings.append(column)
        else:
            vectors.append(np.array([math.nan if v is None else float(v) for v in column]))
    runs = Runs(
        redraws=[None, *(redraws[index] for index in same)],
        inputs=[plan.inputs[0], *(plan.inputs[index + 1] for index in same)],
        outputs=[json.loads(row[0]) for row in rows],
        vectors=vectors,
        strings=strings,
    )
    return runs, astray


class _Rewriter:
    """A seed's texts, explained by its runs.

    Raises:
        Unexplained: where a number of the solution stands for nothing known.
    """

    def __init__(self, plan: Plan, runs: Runs) -> None:
        self._seed, self._runs = plan.seed, runs
        self._problem = _explained_problem(plan, runs)
        self._body, self._last = split_solution(plan.seed) or ("", "")
        self._solution = _explained_solution(self._body, _known(plan, runs), runs)

    def variant(self, run: int) -> Variant | Verdict:
        """Returns the seed rewritten for a run, or why it is not."""
        seed, runs = self._seed, self._runs
        assert seed.code is not None and seed.answer is not None
        before, output = runs.outputs[0], runs.outputs[run]
        implausible = _implausible(before, output, self._ratios(run))
        if implausible:
            return reject(RedrawReason.IMPLAUSIBLE, implausible)
        changed = next((s for s in runs.strings if _is_word(s[0]) and s[run] != s[0]), None)
        if changed is not None:
            return reject(RedrawReason.AMBIGUOUS_NUMBER, f"the text says {changed[0]}")
        problem, worked = self._problem.filled(run), self._solution.filled(run)
        for filled in (problem, worked):
            if isinstance(filled, Verdict):
                return filled
        assert isinstance(problem, str) and isinstance(worked, str)
        if not _fractions_kept(seed.problem, problem):
            return reject(RedrawReason.IMPLAUSIBLE, "a fraction not in lowest terms, or above 1")
        false = false_equation(worked)
        if false is not None:
            return reject(ReasoningReason.FALSE_EQUATION, false)
        if not self._reaches(output, run):
            return reject(ReasoningReason.FALSE_EQUATION, f"the text does not come to {output}")
        answer = output if isinstance(output, str) else json.dumps(output)
        place = self._last.rindex(seed.answer)
        last = self._last[:place] + answer + self._last[place + len(seed.answer) :]
        code = programs.with_input(seed.code, runs.inputs[run])
        return Variant(
            id=content_id("variant", problem, code, seed.source),
            problem=problem,
            answer=answer,
            code=code,
            solution=f"{worked}\n{last}",
            kind=seed.kind,
            source=seed.source,
            license=seed.license,
            metadata=seed.metadata,
            output=json.dumps(output, ensure_ascii=False),
            input=json.dumps(runs.inputs[run], ensure_ascii=False),
            seed_ids=(seed.id,),
        )

    def _ratios(self, run: int) -> set[float]:
        """How many times larger the values of the input have become."""
        before, after = self._runs.inputs[0], self._runs.inputs[run]
        return {at(after, path) / number for path, number in numbers_in(before) if number}

    def _reaches(self, output: Any, run: int) -> bool:
        """Whether the text still says the answer where the original said it last.

        A number that is the answer before it was rounded must not lie halfway between two.
        """
        before = self._runs.outputs[0]
        if type(before) not in (int, float):
            return True
        places = [
            index
            for index, numeral in enumerate(self._solution.numerals)
            if index in self._solution.meanings and equal(numeral.value, before)
        ]
        if not places or (isinstance(output, float) and self._is_halfway(output, run)):
            return False
        shown = {meaning.vector[run] for meaning in self._solution.meanings[places[-1]]}
        decimals = self._solution.numerals[places[-1]].decimals
        slack = rounding(decimals) if isinstance(output, float) else 0.0
        return all(equal(value, output, slack) for value in shown)

    def _is_halfway(self, output: float, run: int) -> bool:
        scale = 10.0 ** len(str(output).partition(".")[2])
        values = {
            float(meaning.vector[run])
            for meanings in self._solution.meanings.values()
            for meaning in meanings
        }
        return any(
            abs(value - output) * scale < 1 and abs(value * scale % 1 - 0.5) < 1e-6
            for value in values
        )


_BEFORE_RESULT = re.compile(
    r"(?:\bi\.\s?e\.|=|≈|\b(?:so|thus|hence|total(?:ing)?|(?:al)?together|equals?|makes?|making"
    r"|(?:that|which|this) (?:is|are|gives|means|comes to)))(?:[^\w)]+[^\W\d]+){0,2}[^\w)]*$",
    re.IGNORECASE,
)
_BEHIND_RESULT = re.compile(
    r"(?!\W+(?:dozen|score|hundred|thousand|million)\b)"
    r"(?:(?:\W+[^\W\d]+){0,3}?\W+(?P<all>in total|in all|altogether|together)\b)?",
    re.IGNORECASE,
)
"""Words that say of a number that others give it: i.e. 60 players, 60 players in all."""
_TENS = re.compile(r"\b(?:thir|for|fif|six|seven|eigh|nine)ty(?:-[a-z]+)?\b", re.IGNORECASE)
"""Numbers in words that are larger than those that are rewritten."""


def _explained_problem(plan: Plan, runs: Runs) -> Explanation:
    """The problem's numbers: those of slots stand for input; of the others those that the problem
    derives become what it derives them from gives, and the rest stay.

    A number that may be derived, or not, has both meanings.

    Raises:
        Unexplained: a number in words, which is not rewritten, may be derived.
    """
    problem = plan.seed.problem
    result = Explanation(problem, numerals(problem))
    known = _known(plan, runs)
    stated = {place: _input_vector(runs, slot) for slot in plan.slots for place in slot.numerals}
    for vector in together(stated.values()):
        known.add(vector)
    for index, numeral in enumerate(result.numerals):
        if numeral.kind in ("clock", "date"):
            result.strings[index] = [[numeral.text] * len(runs.inputs)]
            continue
        own = Meaning(stated[index]) if index in stated else known.constant(numeral.value)
        before = problem[max(0, numeral.start - 60) : numeral.start]
        behind = _BEHIND_RESULT.match(problem, numeral.end)
        is_result = behind and (behind["all"] or _BEFORE_RESULT.search(before))
        of_its_own = numeral.value in UNITS and is_measure(numeral.unit)
        result.meanings[index] = [own]
        if index not in stated and (is_result or (numeral.value > _OFTEN and not of_its_own)):
            derived = [m for m in known.meanings(numeral) if not is_constant(m.vector)]
            result.meanings[index] = derived if is_result and derived else [own, *derived]
        result.certain.add(index)
    for words in _TENS.finditer(problem):
        value = spelled(words[0].lower().split("-"))
        if any(equal(v[0], float(value or math.nan)) and not is_constant(v) for v in known.vectors):
            raise Unexplained(words[0], words.start())
    return result


def _input_vector(runs: Runs, slot: Slot) -> Any:
    return np.array([abs(float(at(given, slot.path))) for given in runs.inputs])


def _known(plan: Plan, runs: Runs) -> Known:
    """What a solution may speak of: input, output, traced values, and numbers that stay."""
    assert plan.seed.code is not None
    stated = {place for slot in plan.slots for place in slot.numerals}
    said = {
        numeral.value
        for index, numeral in enumerate(numerals(plan.seed.problem))
        if index not in stated and numeral.kind == "number"
    }
    given = [
        np.array([float(at(inputs, path)) for inputs in runs.inputs])
        for path, _ in numbers_in(runs.inputs[0])
    ]
    return Known(
        vectors=[*given, *runs.vectors],
        constants=frozenset(said | (literals(plan.seed.code) - _named(plan))),
        runs=len(runs.inputs),
        inputs=[(_input_vector(runs, slot), slot.unit) for slot in plan.slots],
        outputs=list(map(np.array, _outputs(runs.outputs))),
    )


def _named(plan: Plan) -> set[float]:
    """Values of the input that a text does not take from a literal of the code, such as a bound.

    Small numbers, and those that measure (60, 100), may be either.
    """
    return {abs(slot.value) for slot in plan.slots if abs(slot.value) > 12} - set(_MEASURES)


_MEASURES = (24, 60, 100, 180, 360, 3600)


def literals(code: str) -> set[float]:
    """The numbers that stand in a program, those of its input left out."""
    tree = programs.parse(code)
    skipped = {node for value in assigned(tree, "input") for node in ast.walk(value)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, (int, float))
        and not isinstance(node.value, bool)
        and node not in skipped
    }


def _outputs(outputs: list[Any]) -> list[list[float]]:
    """The outputs as numbers: one list of them, or numerators and denominators."""
    if all(type(output) in (int, float) for output in outputs):
        return [[float(output) for output in outputs]]
    fractions = [re.fullmatch(r"(\d+)/(\d+)", str(output)) for output in outputs]
    if all(fractions):
        return [[float(match[part]) for match in fractions if match] for part in (1, 2)]
    return []


def _explained_solution(body: str, known: Known, runs: Runs) -> Explanation:
    """Explains the solution; a sentence that only checks it is left out where it cannot be."""
    while True:
        try:
            return explain(body, known.copy(), runs.strings)
        except Unexplained as error:
            begin = body.rfind(". ", 0, error.place) + 2 if ". " in body[: error.place] else 0
            if not _CHECK.match(body[begin:]):
                raise
            end = body.find(". ", error.place)
            body = (body[:begin] + (body[end + 2 :] if end >= 0 else "")).rstrip()


def _implausible(before: Any, after: Any, ratios: set[float]) -> str:
    """Why an answer is none for this problem, or "": of another type, another text, too large.

    An answer may grow as far as a value of the input: it is so many of them, then.
    """
    if type(before) is not type(after):
        return "an answer of another type"
    if isinstance(before, bool) or (isinstance(before, str) and _is_word(before)):
        return "" if before == after else f"{after} for {before}"
    if isinstance(before, (int, float)) and before:
        ratio = after / before
        in_proportion = any(math.isclose(ratio, one) for one in ratios)
        if not in_proportion and not 1 / _LARGEST_RATIO <= ratio <= _LARGEST_RATIO:
            return f"{after} for {before}"
    return ""


def _is_word(text: str) -> bool:
    return not _NUMERIC.fullmatch(text)


def _fractions_kept(before: str, after: str) -> bool:
    """Whether fractions in lowest terms are still so, and those below 1 still are."""
    fraction = re.compile(r"(\d+)/(\d+)")
    for old, new in zip(fraction.findall(before), fraction.findall(after), strict=False):
        (a, b), (c, d) = map(int, old), map(int, new)
        if (math.gcd(a, b) == 1 and math.gcd(c, d) != 1) or (a < b) != (c < d):
            return False
    return True


def false_equation(text: str) -> str | None:
    """Returns an equation of a text that is not true, as closely as its numbers are shown."""
    found = numerals(text)
    for fraction in reductions(text, found):
        top, bottom, divisor, new_top, new_bottom = (found[place].value for place in fraction)
        if divisor == 1 or (top, bottom) != (divisor * new_top, divisor * new_bottom):
            return text[found[fraction.top].start : found[fraction.new_bottom].end]
    for chain in chains(text, found):
        start, end = chain.span(found)
        follows = text[end:]
        cut_short = re.match(r"\s*(?:,?\s*(?:with )?remainder|\.\.\.)", follows)
        if not cut_short and not holds(chain, found):
            return text[start:end]
    return None
